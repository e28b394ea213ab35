//! Says the truth, or not.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::lie::Lie;
use crate::place::{Part, Place, Point};
use crate::random::Random;
use crate::script::Script;
use crate::sweep::{Aim, Survey};

/// Lies that are kept word for word, so that a run can be told again. More are counted only.
const KEPT: usize = 4096;
/// The same for one place: where one lies ten thousand times, one of them hardly matters.
const KEPT_EACH: u32 = 512;

/// What was said at one place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How often something was said.
    pub said: u32,
    /// How often that was a lie.
    pub lies: u32,
}

/// Stands where a device says something, and says it.
#[derive(Clone, Debug, Default)]
pub struct Liar {
    script: Script,
    /// The lies of a script, by where and when.
    planned: BTreeMap<(Place, u32), u64>,
    /// Where a round of a sweep lies, and where an honest one speaks.
    aim: Option<(Aim, Survey)>,
    /// The most lies; after that it is honest. Half as many come with time, beside them.
    most: u32,
    /// Lies told at places that are asked whenever time passes.
    by_time: u32,
    /// What it never lies about: data, and whether they are there.
    honest_data: bool,
    told: u32,
    kept: Vec<Lie>,
    tally: BTreeMap<Place, Tally>,
}

impl Liar {
    /// One that follows `script`, and tells `most` lies at most.
    #[must_use]
    pub fn new(script: Script, most: u32) -> Self {
        let lies = match &script {
            Script::Lies(lies) => lies.as_slice(),
            _ => &[],
        };
        let planned = lies.iter().map(|lie| ((lie.place, lie.count), lie.value));
        Self {
            planned: planned.collect(),
            script,
            most,
            ..Self::default()
        }
    }

    /// The same, but it never lies about what only the payload can check: what a disk holds, what is in shared
    /// pages, whether a request was done and how many bytes it wrote. What is accepted and wrong then is the
    /// kernel's fault.
    #[must_use]
    pub fn with_honest_data(mut self, honest: bool) -> Self {
        self.honest_data = honest;
        self
    }

    /// The same, and it lies as round `number` of a sweep does, of which `survey` is the honest round.
    #[must_use]
    pub fn with_aim(mut self, survey: &Survey, number: u64) -> Self {
        self.aim = survey.aim(number).map(|aim| (aim, survey.clone()));
        self
    }

    /// Whether it says anything but the truth.
    #[must_use]
    pub fn is_honest(&self) -> bool {
        self.script == Script::Honest
    }

    /// Says a number of `bits` bits at `place`, of which `truth` is the true one.
    pub fn say(&mut self, place: Place, truth: u64, bits: u32) -> u64 {
        let mask = u64::MAX >> (64 - bits.clamp(1, 64));
        let make = |source| match source {
            Source::Seed(mut random) => twist(truth, bits, &mut random) & mask,
            Source::Sweep(aim) => aim.value(truth, bits),
        };
        let lie = self.ask(place, make, |value| value & mask != truth);
        lie.map_or(truth, |value| value & mask)
    }

    /// Whether to misbehave at `place` now, and how: a number of any size.
    pub fn misbehave(&mut self, place: Place) -> Option<u64> {
        self.misbehave_with(place, Random::next)
    }

    /// As [`Self::misbehave`], with a number that `make` makes if nobody gave one.
    pub fn misbehave_with(
        &mut self,
        place: Place,
        make: impl FnOnce(&mut Random) -> u64,
    ) -> Option<u64> {
        let make = |source| match source {
            Source::Seed(mut random) => make(&mut random),
            // By turns what hurts wherever a number is said, and what was thought of for this place.
            Source::Sweep(aim) if aim.what.is_multiple_of(2) => aim.value(0, u64::BITS),
            Source::Sweep(aim) => make(&mut aim.random()),
        };
        self.ask(place, make, |_| true)
    }

    /// Lies told.
    #[must_use]
    pub fn told(&self) -> u32 {
        self.told
    }

    /// The lies, word for word, as far as they are kept.
    #[must_use]
    pub fn lies(&self) -> &[Lie] {
        &self.kept
    }

