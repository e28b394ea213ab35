//! One split virtqueue.
//!
//! The rings lie in memory that the device reaches and are written, never read back: which descriptors are free,
//! how they are chained, what is in flight and how many bytes were lent is kept in private memory.
//! From the device come three numbers, each loaded once and checked: how far its used index went,
//! and the id and the length of a completion. A number that breaks the rules is an error, after
//! which the driver resets the device. A completion of something that was lent after the used index
//! was loaded is such a lie, too. A device that was reset is not started again, so that a late
//! completion finds no queue.
//!
//! Ref: virtio 1.2, 2.7 "Split Virtqueues".

mod layout;
mod shadow;

use alloc::rc::Rc;
use core::ops::RangeInclusive;
use core::sync::atomic::{Ordering, fence};

use bounce::{DeviceAddress, Slot, World};

use crate::device::Device;
use crate::queue::layout::Layout;
use crate::queue::shadow::Shadow;
use crate::transport::{Doorbell, MAX_QUEUE_SIZE, QueueAddresses};
use crate::{Error, Features};

const DESCRIPTOR_NEXT: u16 = 1;
const DESCRIPTOR_WRITE: u16 = 2;
const NO_INTERRUPT: u16 = 1;
const NO_NOTIFY: u16 = 1;
pub(crate) const RING_ALIGN: usize = 64;

/// A run of memory that a descriptor lends.
#[derive(Clone, Copy)]
pub(crate) struct Lend<W: World> {
    pub(crate) address: DeviceAddress<W>,
    pub(crate) len: u32,
    /// Whether the device may write there; else it may read.
    pub(crate) writable: bool,
}

/// A completion that passed all checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Completion {
    /// What the driver called the request.
    pub(crate) tag: u16,
    /// Bytes the device says it used; at most what was lent.
    pub(crate) len: u32,
}

/// What a device has of a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Requests in flight.
    pub in_flight: u16,
    /// Bytes that the device may use for them.
    pub lent: u64,
    /// Most bytes that it ever might use at once.
    pub high_water: u64,
}

/// Whether the driver wants interrupts for completions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interrupts {
    Wanted,
    Silent,
}

/// One split virtqueue.
pub(crate) struct Queue<W: World> {
    rings: Rc<Slot<W>>,
    layout: Layout,
    shadow: Shadow,
    doorbell: Doorbell,
    event_idx: bool,
    interrupts: Interrupts,
    /// Available index: entries ever added.
    added: u16,
    /// Available index as the device was last told.
    published: u16,
    /// Available index when the doorbell was last thought about.
    considered: u16,
    /// Used index: completions ever taken.
    taken: u16,
    /// Completions that the device announced and we have not taken.
    announced: u16,
    /// Used index for which an interrupt was asked for.
    armed: Option<u16>,
    rung: u64,
}

/// Bytes of the rings of one queue, at most.
pub(crate) const fn ring_bytes() -> usize {
    Layout::new(MAX_QUEUE_SIZE)
        .len()
        .next_multiple_of(RING_ALIGN)
}

/// Bytes of the rings of a queue that was asked to be short, for `entries` requests of one run each.
pub(crate) const fn short_ring_bytes(entries: u16) -> usize {
    Layout::new(entries.next_power_of_two())
        .len()
        .next_multiple_of(RING_ALIGN)
}

impl<W: World> Queue<W> {
    /// Sets queue `index` of the device up. `least` is the longest chain that the driver adds.
    pub(crate) fn start(
        device: &Device<W>,
        index: u16,
        least: u16,
        features: Features,
        interrupts: Interrupts,
    ) -> Result<Self, Error> {
        let sizes = least..=MAX_QUEUE_SIZE;
        Self::sized(device, index, sizes, features, interrupts)
    }

    /// Sets queue `index` up with `entries` entries at most, if the device lets us choose. Its driver adds
    /// requests of one run.
    pub(crate) fn start_short(
        device: &Device<W>,
        index: u16,
        entries: u16,
        features: Features,
        interrupts: Interrupts,
    ) -> Result<Self, Error> {
        let sizes = 1..=entries;
        Self::sized(device, index, sizes, features, interrupts)
    }

    fn sized(
        device: &Device<W>,
        index: u16,
        sizes: RangeInclusive<u16>,
        features: Features,
        interrupts: Interrupts,
    ) -> Result<Self, Error> {
        let size = device.transport().queue_size(index, sizes)?;
        let layout = Layout::new(size);
        let rings = device.lease(layout.len(), RING_ALIGN)?;
        Self::on(device, rings, (index, layout), features, interrupts)
    }

