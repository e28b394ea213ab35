//! Streams of bytes over queues: buffers that a device fills, and slots that it empties.
//!
//! What comes in stays in the buffer until its user takes it, by one copy; then the buffer is lent
//! again. So a user that does not read holds the device up, and nobody else.

use alloc::vec::Vec;

use bounce::{Purpose, Spacing, World};

use crate::device::Device;
use crate::queue::{Completion, Interrupts, Queue, RING_ALIGN, short_ring_bytes};
use crate::slots::{ALIGN, Slots};
use crate::transport::MAX_QUEUE_SIZE;
use crate::{Error, Features};

/// How many buffers of which size a lane has.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) count: u16,
    /// Bytes of each.
    pub(crate) each: usize,
    /// Most entries of its queue. To have fewer than the device offers takes two exits, and less memory.
    pub(crate) entries: u16,
}

impl Shape {
    /// `count` buffers of `each` bytes, in a queue that is as short as that allows.
    pub(crate) const fn short(count: u16, each: usize) -> Self {
        Self {
            count,
            each,
            entries: count.next_power_of_two(),
        }
    }

    /// The same buffers, in a queue as the device has it.
    pub(crate) const fn in_own_queue(self) -> Self {
        Self {
            entries: MAX_QUEUE_SIZE,
            ..self
        }
    }

    /// Bytes of a pool for the buffers and for a queue that has `ring` bytes.
    pub(crate) fn bytes(self, ring: usize, spacing: Spacing) -> usize {
        let rings = spacing.bytes(1, ring, RING_ALIGN) + RING_ALIGN;
        rings + spacing.bytes(self.count.into(), self.each, ALIGN) + ALIGN
    }

    /// The same for a queue of as few entries as the lane asks for.
    pub(crate) fn short_bytes(self, spacing: Spacing) -> usize {
        self.bytes(short_ring_bytes(self.count), spacing)
    }
}

/// A queue, and the slots that are lent by it: what both directions have.
pub(crate) struct Lane<W: World> {
    queue: Queue<W>,
    slots: Slots<W>,
    /// Bytes of each slot.
    each: u32,
}

impl<W: World> Lane<W> {
    /// Sets queue `index` up, with its slots. Nothing is lent yet.
    pub(crate) fn start(
        device: &Device<W>,
        index: u16,
        shape: Shape,
        features: Features,
        interrupts: Interrupts,
    ) -> Result<Self, Error> {
        let queue = Queue::start_short(device, index, shape.entries, features, interrupts)?;
        let count = usize::from(shape.count.min(queue.size()));
        Ok(Self {
            queue,
            slots: Slots::lease(device, core::iter::repeat_n(shape.each, count))?,
            each: u32::try_from(shape.each).map_err(|_| Error::QueueFull)?,
        })
    }

    /// Sets its queue up anew, after a reset, on the slots that it had.
    pub(crate) fn restart(&mut self, device: &Device<W>, features: Features) -> Result<(), Error> {
        self.queue.restart(device, features)
    }

    /// Says what is copied through its slots.
    pub(crate) fn label(&self, purpose: Purpose) {
        self.slots.label(self.queue.index(), purpose);
    }

    /// Slots that there are.
    pub(crate) fn count(&self) -> u16 {
        self.slots.count()
    }

    /// Most bytes of one slot.
    pub(crate) fn each(&self) -> usize {
        self.each as usize
    }

    /// Doorbells rung.
    pub(crate) fn rung(&self) -> u64 {
        self.queue.rung()
    }

    /// Bytes of its rings.
    pub(crate) fn ring_bytes(&self) -> usize {
        self.queue.bytes()
    }

    /// Tells the device about slots that it has not seen.
    pub(crate) fn notify(&mut self) -> Result<(), Error> {
        self.queue.notify()
    }

    /// Rings the doorbell once more: one may have been lost.
    pub(crate) fn ring(&mut self) {
        self.queue.ring();
    }

    /// Takes a slot that the device is done with.
    pub(crate) fn take(&mut self) -> Result<Option<Completion>, Error> {
        self.queue.take()
    }

    fn lend_empty(&mut self, tag: u16) -> Result<(), Error> {
        self.slots.lend_empty(&mut self.queue, tag, self.each)
    }

    /// Copies what `parts` make up into slot `tag`, and lends it to be read. They have [`Self::each`] bytes at
    /// most.
    pub(crate) fn lend_full(&mut self, tag: u16, parts: &[&[u8]]) -> Result<(), Error> {
        let parts = parts.iter().copied();
        self.slots.lend_full(&mut self.queue, tag, parts)
    }
}

/// Buffers that the device fills.
pub(crate) struct Inbound<W: World> {
    pub(crate) lane: Lane<W>,
    /// What is being taken out of a buffer.
    current: Option<Piece>,
}

/// A buffer that the device filled.
#[derive(Clone, Copy)]
struct Piece {
    tag: u16,
    len: usize,
    /// Bytes that were taken.
    at: usize,
}

impl<W: World> Inbound<W> {
    /// Sets queue `index` up. Nothing is lent before [`Self::lend_all`].
    pub(crate) fn start(
        device: &Device<W>,
        index: u16,
        shape: Shape,
        features: Features,
    ) -> Result<Self, Error> {
        let lane = Lane::start(device, index, shape, features, Interrupts::Wanted)?;
        Ok(Self {
            lane,
            current: None,
        })
    }

