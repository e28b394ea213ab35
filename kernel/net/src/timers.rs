//! Deadlines of those who wait, so that a wait needs no timer but the stack itself.

use alloc::vec::Vec;
use core::task::Waker;

use clock::Instant;

/// A deadline that somebody waits for: when, and a number to tell equal ones apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timer {
    pub deadline: Instant,
    id: u64,
}

/// Everybody who waits for a deadline. They are few, so this is a list: it is searched in no time,
/// and keeps its memory.
#[derive(Default)]
pub(crate) struct Timers {
    waiting: Vec<(Timer, Waker)>,
    next: u64,
}

impl Timers {
    /// Makes a timer for `deadline`. It does nothing before [`Self::arm`].
    pub fn create(&mut self, deadline: Instant) -> Timer {
        self.next = self.next.wrapping_add(1);
        let id = self.next;
        Timer { deadline, id }
    }

    /// Wakes `waker` at the deadline of `timer`.
    pub fn arm(&mut self, timer: Timer, waker: &Waker) {
        match self.waiting.iter_mut().find(|(known, _)| *known == timer) {
            Some((_, known)) => known.clone_from(waker),
            None => self.waiting.push((timer, waker.clone())),
        }
    }

    /// Forgets `timer`.
    pub fn disarm(&mut self, timer: Timer) {
        self.waiting.retain(|(known, _)| *known != timer);
    }

    /// Wakes everybody whose deadline is `now` or before.
    pub fn fire(&mut self, now: Instant) {
        self.waiting.retain(|(timer, waker)| {
            let ahead = timer.deadline > now;
            if !ahead {
                waker.wake_by_ref();
            }
            ahead
        });
    }

    /// The earliest deadline.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.waiting.iter().map(|(timer, _)| timer.deadline).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_due_fires() {
        let mut timers = Timers::default();
        for nanos in [30, 10, 20] {
            let timer = timers.create(Instant::from_nanos(nanos));
            timers.arm(timer, Waker::noop());
        }
        timers.fire(Instant::from_nanos(20));
        assert_eq!(timers.next_deadline(), Some(Instant::from_nanos(30)));
    }

    #[test]
    fn a_disarmed_timer_is_no_deadline() {
        let mut timers = Timers::default();
        let timer = timers.create(Instant::from_nanos(5));
        timers.arm(timer, Waker::noop());
        timers.disarm(timer);
        assert_eq!(timers.next_deadline(), None);
    }
}