    /// Sets the queue up anew on the memory that it had, which the device, after a reset, no longer
    /// uses.
    ///
    /// # Errors
    ///
    /// [`Error::QueueSize`] if the device now has another size, and those of [`Self::start`].
    pub(crate) fn restart(&mut self, device: &Device<W>, features: Features) -> Result<(), Error> {
        let index = self.index();
        let sizes = self.size()..=self.size();
        let size = device.transport().queue_size(index, sizes)?;
        if size != self.size() {
            return Err(Error::QueueSize { queue: index, size });
        }
        self.rings.clear();
        let (rings, rung) = (Rc::clone(&self.rings), self.rung);
        *self = Self::on(
            device,
            rings,
            (index, self.layout),
            features,
            self.interrupts,
        )?;
        self.rung = rung;
        Ok(())
    }

    /// A queue on cleared `rings`.
    fn on(
        device: &Device<W>,
        rings: Rc<Slot<W>>,
        (index, layout): (u16, Layout),
        features: Features,
        interrupts: Interrupts,
    ) -> Result<Self, Error> {
        let addresses = QueueAddresses {
            descriptors: rings.address(layout.descriptor(0))?,
            available: rings.address(layout.available_flags())?,
            used: rings.address(layout.used_flags())?,
        };
        let mut queue = Self {
            rings,
            layout,
            shadow: Shadow::new(layout.size()),
            doorbell: device.transport().enable_queue(index, &addresses)?,
            event_idx: features.contains(Features::EVENT_IDX),
            interrupts,
            added: 0,
            published: 0,
            considered: 0,
            taken: 0,
            announced: 0,
            armed: None,
            rung: 0,
        };
        queue.silence()?;
        Ok(queue)
    }

    /// Its number.
    pub(crate) fn index(&self) -> u16 {
        self.doorbell.queue()
    }

    /// Entries of the queue.
    pub(crate) fn size(&self) -> u16 {
        self.layout.size()
    }

    /// Bytes of the rings.
    pub(crate) fn bytes(&self) -> usize {
        self.layout.len().next_multiple_of(RING_ALIGN)
    }

    /// Descriptors that no request in flight has.
    pub(crate) fn left(&self) -> u16 {
        self.shadow.left()
    }

    /// Requests in flight.
    pub(crate) fn in_flight(&self) -> u16 {
        self.shadow.in_flight()
    }

    /// What the device has of it.
    pub(crate) fn usage(&self) -> Usage {
        self.shadow.usage()
    }

    /// Doorbells rung.
    pub(crate) fn rung(&self) -> u64 {
        self.rung
    }

    /// Adds a request of one or more runs, which the device may complete with at most `limit` as
    /// its length. The device sees it after [`Self::publish`].
    ///
    /// # Errors
    ///
    /// [`Error::QueueFull`] if there are fewer descriptors than runs.
    pub(crate) fn add(&mut self, runs: &[Lend<W>], limit: u32, tag: u16) -> Result<(), Error> {
        let head = self.shadow.lend(runs.len(), limit, tag)?;
        let mut id = head;
        for run in runs {
            let next = self.shadow.next(id);
            self.write_descriptor(id, run, next)?;
            id = next.unwrap_or(id);
        }
        let entry = self.layout.available_entry(self.added);
        self.rings.store_u16(entry, head)?;
        self.added = self.added.wrapping_add(1);
        Ok(())
    }

    /// Whether something was added that the device was not told of.
    pub(crate) fn has_news(&self) -> bool {
        self.considered != self.added
    }

    /// Lets the device see what was added: one store.
    pub(crate) fn publish(&mut self) -> Result<(), Error> {
        if self.published != self.added {
            // Descriptors and entries are there before the index that announces them.
            fence(Ordering::Release);
            self.rings
                .store_u16(self.layout.available_index(), self.added)?;
            self.published = self.added;
        }
        Ok(())
    }

    /// Publishes, and rings the doorbell if the device wants it: at most one store to the device.
    pub(crate) fn notify(&mut self) -> Result<(), Error> {
        self.publish()?;
        if self.considered == self.published {
            return Ok(());
        }
        // The index is visible before we look whether the device still watches it.
        fence(Ordering::SeqCst);
        if self.doorbell_wanted()? {
            self.ring();
        }
        self.considered = self.published;
        Ok(())
    }

    /// Rings the doorbell whether the device wants it or not: it may have lost one.
    pub(crate) fn ring(&mut self) {
        self.doorbell.ring();
        self.rung += 1;
    }

    /// Takes the next completion; `None` if there is none now.
    ///
    /// # Errors
    ///
    /// [`Error::UsedIndex`], [`Error::UsedId`], [`Error::UsedLength`]: the device broke the rules,
    /// and the queue must not be used again.
    pub(crate) fn take(&mut self) -> Result<Option<Completion>, Error> {
        if self.announced == 0 && !self.look()? {
            return Ok(None);
        }
        self.take_announced()
    }

    /// The same, without asking for an interrupt: the caller looks again before it sleeps.
    pub(crate) fn take_now(&mut self) -> Result<Option<Completion>, Error> {
        if self.announced == 0 && !self.load_used_index()? {
            return Ok(None);
        }
        self.take_announced()
    }

