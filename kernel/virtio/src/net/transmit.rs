//! Frames out: slots owned for life, one copy each.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::time::Duration;

use bounce::{Slot, World};
use clock::Instant;

use crate::Error;
use crate::device::Device;
use crate::needs::Want;
use crate::net::header::{HEADER, Header};
use crate::net::{MAX_FRAME, checksum};
use crate::queue::{Lend, Queue};

/// Bytes of a transmit slot.
const SLOT: usize = 1536;
/// Slots: enough for a full TCP window of one connection.
const SLOTS: u16 = 128;
/// Fewest slots to work with.
const LEAST: usize = 2;
/// How long all slots may be taken without a single one coming back.
const DEADLINE: Duration = Duration::from_secs(10);

/// Slots for a queue of `size` entries.
pub(crate) fn slots(size: u16) -> Want {
    Want {
        least: usize::from(size).min(LEAST),
        wanted: size.min(SLOTS).into(),
        len: SLOT,
        align: 64,
    }
}

/// The transmit side.
pub(crate) struct Transmit<W: World> {
    queue: Queue<W>,
    slots: Vec<Rc<Slot<W>>>,
    free: Vec<u16>,
    /// Since when there is no slot: since this moment nothing came back.
    starved: Option<Instant>,
}

impl<W: World> Transmit<W> {
    /// Leases `count` slots, at most as many as the queue has entries.
    pub(crate) fn start(device: &Device<W>, queue: Queue<W>, count: usize) -> Result<Self, Error> {
        let count = u16::try_from(count).map_err(|_| Error::QueueFull)?;
        let slots = (0..count)
            .map(|_| device.lease(SLOT, 64))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            queue,
            slots,
            free: (0..count).rev().collect(),
            starved: None,
        })
    }

    /// Doorbells rung.
    pub(crate) fn rung(&self) -> u64 {
        self.queue.rung()
    }

    /// Whether a slot is free.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`] if none came back for too long, and what [`Queue::take`] finds.
    pub(crate) fn has_room(&mut self, device: &Device<W>) -> Result<bool, Error> {
        if self.free.is_empty() {
            self.reclaim()?;
        }
        if !self.free.is_empty() {
            self.starved = None;
            return Ok(true);
        }
        self.queue.notify()?;
        let now = device.transport().clock().now();
        match self.starved {
            Some(since) if now.since(since) >= DEADLINE => Err(Error::TimedOut),
            Some(_) => Ok(false),
            None => {
                device.pool().note_exhausted();
                self.starved = Some(now);
                Ok(false)
            }
        }
    }

    /// Copies `frame` into a slot and queues it; says whether there was room.
    pub(crate) fn send(
        &mut self,
        device: &Device<W>,
        frame: &[u8],
        checksums: bool,
    ) -> Result<bool, Error> {
        if !self.has_room(device)? {
            return Ok(false);
        }
        let Some(tag) = self.free.pop() else {
            return Ok(false);
        };
        let slot = self.slots.get(usize::from(tag)).ok_or(Error::QueueFull)?;
        let header = Header {
            checksum: checksum::find(frame).filter(|_| checksums),
            buffers: 0,
        };
        slot.copy_out(0, &header.to_bytes())?;
        slot.copy_out(HEADER, frame)?;
        slot.seal(HEADER + frame.len())?;
        let len = frame_bytes(frame);
        let run = Lend {
            address: slot.address(0)?,
            len,
            writable: false,
        };
        // Nothing is writable, but lkvm reports the bytes that it read.
        self.queue.add(&[run], len, tag)?;
        Ok(true)
    }

    /// Tells the device about frames that it has not seen.
    pub(crate) fn notify(&mut self) -> Result<(), Error> {
        self.queue.notify()
    }

    /// Takes slots back that the device is done with.
    fn reclaim(&mut self) -> Result<(), Error> {
        let before = self.free.len();
        while let Some(done) = self.queue.take()? {
            self.free.push(done.tag);
        }
        if self.free.len() != before {
            // Moves the event that stands for «no interrupt» along.
            self.queue.silence()?;
        }
        Ok(())
    }
}

/// Bytes of header and frame together.
fn frame_bytes(frame: &[u8]) -> u32 {
    const { assert!(HEADER + MAX_FRAME <= SLOT && SLOT <= u32::MAX as usize) };
    u32::try_from(HEADER + frame.len()).unwrap_or(0)
}
