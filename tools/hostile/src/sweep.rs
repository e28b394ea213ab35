//! Rounds that tell a lie or two, and where, when and what follows from a number: kinds of lies that random seeds tell
//! seldom, because one ends a round or is asked for once, have their turn here like all others.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::place::{Part, Place, Point};
use crate::random::{Random, mix};

/// Values that follow one another.
pub const VALUES: u64 = 12;
/// A race is short, and one in a round hardly meets anything.
const RACES: u32 = 16;

/// What an honest round says: at which places, and how often.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// The places of each kind that there is, and how often something was said there.
    kinds: Vec<Vec<(Place, u32)>>,
    known: BTreeSet<Place>,
}

impl Survey {
    /// Of a round that said something so often at these places.
    #[must_use]
    pub fn new(said: impl Iterator<Item = (Place, u32)>) -> Self {
        let mut kinds: BTreeMap<(Part, u8, Point), Vec<(Place, u32)>> = BTreeMap::new();
        let mut known = BTreeSet::new();
        for (place, count) in said.filter(|(_, count)| *count != 0) {
            // Disks are alike, calls are not.
            let call = match place.part {
                Part::Rmm | Part::Psci => place.unit,
                _ => 0,
            };
            let kind = kinds.entry((place.part, call, place.point)).or_default();
            kind.push((place, count));
            known.insert(place);
        }
        Self {
            kinds: kinds.into_values().collect(),
            known,
        }
    }

    /// The same, but only `point` is aimed at. What else an honest round says stays known.
    #[must_use]
    pub fn only(mut self, point: Point) -> Self {
        self.kinds
            .retain(|kind| kind.iter().all(|(place, _)| place.point == point));
        self
    }

    /// How many kinds of lies there are.
    #[must_use]
    pub fn kinds(&self) -> u64 {
        self.kinds.len() as u64
    }

    /// What round `number` aims at; `None` if nothing was said.
    ///
    /// Each kind has its turn after all others. Of a kind, each place has its turn after all others, and there each
    /// count before any comes again, far from the one before, and each value of [`VALUES`].
    #[must_use]
    pub fn aim(&self, number: u64) -> Option<Aim> {
        let kind = self.kinds.get(index(number, self.kinds())?)?;
        let turn = number / self.kinds();
        let (place, said) = kind.get(index(turn, kind.len() as u64)?)?;
        let step = turn / kind.len() as u64;
        let chance = mix(number);
        Some(Aim {
            place: *place,
            count: spread(step, *said),
            times: match place.point {
                Point::Race => RACES,
                _ => 1 + u32::from(chance & 3 == 0),
            },
            what: step,
            unknown: chance & 4 != 0,
        })
    }

    /// Whether an honest round says anything at `place`.
    #[must_use]
    pub fn knows(&self, place: Place) -> bool {
        self.known.contains(&place)
    }
}

fn index(number: u64, of: u64) -> Option<usize> {
    usize::try_from(number.checked_rem(of)?).ok()
}

