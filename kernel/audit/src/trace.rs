//! The ring that events wait in, in private memory.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use clock::Instant;

use crate::event::{Words, put};
use crate::latest::Latest;
use crate::{Direction, EVENT_BYTES, Event, Label, Purpose};

/// What is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// Nothing.
    #[default]
    Nothing,
    /// Each copy.
    Copies,
    /// Copies for one frame, or for one way of one request, as one: a frame with its header, all data of a request.
    Runs,
}

/// Crossings of the trace's own transport. They are counted and not recorded: telling of them would make more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// Events that were not recorded.
    pub events: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The latest events, as many as there is room for, and the names of devices. What finds no room is lost, and
/// counted.
#[derive(Debug, Default)]
pub struct Trace {
    keep: Cell<Keep>,
    room: Cell<usize>,
    /// Crossings are those of the trace's own transport.
    muted: Cell<bool>,
    recorded: Cell<u64>,
    lost: Cell<u64>,
    own: Cell<Own>,
    /// The latest event, which may get longer.
    latest: Latest,
    /// Those before it, in words.
    events: RefCell<VecDeque<[u64; 3]>>,
    devices: RefCell<Vec<Rc<str>>>,
}

impl Trace {
    /// One that is off.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records what `keep` says from now on, and keeps up to `room` events until they are taken. The memory for
    /// them is taken here, not when a copy is made.
    pub fn enable(&self, keep: Keep, room: usize) {
        // Whoever gives the memory may copy meanwhile.
        self.keep.set(Keep::Nothing);
        let mut events = self.events.borrow_mut();
        let more = room.saturating_sub(events.len());
        events.reserve_exact(more);
        drop(events);
        self.room.set(room);
        self.keep.set(if room == 0 { Keep::Nothing } else { keep });
    }

    /// Whether copies are being recorded.
    pub fn enabled(&self) -> bool {
        self.keep.get() != Keep::Nothing
    }

    /// Whether each copy is to be recorded, and not all of a frame as one.
    pub fn wants_copies(&self) -> bool {
        self.keep.get() == Keep::Copies
    }

    /// The number of the device with this name. The 256th and all others are one.
    pub fn device(&self, name: &str) -> u8 {
        let mut devices = self.devices.borrow_mut();
        let known = devices.iter().position(|known| **known == *name);
        let number = known.unwrap_or_else(|| {
            if devices.len() <= usize::from(u8::MAX) {
                devices.push(name.into());
            }
            devices.len() - 1
        });
        u8::try_from(number).unwrap_or(u8::MAX)
    }

    /// The name of a device.
    pub fn name(&self, device: u8) -> Option<Rc<str>> {
        self.devices.borrow().get(usize::from(device)).cloned()
    }

    /// How many devices have names.
    pub fn devices(&self) -> usize {
        self.devices.borrow().len()
    }

    /// Records that `len` bytes were copied to or from `address`, if anything is recorded. `now` is asked for
    /// the time only if it is needed.
    #[inline]
    pub fn record(
        &self,
        (device, address): (u8, u64),
        len: u32,
        direction: Direction,
        label: Label,
        now: impl FnOnce() -> Instant,
    ) {
        if self.keep.get() == Keep::Nothing {
            return;
        }
        // No transport sends lists of pages: memory was short meanwhile, and comes back by one.
        if self.muted.get() && label.purpose != Purpose::Pages {
            self.note_own(len.into());
            return;
        }
        let copy = Words::of(Event {
            at: Instant::from_nanos(0),
            address,
            len,
            device,
            direction,
            label,
        });
        let is_new = self.keep.get() == Keep::Copies;
        if is_new || !self.latest.extend(copy, (address, len), label) {
            self.begin(copy, (address, len), now);
        }
    }

    /// Begins an event, if there is room.
    fn begin(&self, copy: Words, (address, len): (u64, u32), now: impl FnOnce() -> Instant) {
        self.close();
        let events = self.events.try_borrow();
        if events.is_ok_and(|events| events.len() < self.room.get()) {
            self.recorded.set(self.recorded.get() + 1);
            let at = now().as_nanos();
            self.latest.begin(Words { at, ..copy }, address, len);
        } else {
            self.lost.set(self.lost.get() + 1);
        }
    }

