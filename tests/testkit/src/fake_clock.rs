//! A clock that a test moves.

use std::cell::Cell;
use std::time::Duration;

use clock::{Clock, Instant};

/// A clock that moves a microsecond whenever it is asked, a millisecond whenever someone waits, and
/// as far as a test likes.
#[derive(Debug, Default)]
pub struct FakeClock(Cell<u64>);

impl FakeClock {
    /// Lets `by` pass.
    pub fn advance(&self, by: Duration) {
        self.0.set(self.0.get() + by.as_nanos() as u64);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Instant {
        self.advance(Duration::from_micros(1));
        Instant::from_nanos(self.0.get())
    }

    fn relax(&self) {
        self.advance(Duration::from_millis(1));
    }
}
