//! The clock of the host.

use std::time::Instant;

/// The clock of the host, from the moment it is made.
#[derive(Debug)]
pub struct WallClock(Instant);

impl WallClock {
    /// A clock at zero.
    pub fn start() -> Self {
        Self(Instant::now())
    }
}

impl clock::Clock for WallClock {
    fn now(&self) -> clock::Instant {
        let nanos = self.0.elapsed().as_nanos();
        clock::Instant::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    fn relax(&self) {
        std::thread::yield_now();
    }
}
