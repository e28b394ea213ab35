//! Seeds of random lies, and seeds bred of them.

use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use crate::place::{Part, Place, Point};
use crate::random::{Random, mix};

/// More salts than these are not read: a line of the command line is short.
const MOST_SALTS: usize = 8;
/// A salt takes one place in so many over.
const TAKEN: u64 = 6;
/// One seed in so many lies by one part alone.
const NARROW: u64 = 8;

/// From what lies follow: a number, and then salts, each of which has some of the places lie as another seed would. So
/// a child does most of what its parent did.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seed {
    first: u64,
    salts: Vec<u32>,
}

impl From<u64> for Seed {
    fn from(first: u64) -> Self {
        let salts = Vec::new();
        Self { first, salts }
    }
}

impl Seed {
    /// The number that it begins with.
    #[must_use]
    pub const fn first(&self) -> u64 {
        self.first
    }

    /// How often it was bred.
    #[must_use]
    pub const fn generation(&self) -> usize {
        self.salts.len()
    }

    /// A child of it; `None` if its line is as long as can be told.
    #[must_use]
    pub fn child(&self, salt: u32) -> Option<Self> {
        let mut child = self.clone();
        child.salts.push(salt);
        (child.salts.len() <= MOST_SALTS).then_some(child)
    }

    /// The seed `number` behind this one: a sibling, if it was bred.
    #[must_use]
    pub fn plus(&self, number: u32) -> Self {
        let mut other = self.clone();
        match other.salts.last_mut() {
            Some(salt) => *salt = salt.wrapping_add(number),
            None => other.first = other.first.wrapping_add(number.into()),
        }
        other
    }

    /// The number that decides about `place`.
    fn decides(&self, place: Place) -> u64 {
        let mut number = self.first;
        for salt in &self.salts {
            let salt = mix(u64::from(*salt) ^ 0x7361_6c74);
            if mix(salt ^ place.number()).is_multiple_of(TAKEN) {
                number = mix(self.first ^ salt);
            }
        }
        number
    }

    /// Whether it lies at `place` the time after `count` others; then where its numbers come from.
    ///
    /// It depends on nothing else, so that a run can be repeated. A seed is honest at most places, so
    /// that the guest gets far enough to meet the lies at the others.
    #[must_use]
    pub fn lies(&self, place: Place, count: u32) -> Option<Random> {
        let number = self.decides(place);
        let habit = mix(mix(number ^ 0x6c69_6172) ^ place.number());
        if !habit.is_multiple_of(often(number, place)?) {
            return None;
        }
        // From every time to every 256th. Every fourth seed is gentle, so that much goes well before something does not.
        let gentle = if number.is_multiple_of(4) { 6 } else { 0 };
        let rarity = gentle + (habit >> 8) % 9;
        let now = mix(habit ^ mix(u64::from(count).wrapping_add(1)));
        now.is_multiple_of(1 << rarity).then(|| Random::new(now))
    }
}

/// One in how many places of the kind lies; `None` for none.
fn often(number: u64, place: Place) -> Option<u64> {
    // Who asks for a race wants one.
    if place.point == Point::Race {
        return Some(1);
    }
    if number % NARROW == 5 {
        let parts = Part::ALL.len() as u64;
        let only = usize::try_from(mix(number ^ 0x6f6e_6c79) % parts).ok()?;
        return (Part::ALL.get(only) == Some(&place.part)).then_some(2);
    }
    Some(match place.part {
        // Without a tree that can be read there is no console, and little to learn.
        Part::Tree => 24,
        // Each call is a place of its own, and few guests outlive a lie of the first ones.
        Part::Rmm => 16,
        _ => 4,
    })
}

/// The text is no seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSeed;

impl FromStr for Seed {
    type Err = NoSeed;

    /// A number, and salts, with `~` between them.
    fn from_str(text: &str) -> Result<Self, NoSeed> {
        let mut words = text.split('~');
        let first = words.next().and_then(|word| word.parse().ok());
        let salts: Option<Vec<u32>> = words.map(|word| word.parse().ok()).collect();
        let seed = Self {
            first: first.ok_or(NoSeed)?,
            salts: salts.ok_or(NoSeed)?,
        };
        (seed.salts.len() <= MOST_SALTS)
            .then_some(seed)
            .ok_or(NoSeed)
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        self.salts.iter().try_for_each(|salt| write!(f, "~{salt}"))
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;

    /// Places at which `seed` ever lies.
    fn habits(seed: &Seed) -> Vec<Place> {
        let mut all = Vec::new();
        for part in Part::ALL {
            for point in Point::ALL {
                let place = Place::of(*part, *point);
                if (0..300).any(|count| seed.lies(place, count).is_some()) {
                    all.push(place);
                }
            }
        }
        all
    }

    #[test]
    fn a_seed_reads_back_and_counts_on() {
        for text in ["7", "7~3", "18446744073709551615~4294967295~0"] {
            let seed: Seed = text.parse().unwrap();
            assert_eq!(seed.to_string(), text);
        }
        for text in ["", "x", "7~", "7~-1", "1~1~1~1~1~1~1~1~1~1"] {
            assert_eq!(text.parse::<Seed>(), Err(NoSeed), "{text}");
        }
        let seed: Seed = "7~3".parse().unwrap();
        assert_eq!(seed.plus(2).to_string(), "7~5");
        assert_eq!(Seed::from(7).plus(2).to_string(), "9");
        let line = (0..).try_fold(seed, |seed, salt| seed.child(salt).ok_or(seed));
        assert_eq!(line.unwrap_err().generation(), MOST_SALTS);
    }

    #[test]
    fn a_child_does_most_of_what_its_parent_did_and_something_else() {
        let (mut kept, mut all, mut new) = (0, 0, 0);
        for first in [4, 7, 11, 18, 33] {
            let parent = Seed::from(first);
            let child = parent.child(9).unwrap();
            let (before, after) = (habits(&parent), habits(&child));
            kept += before.iter().filter(|place| after.contains(place)).count();
            new += after.iter().filter(|place| !before.contains(place)).count();
            all += before.len();
        }
        assert!(
            kept * 3 > all * 2 && kept < all && new > 10,
            "{kept} of {all}, {new} new"
        );
    }

    #[test]
    fn one_seed_in_eight_lies_by_one_part_alone_and_each_part_has_one() {
        let mut parts = alloc::collections::BTreeSet::new();
        for number in (5..1000).step_by(8) {
            let habits = habits(&Seed::from(number));
            let of: alloc::collections::BTreeSet<_> = habits
                .iter()
                .filter(|place| place.point != Point::Race)
                .map(|place| place.part)
                .collect();
            assert!(of.len() <= 1, "{number}: {of:?}");
            parts.extend(of);
        }
        assert_eq!(parts.len(), Part::ALL.len());
    }
}