    /// Puts the latest event behind the others: it gets no longer. Its room was left for it.
    fn close(&self) {
        let Some(Words { at, place, what }) = self.latest.take() else {
            return;
        };
        match self.events.try_borrow_mut() {
            Ok(mut events) => events.push_back([at, place, what]),
            Err(_) => self.lost.set(self.lost.get() + 1),
        }
    }

    /// Takes the oldest event out.
    pub fn pop(&self) -> Option<Event> {
        self.close();
        let [at, place, what] = self.events.borrow_mut().pop_front()?;
        Some(Event::from(Words { at, place, what }))
    }

    /// Puts the oldest events, at most `most`, behind `out`, as they are told and oldest first.
    pub fn take(&self, most: usize, out: &mut Vec<u8>) {
        self.close();
        let count = most.min(self.events.borrow().len());
        let start = out.len();
        // Nothing is borrowed meanwhile: whoever gives the memory may copy, which is recorded.
        out.resize(start + count * EVENT_BYTES, 0);
        let mut events = self.events.borrow_mut();
        let (first, second) = events.as_slices();
        let room = out.get_mut(start..).unwrap_or_default();
        let split = room.len().min(first.len() * EVENT_BYTES);
        let (near, far) = room.split_at_mut(split);
        put(near, first);
        put(far, second);
        events.drain(..count);
    }

