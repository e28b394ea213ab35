//! What crossed the boundary, and when: a bounded ring in private memory.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use core::cell::{Cell, RefCell};

use clock::Instant;

/// Which way bytes went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the realm to the host.
    Out,
    /// From the host to the realm.
    In,
}

/// One copy across the boundary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When the copy was made.
    pub at: Instant,
    /// The device whose pool it was, such as `0000:00:01.0`.
    pub device: Rc<str>,
    /// Where in shared memory, as the device was told.
    pub address: u64,
    /// Bytes copied.
    pub size: usize,
    /// Which way.
    pub direction: Direction,
}

/// The latest events, as many as there is room for.
#[derive(Debug)]
pub struct Trace {
    room: Cell<usize>,
    lost: Cell<u64>,
    events: RefCell<VecDeque<Event>>,
}

impl Trace {
    pub(crate) const fn new() -> Self {
        Self {
            room: Cell::new(0),
            lost: Cell::new(0),
            events: RefCell::new(VecDeque::new()),
        }
    }

    /// Keeps up to `room` events from now on; 0 stops the trace. The memory for them is taken here,
    /// not when a copy is made.
    pub fn enable(&self, room: usize) {
        let mut events = self.events.borrow_mut();
        let more = room.saturating_sub(events.len());
        events.reserve_exact(more);
        self.room.set(room);
    }

    /// Whether copies are being recorded.
    pub fn enabled(&self) -> bool {
        self.room.get() != 0
    }

    /// Takes the oldest event out.
    pub fn pop(&self) -> Option<Event> {
        self.events.borrow_mut().pop_front()
    }

    /// Events that found no room and were not recorded.
    pub fn lost(&self) -> u64 {
        self.lost.get()
    }

    pub(crate) fn push(&self, event: Event) {
        let mut events = self.events.borrow_mut();
        if events.len() < self.room.get() {
            events.push_back(event);
        } else {
            self.lost.set(self.lost.get() + 1);
        }
    }
}
