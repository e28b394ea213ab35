//! What `embassy-time` runs on: the clock of this thread's machine.

use std::cell::{Cell, RefCell};
use std::task::Waker;

use clock::Instant;
use embassy_time_driver::Driver;
use testkit::wire::{Part, Turn};

embassy_time_driver::time_driver_impl!(static DRIVER: Timers = Timers);

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
    static WAITING: RefCell<Vec<(u64, Waker)>> = const { RefCell::new(Vec::new()) };
}

/// Tasks that wait for a time, thread by thread: each test has a clock of its own.
pub(crate) struct Timers;

impl Timers {
    /// Begins at the beginning of time, with nobody waiting.
    pub(crate) fn begin() -> Self {
        NOW.set(0);
        WAITING.take();
        Self
    }
}

/// The time of this thread's machine, in nanoseconds.
pub(crate) fn now() -> u64 {
    NOW.get()
}

impl Driver for Timers {
    fn now(&self) -> u64 {
        now()
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        WAITING.with_borrow_mut(|waiting| {
            let mut known = waiting.iter();
            if !known.any(|(time, who)| *time == at && who.will_wake(waker)) {
                waiting.push((at, waker.clone()));
            }
        });
    }
}

impl Part for Timers {
    /// Wakes whoever waited for a time that has come.
    fn turn(&self, now: Instant) -> Turn {
        NOW.set(now.as_nanos());
        let is_due = |(at, _): &mut (u64, Waker)| *at <= now.as_nanos();
        let due: Vec<_> =
            WAITING.with_borrow_mut(|waiting| waiting.extract_if(.., is_due).collect());
        due.iter().for_each(|(_, waker)| waker.wake_by_ref());
        let next = WAITING.with_borrow(|waiting| waiting.iter().map(|(at, _)| *at).min());
        Turn {
            moved: !due.is_empty(),
            next: next.map(Instant::from_nanos),
        }
    }
}