    /// What was said at each place.
    pub fn tally(&self) -> impl Iterator<Item = (Place, Tally)> {
        self.tally.iter().map(|(place, tally)| (*place, *tally))
    }

    /// Lies that `part` told.
    #[must_use]
    pub fn told_by(&self, part: Part) -> u32 {
        let of_part = self.tally.iter().filter(|(place, _)| place.part == part);
        of_part.map(|(_, tally)| tally.lies).sum()
    }

    /// Whether another lie may be told at `place`. Who is asked at each tick would else use all lies up before
    /// others have their turn.
    fn has_room(&mut self, place: Place) -> bool {
        if !matches!(place.part, Part::Interrupts | Part::Timer | Part::Window) {
            return self.told - self.by_time < self.most;
        }
        let has_room = self.by_time < self.most.div_ceil(2);
        self.by_time += u32::from(has_room);
        has_room
    }

    /// What is aimed at `place`, the time after `count` others.
    fn aims(&mut self, place: Place, count: u32) -> Option<Aim> {
        let (aim, survey) = self.aim.as_mut()?;
        if aim.unknown && !survey.knows(place) {
            aim.unknown = false;
            return Some(*aim);
        }
        aim.hits(place, count).then_some(*aim)
    }

    fn ask(
        &mut self,
        place: Place,
        make: impl FnOnce(Source) -> u64,
        is_lie: impl FnOnce(u64) -> bool,
    ) -> Option<u64> {
        let data = matches!(
            place.point,
            Point::Content | Point::Scribble | Point::Race | Point::UsedLength | Point::Result
        );
        if self.is_honest() || self.honest_data && data {
            return None;
        }
        let tally = self.tally.entry(place).or_default();
        let count = tally.said;
        tally.said = count.saturating_add(1);
        let value = match &self.script {
            Script::Honest => None,
            Script::Lies(_) => self.planned.get(&(place, count)).copied(),
            Script::Random(seed) => seed
                .lies(place, count)
                .map(|random| make(Source::Seed(random))),
            Script::Sweep(_) => self.aims(place, count).map(|aim| make(Source::Sweep(aim))),
        }?;
        if !is_lie(value) || !self.has_room(place) {
            return None;
        }
        self.told += 1;
        let tally = self.tally.entry(place).or_default();
        tally.lies += 1;
        if tally.lies <= KEPT_EACH && self.kept.len() < KEPT {
            self.kept.push(Lie {
                place,
                count,
                value,
            });
        }
        Some(value)
    }
}

/// What a lie follows from.
enum Source {
    Seed(Random),
    Sweep(Aim),
}