    /// Events that wait to be taken.
    pub fn len(&self) -> usize {
        self.events.borrow().len() + usize::from(self.latest.is_there())
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Events that were recorded, ever.
    pub fn recorded(&self) -> u64 {
        self.recorded.get()
    }

    /// Events that found no room and were not recorded. In [`Keep::Runs`] each copy of a run counts.
    pub fn lost(&self) -> u64 {
        self.lost.get()
    }

    /// Crossings of the trace's own transport.
    pub fn own(&self) -> Own {
        self.own.get()
    }

    /// Does `work`, whose crossings are those of the trace's own transport if `own`.
    pub fn muted<T>(&self, own: bool, work: impl FnOnce() -> T) -> T {
        let before = self.muted.replace(own || self.muted.get());
        let result = work();
        self.muted.set(before);
        result
    }

    /// Takes the latest event back, a frame that turned out to be one of the trace's own transport.
    pub fn disown_frame(&self) {
        if let Some(latest) = self.latest.take() {
            self.recorded.set(self.recorded.get().saturating_sub(1));
            self.note_own(Event::from(latest).len.into());
        }
    }

    fn note_own(&self, bytes: u64) {
        let mut own = self.own.get();
        own.events += 1;
        own.bytes += bytes;
        self.own.set(own);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Label = Label {
        queue: 1,
        slot: 3,
        purpose: Purpose::Frame,
    };

    fn copy(trace: &Trace, address: u64, len: u32, label: Label) {
        let now = || Instant::from_nanos(address);
        trace.record((0, address), len, Direction::Out, label, now);
    }

    fn lens(trace: &Trace) -> Vec<u32> {
        core::iter::from_fn(|| trace.pop())
            .map(|event| event.len)
            .collect()
    }

    #[test]
    fn copies_that_follow_one_another_in_a_slot_are_one_run() {
        let trace = Trace::new();
        trace.enable(Keep::Runs, 8);
        copy(&trace, 100, 12, FRAME);
        copy(&trace, 112, 50, FRAME);
        // The same slot from its beginning, and a neighbour.
        copy(&trace, 100, 12, FRAME);
        copy(&trace, 112, 7, Label { slot: 4, ..FRAME });
        assert_eq!(trace.recorded(), 3);
        assert_eq!(lens(&trace), [62, 12, 7]);
    }

    #[test]
    fn all_data_of_a_request_is_one_event_and_the_same_slot_again_is_another_frame() {
        let trace = Trace::new();
        trace.enable(Keep::Runs, 8);
        copy(&trace, 100, 12, FRAME);
        copy(&trace, 112, 50, FRAME);
        copy(&trace, 100, 40, FRAME);
        let [data, other] = [4, 5].map(|slot| Label {
            slot,
            purpose: Purpose::Data,
            ..FRAME
        });
        copy(&trace, 1 << 14, 500, data);
        copy(&trace, 5 << 14, 600, data);
        copy(&trace, 6 << 14, 700, other);
        let first = trace.pop().unwrap();
        assert_eq!((first.address, first.len, first.label), (100, 62, FRAME));
        assert_eq!(first.at, Instant::from_nanos(100));
        assert_eq!(lens(&trace), [40, 1100, 700]);
    }

    #[test]
    fn bytes_that_are_too_many_for_one_event_are_another() {
        let trace = Trace::new();
        trace.enable(Keep::Runs, 8);
        copy(&trace, 0, u32::MAX - 1, FRAME);
        copy(&trace, u64::from(u32::MAX) - 1, 1, FRAME);
        copy(&trace, u64::from(u32::MAX), 1, FRAME);
        assert_eq!(lens(&trace), [u32::MAX, 1]);
    }

    #[test]
    fn what_was_taken_gets_no_longer() {
        let trace = Trace::new();
        trace.enable(Keep::Runs, 8);
        copy(&trace, 100, 12, FRAME);
        assert_eq!(lens(&trace), [12]);
        copy(&trace, 112, 50, FRAME);
        assert_eq!(lens(&trace), [50]);
        copy(&trace, 200, 1, FRAME);
        let now = || Instant::from_nanos(7);
        trace.record((0, 201), 3, Direction::In, FRAME, now);
        trace.record((1, 204), 4, Direction::In, FRAME, now);
        assert_eq!(lens(&trace), [1, 3, 4], "another direction, another device");
    }

    #[test]
    fn each_copy_is_an_event_where_copies_are_kept() {
        let trace = Trace::new();
        trace.enable(Keep::Copies, 8);
        copy(&trace, 100, 12, FRAME);
        copy(&trace, 112, 50, FRAME);
        assert_eq!(lens(&trace), [12, 50]);
    }

    #[test]
    fn what_the_transport_itself_sends_is_counted_and_not_told() {
        let trace = Trace::new();
        trace.enable(Keep::Runs, 8);
        trace.muted(true, || copy(&trace, 0, 9, FRAME));
        trace.muted(false, || copy(&trace, 50, 5, FRAME));
        // A frame that came, and was the transport's.
        copy(&trace, 200, 7, FRAME);
        copy(&trace, 207, 1, FRAME);
        trace.disown_frame();
        let own = Own {
            events: 2,
            bytes: 17,
        };
        assert_eq!((trace.own(), trace.recorded()), (own, 1));
        assert_eq!(lens(&trace), [5]);
    }

    #[test]
    fn memory_that_comes_back_while_the_transport_sends_is_told() {
        let trace = Trace::new();
        trace.enable(Keep::Runs, 8);
        let pages = Label {
            purpose: Purpose::Pages,
            ..FRAME
        };
        trace.muted(true, || {
            copy(&trace, 0, 9, FRAME);
            copy(&trace, 4096, 2048, pages);
        });
        let own = Own {
            events: 1,
            bytes: 9,
        };
        assert_eq!(trace.own(), own);
        assert_eq!(lens(&trace), [2048]);
    }

    #[test]
    fn a_full_ring_loses_what_comes_and_says_how_much() {
        let trace = Trace::new();
        trace.enable(Keep::Runs, 2);
        for at in 0..5 {
            copy(&trace, at * 100, 1, FRAME);
        }
        assert_eq!((trace.len(), trace.lost()), (2, 3));
        let mut taken = Vec::new();
        trace.take(1, &mut taken);
        assert_eq!((taken.len(), trace.len()), (EVENT_BYTES, 1));
    }

    #[test]
    fn events_are_taken_in_order_where_the_ring_goes_round() {
        let trace = Trace::new();
        trace.enable(Keep::Runs, 4);
        let mut told = Vec::new();
        for at in 0..3 {
            copy(&trace, at * 100, 1, FRAME);
        }
        trace.take(2, &mut told);
        for at in 3..6 {
            copy(&trace, at * 100, 1, FRAME);
        }
        for most in [3, usize::MAX] {
            trace.take(most, &mut told);
        }
        let (events, _) = told.as_chunks();
        let at = events.iter().map(|event| Event::from_bytes(event).address);
        assert_eq!(at.collect::<Vec<_>>(), [0, 100, 200, 300, 400, 500]);
    }

    #[test]
    fn a_device_has_one_number_however_often_it_is_named() {
        let trace = Trace::new();
        assert_eq!((trace.device("a"), trace.device("b")), (0, 1));
        assert_eq!(trace.device("a"), 0);
        assert_eq!(trace.name(1).as_deref(), Some("b"));
        for number in 0..400 {
            let last = trace.device(&alloc::format!("{number}"));
            assert!(usize::from(last) < trace.devices());
        }
        assert_eq!(trace.devices(), 256);
    }
}