/// Number `step` of all counts below `said`, each once, and those of two steps that follow one another far apart.
fn spread(step: u64, said: u32) -> u32 {
    let said = u64::from(said.max(1));
    // The golden section, or the next number above that reaches all.
    let mut stride = (said * 618 / 1000).max(1);
    while common(stride, said) != 1 {
        stride += 1;
    }
    let count = step % said * stride % said;
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The greatest common divisor.
fn common(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Where and when a round of a sweep lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aim {
    /// Where.
    pub place: Place,
    /// When, for the first time.
    pub count: u32,
    /// So many times one after the other.
    pub times: u32,
    /// Which value.
    pub what: u64,
    /// Whether there is a lie as well at the first place that no honest round comes to.
    pub unknown: bool,
}

impl Aim {
    /// Whether there is a lie at `place` the time after `count` others.
    #[must_use]
    pub fn hits(&self, place: Place, count: u32) -> bool {
        place == self.place && (self.count..self.count.saturating_add(self.times)).contains(&count)
    }

    /// A number of `bits` bits, not `truth`, that is likely to hurt.
    #[must_use]
    pub fn value(&self, truth: u64, bits: u32) -> u64 {
        let mask = u64::MAX >> (64 - bits.clamp(1, 64));
        let all = (0..VALUES).map(|more| nasty(self.what.wrapping_add(more), truth, bits) & mask);
        let mut lies = all.filter(|value| *value != truth & mask);
        lies.next().unwrap_or(!truth & mask)
    }

    /// Numbers for whoever makes up what to do.
    #[must_use]
    pub fn random(&self) -> Random {
        Random::new(mix(self.what
            ^ self.place.number() << 32
            ^ u64::from(self.count)))
    }
}

/// Value `what` of those that hurt where `truth`, of `bits` bits, is true.
fn nasty(what: u64, truth: u64, bits: u32) -> u64 {
    let bits = u64::from(bits.clamp(1, 64));
    let mut random = Random::new(what);
    match what % VALUES {
        0 => 0,
        1 => u64::MAX,
        2 => truth.wrapping_add(1),
        3 => truth.wrapping_sub(1),
        4 => 1 << (bits - 1),
        5 => 1,
        6 => truth ^ 1 << random.below(bits),
        7 => random.next(),
        8 => truth.wrapping_mul(2),
        9 => truth / 2,
        10 => random.below(256),
        _ => (1 << (bits - 1)) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 3 disks and two calls, which a round says something at, and one place at which it says nothing.
    fn survey() -> Survey {
        let disk = |unit, point, said| (Place::of(Part::Disk, point).unit(unit), said);
        let said = [
            disk(0, Point::Isr, 4),
            disk(1, Point::Isr, 5),
            disk(2, Point::Isr, 1),
            disk(0, Point::UsedId, 300),
            (Place::of(Part::Rmm, Point::Refusal).unit(3), 2),
            (Place::of(Part::Rmm, Point::Refusal).unit(4), 1),
            (Place::of(Part::Card, Point::Register), 0),
        ];
        Survey::new(said.into_iter())
    }

    #[test]
    fn every_place_is_aimed_at_with_every_count_and_every_value() {
        let survey = survey();
        assert_eq!(survey.kinds(), 4);
        let aims: Vec<Aim> = (0..4 * 3 * 300)
            .filter_map(|number| survey.aim(number))
            .collect();
        for (place, said) in survey.kinds.iter().flatten() {
            let here: Vec<_> = aims.iter().filter(|aim| aim.place == *place).collect();
            let counts: BTreeSet<u32> = here.iter().map(|aim| aim.count).collect();
            let values: BTreeSet<u64> = here.iter().map(|aim| aim.what % VALUES).collect();
            assert_eq!(counts, (0..*said).collect(), "{place}");
            assert_eq!(values.len() as u64, VALUES, "{place}");
        }
        assert!(!survey.knows(Place::of(Part::Card, Point::Register)));
    }

    #[test]
    fn a_kind_has_its_turn_as_often_as_any_other_and_a_place_as_any_other_of_its_kind() {
        let survey = survey();
        let mut told = BTreeMap::new();
        for aim in (0..1200).filter_map(|number| survey.aim(number)) {
            *told.entry(aim.place).or_insert(0) += 1;
        }
        let told: Vec<u32> = told.into_values().collect();
        // UsedId comes between the two of Isr, as places of one unit are neighbours.
        assert_eq!(told, [100, 300, 100, 100, 300, 300]);
    }

    #[test]
    fn what_is_not_aimed_at_is_known_all_the_same() {
        let survey = survey().only(Point::UsedId);
        assert_eq!(survey.kinds(), 1);
        let id = Place::of(Part::Disk, Point::UsedId);
        assert!((0..9).all(|number| survey.aim(number).is_some_and(|aim| aim.place == id)));
        assert!(survey.knows(Place::of(Part::Disk, Point::Isr)));
    }

    #[test]
    fn counts_begin_far_apart() {
        let first: Vec<u32> = (0..6).map(|step| spread(step, 1000)).collect();
        assert_eq!(first, [0, 619, 238, 857, 476, 95]);
        assert_eq!(spread(7, 0), 0);
    }

    #[test]
    fn a_value_is_never_the_truth_and_has_no_more_bits_than_there_are() {
        let aim = survey().aim(0).unwrap();
        for what in 0..VALUES {
            let aim = Aim { what, ..aim };
            for bits in [1, 8, 16, 32, 64] {
                let mask = u64::MAX >> (64 - bits);
                for truth in [0, 1, 2, 0x7f, 0x80, mask] {
                    let value = aim.value(truth & mask, bits);
                    assert!(value != truth & mask && value <= mask, "{what} {bits}");
                }
            }
        }
        let values = |what| Aim { what, ..aim }.value(64, 16);
        let all: Vec<u64> = (0..6).map(values).collect();
        assert_eq!(all, [0, 0xffff, 65, 63, 0x8000, 1]);
    }

    #[test]
    fn nobody_aims_where_nothing_is_said() {
        assert_eq!(Survey::default().aim(7), None);
    }
}