/// A number of `bits` bits that is likely to hurt.
fn twist(truth: u64, bits: u32, random: &mut Random) -> u64 {
    let bit = |n: u64| 1u64.wrapping_shl(u32::try_from(n).unwrap_or(0));
    match random.below(10) {
        0 => 0,
        1 => u64::MAX,
        2 => truth.wrapping_add(1),
        3 => truth.wrapping_sub(1),
        4 => truth.wrapping_mul(2),
        5 => truth / 2,
        6 => bit(random.below(u64::from(bits))),
        7 => random.below(256),
        8 => random.next(),
        _ => truth ^ bit(random.below(u64::from(bits))),
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;
    use crate::seed::Seed;

    const STATUS: Place = Place::of(Part::Disk, Point::Status);
    const LENGTH: Place = Place::of(Part::Disk, Point::UsedLength);

    #[test]
    fn without_a_script_everything_is_true() {
        let mut liar = Liar::default();
        assert!((0..1000).all(|n| liar.say(STATUS, n, 32) == n));
        assert_eq!(liar.misbehave(STATUS), None);
        assert_eq!(liar.told(), 0);
    }

    #[test]
    fn a_script_lies_where_and_when_it_says() {
        let script = "disk.status@2=0x40,disk.used-length@0=0x1ffff"
            .parse()
            .unwrap();
        let mut liar = Liar::new(script, 10);
        assert_eq!(
            [7, 7, 7, 7].map(|n| liar.say(STATUS, n, 8)),
            [7, 7, 0x40, 7]
        );
        // No wider than what is said there.
        assert_eq!(liar.say(LENGTH, 1, 16), 0xffff);
        assert_eq!(liar.told(), 2);
    }

    #[test]
    fn the_lies_of_a_seed_told_again_are_the_same_run() {
        let run = |script: Script| {
            let mut liar = Liar::new(script, u32::MAX);
            let said: std::vec::Vec<_> = (0..500)
                .map(|n| (liar.say(STATUS, n % 7, 8), liar.say(LENGTH, n, 32)))
                .collect();
            (said, liar)
        };
        let mut lied = 0;
        for seed in 0..50 {
            let (said, liar) = run(Script::Random(Seed::from(seed)));
            lied += liar.told();
            let again = Script::Lies(liar.lies().to_vec());
            assert_eq!(run(again.to_string().parse().unwrap_or_default()).0, said);
        }
        assert!(lied > 1000, "{lied}");
    }

    #[test]
    fn some_seeds_lie_each_time_and_some_never() {
        let always = |seed| {
            let mut liar = Liar::new(Script::Random(Seed::from(seed)), u32::MAX);
            (0..200).all(|_| liar.misbehave(LENGTH).is_some())
        };
        let never = |seed| {
            let mut liar = Liar::new(Script::Random(Seed::from(seed)), u32::MAX);
            (0..200).all(|_| liar.misbehave(LENGTH).is_none())
        };
        assert!((0..200).any(always) && (0..20).any(never));
    }

    #[test]
    fn who_is_honest_about_data_lies_about_all_else() {
        let content = Place::of(Part::Disk, Point::Content);
        for seed in 0..100 {
            let mut liar =
                Liar::new(Script::Random(Seed::from(seed)), u32::MAX).with_honest_data(true);
            assert!((0..100).all(|_| liar.misbehave(content).is_none()));
        }
    }

    /// A round that says a status 3 times, a length 20 times, and, if it was lied to, once more at another place.
    fn round(liar: &mut Liar) {
        let lied = (0..3).any(|n| liar.say(STATUS, n, 8) != n);
        for n in 0..20 {
            liar.say(LENGTH, n, 32);
            liar.misbehave(Place::of(Part::Rmm, Point::Refusal));
        }
        if lied {
            liar.say(Place::of(Part::Disk, Point::Register), 0, 32);
        }
    }

    #[test]
    fn a_sweep_lies_where_it_aims_and_where_only_its_lies_lead() {
        let mut honest = Liar::new(Script::Lies(Vec::new()), 9);
        round(&mut honest);
        let survey = Survey::new(honest.tally().map(|(place, tally)| (place, tally.said)));
        assert_eq!((survey.kinds(), honest.told()), (3, 0));
        let mut told = BTreeMap::new();
        for number in 0..180 {
            let mut liar = Liar::new(Script::Sweep(number), 9).with_aim(&survey, number);
            round(&mut liar);
            let aim = survey.aim(number).unwrap();
            let first = liar.lies().first().expect("each round of a sweep lies");
            assert_eq!((first.place, first.count), (aim.place, aim.count));
            assert!((1..=3).contains(&liar.told()), "{number}: {}", liar.told());
            for lie in liar.lies() {
                *told.entry(lie.place.point).or_insert(0) += 1;
            }
            let again = Script::Lies(liar.lies().to_vec());
            let mut again = Liar::new(again, 9);
            round(&mut again);
            assert_eq!(again.lies(), liar.lies());
        }
        assert!(told.values().all(|count| *count >= 20), "{told:?}");
        assert_eq!(told.len(), 4, "{told:?}");
    }

    #[test]
    fn after_the_most_it_is_honest_and_what_comes_with_time_leaves_room_for_others() {
        let mut liar = Liar::new(Script::Random(Seed::from(3)), 2);
        for n in 0..10_000 {
            for part in Part::ALL {
                liar.say(Place::of(*part, Point::Isr), n, 8);
            }
        }
        let time = [Part::Interrupts, Part::Timer, Part::Window];
        let by_time: u32 = time.iter().map(|part| liar.told_by(*part)).sum();
        assert_eq!((liar.told(), by_time), (3, 1));
    }
}