    /// Sets its queue up anew, after a reset, on the buffers that it had. Nothing is lent before
    /// [`Self::lend_all`].
    pub(crate) fn restart(&mut self, device: &Device<W>, features: Features) -> Result<(), Error> {
        self.current = None;
        self.lane.restart(device, features)
    }

    /// Lends every buffer. For once.
    pub(crate) fn lend_all(&mut self) -> Result<(), Error> {
        (0..self.lane.count()).try_for_each(|tag| self.lane.lend_empty(tag))
    }

    /// Whether bytes lie there to be taken; looks at no more buffers than there are. Empty ones are lent again.
    pub(crate) fn has_some(&mut self) -> Result<bool, Error> {
        if self.current.is_some() {
            return Ok(true);
        }
        for _ in 0..self.lane.count() {
            match self.lane.take()? {
                None => break,
                Some(Completion { tag, len: 0 }) => self.lane.lend_empty(tag)?,
                Some(Completion { tag, len }) => {
                    let len = usize::try_from(len).map_err(|_| Error::QueueFull)?;
                    self.current = Some(Piece { tag, len, at: 0 });
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Copies what [`Self::has_some`] found into `into`, as far as there is room, and says how much.
    pub(crate) fn take(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        let Some(Piece { tag, len, at }) = self.current else {
            return Ok(0);
        };
        let count = into.len().min(len - at);
        let into = into.get_mut(..count).ok_or(Error::QueueFull)?;
        let bytes = self.lane.slots.get(tag)?.copy_in(at, into)?;
        bytes.opaque("whoever reads a stream; Heard and Header for what is said of it");
        self.skip(count)?;
        Ok(count)
    }

    /// Leaves `count` bytes of what [`Self::has_some`] found where they are; a buffer without more is lent
    /// again.
    fn skip(&mut self, count: usize) -> Result<(), Error> {
        let Some(piece) = &mut self.current else {
            return Ok(());
        };
        piece.at = piece.at.saturating_add(count);
        if piece.at >= piece.len {
            let tag = piece.tag;
            self.current = None;
            self.lane.lend_empty(tag)?;
        }
        Ok(())
    }

    /// Leaves all of the buffer that [`Self::has_some`] found.
    pub(crate) fn skip_all(&mut self) -> Result<(), Error> {
        self.skip(usize::MAX)
    }
}

/// Slots that the device empties.
pub(crate) struct Outbound<W: World> {
    pub(crate) lane: Lane<W>,
    free: Vec<u16>,
}

impl<W: World> Outbound<W> {
    /// Sets queue `index` up.
    pub(crate) fn start(
        device: &Device<W>,
        index: u16,
        shape: Shape,
        features: Features,
    ) -> Result<Self, Error> {
        let lane = Lane::start(device, index, shape, features, Interrupts::Silent)?;
        Ok(Self {
            free: (0..lane.count()).rev().collect(),
            lane,
        })
    }

    /// Sets its queue up anew, after a reset: every slot is free.
    pub(crate) fn restart(&mut self, device: &Device<W>, features: Features) -> Result<(), Error> {
        self.free.clear();
        self.free.extend((0..self.lane.count()).rev());
        self.lane.restart(device, features)
    }

    /// Takes slots back that the device is done with; says whether there were any.
    pub(crate) fn reclaim(&mut self) -> Result<bool, Error> {
        let mut any = false;
        while let Some(done) = self.lane.take()? {
            self.free.push(done.tag);
            any = true;
        }
        if any {
            // Moves the event that stands for «no interrupt» along.
            self.lane.queue.silence()?;
        }
        Ok(any)
    }

    /// The same, and asks for an interrupt at the next slot that comes back if there are none.
    pub(crate) fn reclaim_or_ask(&mut self) -> Result<bool, Error> {
        if self.reclaim()? || self.is_idle() {
            return Ok(true);
        }
        Ok(self.lane.queue.ask(1)? != 0 && self.reclaim()?)
    }

    /// Slots that are free.
    pub(crate) fn room(&self) -> usize {
        self.free.len()
    }

    /// Whether the device has nothing of ours.
    pub(crate) fn is_idle(&self) -> bool {
        self.free.len() == usize::from(self.lane.count())
    }

    /// Copies what `parts` make up into a slot and queues it; says whether there was one. The parts have
    /// [`Lane::each`] bytes at most.
    pub(crate) fn send(&mut self, parts: &[&[u8]]) -> Result<bool, Error> {
        let Some(tag) = self.free.pop() else {
            return Ok(false);
        };
        self.lane.lend_full(tag, parts)?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_has_room_wherever_its_rings_may_begin() {
        for (count, each) in [(1, 100), (4, 1024), (16, 4096)] {
            let shape = Shape::short(count, each);
            let ring = short_ring_bytes(count);
            for before in 0..ALIGN {
                let rings = before.next_multiple_of(RING_ALIGN) + ring;
                let slots = usize::from(count) * each.next_multiple_of(ALIGN);
                let end = rings.next_multiple_of(ALIGN) + slots;
                let bytes = shape.short_bytes(Spacing::Packed);
                assert!(end - before <= bytes, "{count} of {each} behind {before}");
                assert!(bytes - (ring + slots) <= 2 * ALIGN, "no more than gaps");
            }
        }
    }
}
