//! A clock that a test moves.

use std::cell::Cell;
use std::time::Duration;

use clock::{Clock, Instant};

/// How far a [`FakeClock`] moves whenever it is asked.
pub const TICK: Duration = Duration::from_micros(1);

/// A clock that moves by a [`TICK`] whenever it is asked, a millisecond whenever someone waits, and
/// as far as a test likes.
#[derive(Debug, Default)]
pub struct FakeClock(Cell<u64>);

impl FakeClock {
    /// Lets `by` pass.
    pub fn advance(&self, by: Duration) {
        self.0.set(self.0.get() + by.as_nanos() as u64);
    }

    /// Has it be `when` for whoever asks next.
    pub fn advance_until(&self, when: Instant) {
        let before = when.as_nanos() - TICK.as_nanos() as u64;
        self.0.set(before.max(self.0.get()));
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Instant {
        self.advance(TICK);
        Instant::from_nanos(self.0.get())
    }

    fn relax(&self) {
        self.advance(Duration::from_millis(1));
    }
}
