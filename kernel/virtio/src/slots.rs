//! Slots that a driver has for life, by the tag of the request that lends them.

use alloc::rc::Rc;
use alloc::vec::Vec;

use bounce::{Purpose, Slot, World};

use crate::Error;
use crate::device::Device;
use crate::queue::{Lend, Queue};

/// What addresses of slots are a multiple of.
pub(crate) const ALIGN: usize = 64;

/// Slots of a device, by tag.
pub(crate) struct Slots<W: World>(Vec<Rc<Slot<W>>>);

impl<W: World> Slots<W> {
    /// Leases slots of `lengths` bytes, in this order, for the life of the device.
    pub(crate) fn lease(
        device: &Device<W>,
        lengths: impl Iterator<Item = usize>,
    ) -> Result<Self, Error> {
        let slots = lengths.map(|len| device.lease(len, ALIGN));
        let slots: Vec<_> = slots.collect::<Result<_, _>>()?;
        // Tags have 16 bits.
        u16::try_from(slots.len()).map_err(|_| Error::QueueFull)?;
        Ok(Self(slots))
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u16 {
        u16::try_from(self.0.len()).unwrap_or(u16::MAX)
    }

    /// Says what is copied through them from now on: for `queue`, each as the number of its tag.
    pub(crate) fn label(&self, queue: u16, purpose: Purpose) {
        for (tag, slot) in (0..).zip(&self.0) {
            slot.label(queue, tag, purpose);
        }
    }

    /// The slot that `tag` stands for.
    pub(crate) fn get(&self, tag: u16) -> Result<&Slot<W>, Error> {
        let slot = self.0.get(usize::from(tag));
        slot.map(Rc::as_ref).ok_or(Error::QueueFull)
    }

    /// Lends the `len` bytes of slot `tag` to be filled. It is not cleared: what is in it came from the
    /// device.
    pub(crate) fn lend_empty(&self, queue: &mut Queue<W>, tag: u16, len: u32) -> Result<(), Error> {
        let run = Lend {
            address: self.get(tag)?.address(0)?,
            len,
            writable: true,
        };
        queue.add(&[run], len, tag)
    }

    /// Copies what `parts` make up into slot `tag`, clears what is left of it in its pages, and lends it
    /// to be read.
    pub(crate) fn lend_full<'a>(
        &self,
        queue: &mut Queue<W>,
        tag: u16,
        parts: impl Iterator<Item = &'a [u8]>,
    ) -> Result<(), Error> {
        let slot = self.get(tag)?;
        let mut at = 0;
        for part in parts {
            slot.copy_out(at, part)?;
            at += part.len();
        }
        slot.seal(at)?;
        let run = Lend {
            address: slot.address(0)?,
            len: u32::try_from(at).map_err(|_| Error::QueueFull)?,
            writable: false,
        };
        // Nothing is writable, but lkvm reports the bytes that it read.
        queue.add(&[run], run.len, tag)
    }
}
