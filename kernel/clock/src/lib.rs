//! Monotonic time and deadlines.
//!
//! Time is the counter of the CPU, never a clock of the host: the host can stop us, but it cannot
//! make this clock lie.
#![no_std]
#![forbid(unsafe_code)]

use core::time::Duration;

/// A point in time: nanoseconds since some moment before boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(u64);

impl Instant {
    /// The instant `nanos` nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The instant `by` later; stops at the end of time instead of wrapping.
    pub fn after(self, by: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)),
        )
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// A source of monotonic time.
pub trait Clock {
    /// The time now. Never earlier than an answer before.
    fn now(&self) -> Instant;

    /// Passes a moment of a busy wait. A fake moves its time here.
    fn relax(&self);

    /// The deadline `within` from now.
    fn deadline(&self, within: Duration) -> Instant {
        self.now().after(within)
    }

    /// Calls `done` until it is true or `within` has passed; says whether it became true.
    fn wait(&self, within: Duration, done: &mut dyn FnMut() -> bool) -> bool {
        let deadline = self.deadline(within);
        loop {
            if done() {
                return true;
            }
            if self.now() >= deadline {
                return false;
            }
            self.relax();
        }
    }
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;

    use super::*;

    struct Ticking(Cell<u64>);

    impl Clock for Ticking {
        fn now(&self) -> Instant {
            Instant::from_nanos(self.0.get())
        }

        fn relax(&self) {
            self.0.set(self.0.get() + 1_000_000);
        }
    }

    #[test]
    fn a_wait_ends_at_its_deadline() {
        let clock = Ticking(Cell::new(0));
        assert!(!clock.wait(Duration::from_millis(5), &mut || false));
        assert_eq!(clock.now(), Instant::from_nanos(5_000_000));
    }

    #[test]
    fn a_wait_ends_when_its_condition_holds() {
        let clock = Ticking(Cell::new(0));
        let mut calls = 0;
        assert!(clock.wait(Duration::from_secs(1), &mut || {
            calls += 1;
            calls == 3
        }));
    }

    #[test]
    fn time_stops_at_its_end_instead_of_wrapping() {
        let late = Instant::from_nanos(u64::MAX - 1);
        assert_eq!(
            late.after(Duration::from_secs(9)),
            Instant::from_nanos(u64::MAX)
        );
    }
}