    fn take_announced(&mut self) -> Result<Option<Completion>, Error> {
        let entry = self.layout.used_entry(self.taken);
        let id = self.rings.load_u32(entry)?;
        let len = self.rings.load_u32(entry + 4)?;
        let completion = id.check(|id| len.check(|len| self.shadow.complete(id, len)))?;
        self.taken = self.taken.wrapping_add(1);
        self.announced -= 1;
        Ok(Some(completion))
    }

    /// Looks for completions. Before it says that there are none, it asks for an interrupt at the
    /// next one and looks again, so that none is missed.
    fn look(&mut self) -> Result<bool, Error> {
        if self.load_used_index()? {
            return Ok(true);
        }
        if self.interrupts == Interrupts::Silent {
            return Ok(false);
        }
        Ok(self.ask(1)? != 0)
    }

    /// Completions that the device announced and that were not taken.
    pub(crate) fn pending(&mut self) -> Result<u16, Error> {
        self.load_used_index()?;
        Ok(self.announced)
    }

    /// Asks for an interrupt when `batch` completions lie there, 1 at least, or for the next where the
    /// device cannot be asked for more. Looks again after that, and says how many there are.
    pub(crate) fn ask(&mut self, batch: u16) -> Result<u16, Error> {
        let others = if self.event_idx { batch.max(1) - 1 } else { 0 };
        let event = self.taken.wrapping_add(others);
        if self.armed != Some(event) {
            self.arm(event)?;
            self.load_used_index()?;
        }
        Ok(self.announced)
    }

    /// Loads how far the device went, once, and says whether it went any further.
    fn load_used_index(&mut self) -> Result<bool, Error> {
        let index = self.rings.load_u16(self.layout.used_index())?;
        // The entries are read after the index that announces them.
        fence(Ordering::Acquire);
        let outstanding = self.shadow.in_flight();
        let moved = index.check(|index| match index.wrapping_sub(self.taken) {
            moved if moved > outstanding => Err(Error::UsedIndex { moved, outstanding }),
            moved => Ok(moved),
        })?;
        self.announced = moved;
        self.shadow.note_look();
        Ok(moved != 0)
    }

    /// Asks for an interrupt when the device completes entry `event`.
    fn arm(&mut self, event: u16) -> Result<(), Error> {
        self.armed = Some(event);
        if self.event_idx {
            self.rings.store_u16(self.layout.used_event(), event)?;
        } else {
            self.rings.store_u16(self.layout.available_flags(), 0)?;
        }
        fence(Ordering::SeqCst);
        Ok(())
    }

    /// Asks for no interrupts: by flag, or by an event as far away as the index allows.
    pub(crate) fn silence(&mut self) -> Result<(), Error> {
        self.armed = None;
        if self.event_idx {
            let far = self.taken.wrapping_add(1 << 15);
            self.rings.store_u16(self.layout.used_event(), far)?;
        } else {
            self.rings
                .store_u16(self.layout.available_flags(), NO_INTERRUPT)?;
        }
        Ok(())
    }

    fn doorbell_wanted(&self) -> Result<bool, Error> {
        if self.event_idx {
            let event = self.rings.load_u16(self.layout.available_event())?;
            let event = event.any_value("a doorbell more or less");
            Ok(needs_event(event, self.published, self.considered))
        } else {
            let flags = self.rings.load_u16(self.layout.used_flags())?;
            Ok(!flags.has(NO_NOTIFY))
        }
    }

    fn write_descriptor(&self, id: u16, run: &Lend<W>, next: Option<u16>) -> Result<(), Error> {
        let mut flags = 0;
        if run.writable {
            flags |= DESCRIPTOR_WRITE;
        }
        if next.is_some() {
            flags |= DESCRIPTOR_NEXT;
        }
        let at = self.layout.descriptor(id);
        let rest = u64::from(run.len) | u64::from(flags) << 32 | u64::from(next.unwrap_or(0)) << 48;
        self.rings.store_u64(at, run.address.get())?;
        self.rings.store_u64(at + 8, rest)?;
        Ok(())
    }
}

/// Whether an index that moved from `old` to `new` passed `event`.
///
/// Ref: virtio 1.2, 2.7.10.1 "Driver Requirements: Available Buffer Notification Suppression".
fn needs_event(event: u16, new: u16, old: u16) -> bool {
    new.wrapping_sub(event).wrapping_sub(1) < new.wrapping_sub(old)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_needed_exactly_when_the_index_passes_it() {
        assert!(needs_event(0, 1, 0));
        assert!(!needs_event(1, 1, 0));
        assert!(needs_event(4, 9, 3));
        assert!(!needs_event(2, 9, 3));
        assert!(!needs_event(9, 9, 3));
    }

    #[test]
    fn an_event_is_needed_across_the_end_of_the_index() {
        assert!(needs_event(0xffff, 0, 0xffff));
        assert!(needs_event(0xfffe, 2, 0xfffe));
        assert!(!needs_event(0x7fff, 2, 0xfffe));
    }
}
