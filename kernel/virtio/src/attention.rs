//! Time as it counts against a device.
//!
//! The host can stop the whole realm, for hours. A device that was stopped with it did not fail: so a
//! long gap between two looks at the clock counts as a short one.

use core::time::Duration;

use clock::Instant;

/// The most that the time between two looks counts. Who waits has to look this often.
pub(crate) const STEP: Duration = Duration::from_secs(2);

/// How much time was seen to pass.
#[derive(Clone, Copy)]
pub(crate) struct Attention {
    last: Instant,
    seen: Duration,
}

impl Attention {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            last: now,
            seen: Duration::ZERO,
        }
    }

    /// Looks at the clock; says how much time was seen to pass, ever.
    pub(crate) fn look(&mut self, now: Instant) -> Duration {
        let gap = now.since(self.last).min(STEP);
        self.last = self.last.max(now);
        self.seen = self.seen.saturating_add(gap);
        self.seen
    }

    /// When to look next in order to see that `deadline`, of seen time, has passed.
    pub(crate) fn next_look(&self, deadline: Duration) -> Instant {
        self.last
            .after(deadline.saturating_sub(self.seen).min(STEP))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn a_long_gap_counts_as_a_short_one() {
        let mut attention = Attention::new(at(5));
        assert_eq!(attention.look(at(6)), Duration::from_secs(1));
        assert_eq!(attention.look(at(4000)), Duration::from_secs(3));
        assert_eq!(attention.look(at(3999)), Duration::from_secs(3));
        assert_eq!(attention.look(at(4000)), Duration::from_secs(3));
        assert_eq!(attention.look(at(4002)), Duration::from_secs(5));
    }

    #[test]
    fn whoever_looks_when_told_sees_a_deadline_pass_in_time() {
        let mut attention = Attention::new(at(0));
        let mut now = at(0);
        let deadline = Duration::from_secs(5);
        while attention.look(now) < deadline {
            now = attention.next_look(deadline);
        }
        assert_eq!(now, at(5));
    }
}
