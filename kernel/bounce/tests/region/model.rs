//! Every short story of leases and returns.
//!
//! **Proved**, for a pool of eight units and every sequence of five leases and returns, of one to four units
//! at two alignments: a slot lies inside the pool, on its alignment, clear of every other slot; a lease is
//! refused only when no free run has room for it; and in the end the pool is whole.

use bounce::{Pool, Slot};

use crate::{NET, TOLD, region};

/// Bytes of a unit.
const UNIT: usize = 64;
const UNITS: usize = 4096 / UNIT;
/// What the pool has left for the story.
const LEFT: usize = 8;
const STEPS: u32 = 5;
/// Units and alignment of each lease.
const LEASES: [(usize, usize); 6] = [(1, 1), (2, 1), (3, 1), (4, 1), (1, 4), (2, 2)];
/// Which of the slots is returned: the oldest, the second, the newest.
const RETURNS: usize = 3;

/// Slots in hand, and where they lie, in units.
#[derive(Default)]
struct Hand(Vec<(Slot, usize, usize)>);

impl Hand {
    fn lease(&mut self, pool: &Pool, first: usize, units: usize, align: usize) {
        let leased = pool.lease(units * UNIT, align * UNIT);
        let taken = |unit: usize| {
            self.0
                .iter()
                .any(|(_, at, len)| (*at..at + len).contains(&unit))
        };
        let fits =
            |at: usize| at.is_multiple_of(align) && (at..at + units).all(|unit| !taken(unit));
        let room = (first..=UNITS - units).any(fits);
        assert_eq!(leased.is_ok(), room, "{units} units at {align}");
        let Ok(slot) = leased else { return };
        let at = usize::try_from(slot.address(0).unwrap().get() - TOLD).unwrap() / UNIT;
        assert!(at >= first && fits(at), "{units} units at {at}");
        self.0.push((slot, at, units));
    }

    fn give_back(&mut self, which: usize) {
        let which = if which == RETURNS - 1 {
            self.0.len().wrapping_sub(1)
        } else {
            which
        };
        if which < self.0.len() {
            drop(self.0.remove(which));
        }
    }
}

#[test]
fn every_short_story_of_leases_leaves_slots_apart_and_the_pool_whole() {
    let (region, _host, _) = region(1);
    let pool = region.pool(NET, 4096).unwrap();
    let first = UNITS - LEFT;
    let kinds = LEASES.len() + RETURNS;
    let _before = pool.lease(first * UNIT, UNIT).unwrap();
    for story in 0..kinds.pow(STEPS) {
        let mut hand = Hand::default();
        for step in 0..STEPS {
            let kind = story / kinds.pow(step) % kinds;
            match LEASES.get(kind) {
                Some((units, align)) => hand.lease(&pool, first, *units, *align),
                None => hand.give_back(kind - LEASES.len()),
            }
        }
        drop(hand);
        // Whole again: all of it is one run.
        assert!(pool.lease(LEFT * UNIT, UNIT).is_ok(), "story {story}");
    }
}
