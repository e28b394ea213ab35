//! Interrupts that come too often: when one is masked, and for how long.

use core::time::Duration;

use clock::Instant;

/// Interrupts of one source within [`WINDOW`] that are a storm: 50,000 a second. An honest source
/// stays below: it interrupts once for each time that the loop finds its rings empty.
const LIMIT: u32 = 1000;
const WINDOW: Duration = Duration::from_millis(20);
/// How long a source is masked the first time.
const FIRST_REST: Duration = Duration::from_millis(100);
/// How long it is masked at most.
const LONGEST_REST: Duration = Duration::from_secs(10);

/// One source of interrupts. While it is masked its devices are polled; each storm masks it for
/// longer.
#[derive(Clone, Copy, Debug)]
pub struct Storm {
    since: Instant,
    taken: u32,
    rest: Duration,
    masked_until: Option<Instant>,
}

impl Storm {
    /// A source that has been quiet until `now`.
    pub const fn new(now: Instant) -> Self {
        Self {
            since: now,
            taken: 0,
            rest: FIRST_REST,
            masked_until: None,
        }
    }

    /// Notes an interrupt; says whether the source has to be masked now.
    pub fn note(&mut self, now: Instant) -> bool {
        if now.since(self.since) > WINDOW {
            (self.since, self.taken) = (now, 0);
        }
        self.taken += 1;
        if self.taken < LIMIT || self.masked_until.is_some() {
            return false;
        }
        self.masked_until = Some(now.after(self.rest));
        self.rest = (2 * self.rest).min(LONGEST_REST);
        true
    }

    /// Says, once, that the source is to be unmasked again.
    pub fn take_end(&mut self, now: Instant) -> bool {
        let over = self.masked_until.is_some_and(|until| until <= now);
        if over {
            *self = Self {
                rest: self.rest,
                ..Self::new(now)
            };
        }
        over
    }

    /// Whether the source is masked.
    pub const fn is_masked(&self) -> bool {
        self.masked_until.is_some()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    const MICRO: u64 = 1000;

    fn at(micros: u64) -> Instant {
        Instant::from_nanos(micros * MICRO)
    }

    /// Interrupts until the source is masked, one each `every` microseconds, at most `most`.
    fn taken(storm: &mut Storm, start: u64, every: u64, most: u64) -> Option<u64> {
        (0..most).find(|n| storm.note(at(start + n * every)))
    }

    #[test]
    fn a_hundred_thousand_a_second_are_masked_within_ten_milliseconds() {
        let mut storm = Storm::new(at(0));
        assert_eq!(taken(&mut storm, 0, 10, 100_000), Some(999));
        assert!(storm.is_masked());
    }

    #[test]
    fn forty_thousand_a_second_are_none() {
        let mut storm = Storm::new(at(0));
        assert_eq!(taken(&mut storm, 0, 25, 100_000), None);
    }

    #[test]
    fn each_storm_masks_for_longer_up_to_a_bound() {
        let mut storm = Storm::new(at(0));
        let mut now = 0;
        let mut rests = Vec::new();
        for _ in 0..9 {
            now += taken(&mut storm, now, 1, 2000).unwrap();
            let start = now;
            while !storm.take_end(at(now)) {
                now += 100_000;
            }
            rests.push((now - start) / 1000);
        }
        assert_eq!(rests[..4], [100, 200, 400, 800]);
        assert_eq!(rests[8], 10_000);
    }

    #[test]
    fn what_comes_while_it_is_masked_does_not_mask_it_again() {
        let mut storm = Storm::new(at(0));
        assert!(taken(&mut storm, 0, 1, 2000).is_some());
        assert_eq!(taken(&mut storm, 2000, 1, 5000), None);
        assert!(!storm.take_end(at(50_000)) && storm.take_end(at(200_000)));
        assert!(!storm.take_end(at(200_000)));
    }
}
