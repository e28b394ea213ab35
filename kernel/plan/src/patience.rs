//! How long to sleep, by what interrupts were worth so far.

use core::cell::Cell;
use core::time::Duration;

/// Sleeps that interrupts have to announce properly before they are believed again.
const PROBATION: u32 = 64;

/// How long to sleep at most, when no deadline says so.
///
/// An interrupt is a hint of the host. While hints come when there is work, sleeps may be long;
/// once work is found that nobody announced, devices are looked at every millisecond.
#[derive(Debug)]
pub struct Patience {
    /// Announcements to go.
    doubt: Cell<u32>,
}

impl Default for Patience {
    fn default() -> Self {
        // Not one has been seen.
        Self {
            doubt: Cell::new(1),
        }
    }
}

impl Patience {
    /// The longest sleep while interrupts are believed.
    pub const LONG: Duration = Duration::from_millis(50);
    /// The longest sleep while they are not.
    pub const SHORT: Duration = Duration::from_millis(1);

    /// The longest sleep now.
    pub fn longest(&self) -> Duration {
        if self.doubt.get() == 0 {
            Self::LONG
        } else {
            Self::SHORT
        }
    }

    /// Notes how a sleep ended: whether an interrupt of a device ended it, and whether a device
    /// had done something.
    pub fn note(&self, announced: bool, found: bool) {
        match (announced, found) {
            (true, _) => self.doubt.set(self.doubt.get().saturating_sub(1)),
            (false, true) => self.doubt.set(PROBATION),
            (false, false) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleeps_are_short_until_an_interrupt_was_seen() {
        let patience = Patience::default();
        assert_eq!(patience.longest(), Patience::SHORT);
        patience.note(false, false);
        assert_eq!(patience.longest(), Patience::SHORT);
        patience.note(true, true);
        assert_eq!(patience.longest(), Patience::LONG);
    }

    #[test]
    fn work_that_nobody_announced_makes_sleeps_short_for_a_while() {
        let patience = Patience::default();
        patience.note(true, true);
        patience.note(false, true);
        for _ in 0..PROBATION {
            assert_eq!(patience.longest(), Patience::SHORT);
            patience.note(true, true);
        }
        assert_eq!(patience.longest(), Patience::LONG);
    }
}
