//! One queue of a balloon: the numbers of the pages of one block, and the device's word that it saw them.

use alloc::rc::Rc;

use bounce::{Slot, Spacing, World};

use super::PAGES;
use crate::device::Device;
use crate::queue::{Interrupts, Lend, Queue, RING_ALIGN, ring_bytes};
use crate::{Error, Features};

/// Bytes of a page's number.
const NUMBER: u32 = 4;
/// Bytes of a list of the pages of a block.
const LIST: usize = (PAGES * NUMBER) as usize;
const ALIGN: usize = 64;
/// Entries of a queue, if the device lets us choose: there is one list at a time.
const ENTRIES: u16 = 2;

/// One queue, and the slot that lists are told in.
pub(super) struct Lane<W: World> {
    queue: Queue<W>,
    slot: Rc<Slot<W>>,
}

impl<W: World> Lane<W> {
    /// Bytes of a pool for one.
    pub(super) fn bytes(spacing: Spacing) -> usize {
        let rings = spacing.bytes(1, ring_bytes(), RING_ALIGN) + RING_ALIGN;
        rings + spacing.bytes(1, LIST, ALIGN) + ALIGN
    }

    /// Sets queue `index` up.
    pub(super) fn start(device: &Device<W>, index: u16, features: Features) -> Result<Self, Error> {
        let queue = Queue::start_short(device, index, ENTRIES, features, Interrupts::Wanted)?;
        let slot = device.lease(LIST, ALIGN)?;
        slot.label(index, 0, bounce::Purpose::Pages);
        Ok(Self { queue, slot })
    }

    /// Sets it up anew, after a reset.
    pub(super) fn restart(
        &mut self,
        device: &Device<W>,
        index: u16,
        features: Features,
    ) -> Result<(), Error> {
        self.queue.restart(device, index, features)
    }

    /// Tells the device the pages of a block, from `first` on.
    pub(super) fn tell(&mut self, first: u32) -> Result<(), Error> {
        let mut list = [0; LIST];
        let pages = (0..PAGES).map(|page| first.saturating_add(page));
        for (into, page) in list.chunks_exact_mut(4).zip(pages) {
            into.copy_from_slice(&page.to_le_bytes());
        }
        self.slot.copy_out(0, &list)?;
        self.slot.seal(LIST)?;
        let run = Lend {
            address: self.slot.address(0)?,
            len: PAGES * NUMBER,
            writable: false,
        };
        // Nothing is writable, but lkvm reports what it read.
        self.queue.add(&[run], run.len, 0)?;
        self.queue.notify()
    }

    /// Takes the device's word for what was told; says whether it came.
    pub(super) fn take(&mut self) -> Result<bool, Error> {
        Ok(self.queue.take()?.is_some())
    }

    /// Rings the doorbell once more: one may have been lost.
    pub(super) fn ring(&mut self) {
        self.queue.ring();
    }

    /// Doorbells rung.
    pub(super) fn rung(&self) -> u64 {
        self.queue.rung()
    }
}
