//! What `embassy-time` runs on: the CPU's counter, and a list of wakers.

use alloc::vec::Vec;
use core::cell::RefCell;
use core::task::Waker;

use arch::counter::Counter;
use clock::{Clock, Instant};
use critical_section::Mutex;
use embassy_time_driver::Driver;

use crate::wake;

embassy_time_driver::time_driver_impl!(static DRIVER: Timers = Timers {
    waiting: Mutex::new(RefCell::new(Vec::new())),
});

/// Tasks that wait for a time.
struct Timers {
    waiting: Mutex<RefCell<Vec<(u64, Waker)>>>,
}

impl Driver for Timers {
    fn now(&self) -> u64 {
        // One tick is a nanosecond: the feature `tick-hz-1_000_000_000` says so.
        Counter::new().map_or(0, |counter| counter.now().as_nanos())
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|cs| {
            let mut waiting = self.waiting.borrow(cs).borrow_mut();
            // A timer that is polled again asks again: its earlier wish is in the list.
            match waiting
                .iter_mut()
                .find(|(t, w)| *t == at && w.will_wake(waker))
            {
                Some(_) => {}
                None => {
                    waiting.push((at, waker.clone()));
                    wake::wake();
                }
            }
        });
    }
}

/// Wakes whoever waited for a time that has come; says when the next one waits for.
pub fn wake(now: Instant) -> Option<Instant> {
    let mut due = Vec::new();
    let next = critical_section::with(|cs| {
        let mut waiting = DRIVER.waiting.borrow(cs).borrow_mut();
        let mut i = 0;
        while let Some((at, _)) = waiting.get(i) {
            if *at <= now.as_nanos() {
                due.push(waiting.swap_remove(i).1);
            } else {
                i += 1;
            }
        }
        waiting.iter().map(|(at, _)| *at).min()
    });
    due.iter().for_each(Waker::wake_by_ref);
    next.map(Instant::from_nanos)
}
