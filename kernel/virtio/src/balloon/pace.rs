//! How often the host's wish is looked at, and how much time it costs to follow it.

use core::time::Duration;

use clock::Instant;

/// Between two looks at what the host wants, after it announced a change.
const SOON: Duration = Duration::from_millis(100);
/// The same if it announced nothing: an announcement may be lost.
const LATER: Duration = Duration::from_secs(1);
/// Rest after a piece of work, as a multiple of what it took: so a tenth of the time is spent at most.
const REST: u32 = 9;
/// The most that one piece counts: the host may have stopped us meanwhile.
const PIECE: Duration = Duration::from_millis(100);
/// For how long nothing more is given after memory was short.
const HOLD: Duration = Duration::from_secs(10);
/// Between two times that the host is told how much it has while that still changes.
const TOLD: Duration = Duration::from_millis(100);

/// When what may be done.
pub(super) struct Pace {
    changed: bool,
    looked: Option<Instant>,
    rested: Instant,
    held: Instant,
    told: Instant,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            changed: true,
            looked: None,
            rested: now,
            held: now,
            told: now,
        }
    }

    /// The device announced a change.
    pub(super) fn note_change(&mut self) {
        self.changed = true;
    }

    /// When the host's wish is looked at next.
    pub(super) fn next_look(&self) -> Instant {
        let wait = if self.changed { SOON } else { LATER };
        self.looked
            .map_or(Instant::from_nanos(0), |looked| looked.after(wait))
    }

    pub(super) fn may_look(&self, now: Instant) -> bool {
        now >= self.next_look()
    }

    pub(super) fn looked(&mut self, now: Instant) {
        (self.looked, self.changed) = (Some(now), false);
    }

    /// When a block may be moved next.
    pub(super) fn next_work(&self) -> Instant {
        self.rested
    }

    pub(super) fn may_work(&self, now: Instant) -> bool {
        now >= self.rested
    }

    /// A block was moved, from `start` to `now`.
    pub(super) fn worked(&mut self, start: Instant, now: Instant) {
        self.rested = now.after(now.since(start).min(PIECE) * REST);
    }

    /// Memory was short.
    pub(super) fn hold(&mut self, now: Instant) {
        self.held = now.after(HOLD);
    }

    /// When memory may be given again.
    pub(super) fn next_gift(&self) -> Instant {
        self.held
    }

    /// Whether the host may be told while its part still changes.
    pub(super) fn may_tell(&mut self, now: Instant) -> bool {
        now >= self.told.after(TOLD)
    }

    pub(super) fn told(&mut self, now: Instant) {
        self.told = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn a_host_that_announces_a_change_each_millisecond_is_looked_at_ten_times_a_second() {
        let mut pace = Pace::new(at(0));
        let mut looks = 0;
        for now in 0..1000 {
            pace.note_change();
            if pace.may_look(at(now)) {
                pace.looked(at(now));
                looks += 1;
            }
        }
        assert_eq!(looks, 10);
    }

    #[test]
    fn a_host_whose_part_still_changes_is_told_ten_times_a_second_at_most() {
        let mut pace = Pace::new(at(0));
        assert!(!pace.may_tell(at(99)));
        assert!(pace.may_tell(at(100)));
        pace.told(at(150));
        assert!(!pace.may_tell(at(249)));
        assert!(pace.may_tell(at(250)));
    }

    #[test]
    fn work_takes_a_tenth_of_the_time_and_a_stopped_realm_does_not_rest_for_hours() {
        let mut pace = Pace::new(at(0));
        pace.worked(at(0), at(2));
        assert!(!pace.may_work(at(19)));
        assert!(pace.may_work(at(20)));
        pace.worked(at(20), at(3_600_020));
        assert_eq!(pace.next_work(), at(3_600_920));
    }
}
