//! Where restricted pools are, and which of them cannot be.

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use crate::layout::{free_runs, subtract};

/// Memory that somebody has, and what it is called.
pub type Taken = (&'static str, Range<u64>);

/// Where a pool is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolWish {
    /// There.
    At(Range<u64>),
    /// Anywhere that fits.
    Anywhere {
        /// Bytes, whole granules.
        size: u64,
        /// What its address is a multiple of: a power of two.
        alignment: u64,
        /// Where it may be put; anywhere in RAM, if there are none.
        within: Vec<Range<u64>>,
    },
}

/// Why a pool cannot be where it is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolFault {
    /// Not all of it is RAM.
    NotRam,
    /// Something else is there.
    Over(&'static str),
    /// No free run of RAM has room for it.
    NoPlace {
        /// Bytes that are wanted.
        size: u64,
    },
}

impl fmt::Display for PoolFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRam => f.write_str("it is not all RAM"),
            Self::Over(what) => write!(f, "it lies over {what}"),
            Self::NoPlace { size } => {
                write!(f, "no free run of RAM has room for {} KiB", size >> 10)
            }
        }
    }
}

/// Places each pool that is wanted. Two that lie over each other are both refused; those that may be
/// anywhere come as high as they can, after those that have a place.
pub fn place_pools(
    wishes: &[PoolWish],
    memory: &[Range<u64>],
    taken: &[Taken],
) -> Vec<Result<Range<u64>, PoolFault>> {
    let fixed: Vec<Range<u64>> = wishes.iter().filter_map(place_of).collect();
    let all = taken.iter().map(|(_, range)| range.clone());
    let all: Vec<Range<u64>> = all.chain(fixed.iter().cloned()).collect();
    let mut free = free_runs(memory, &all);
    let place = |wish: &PoolWish| match wish {
        PoolWish::At(range) => check(range, &fixed, memory, taken),
        PoolWish::Anywhere {
            size,
            alignment,
            within,
        } => {
            let found = highest(&free, *size, *alignment, within);
            let found = found.ok_or(PoolFault::NoPlace { size: *size })?;
            free = subtract(&free, core::slice::from_ref(&found));
            Ok(found)
        }
    };
    wishes.iter().map(place).collect()
}

fn place_of(wish: &PoolWish) -> Option<Range<u64>> {
    match wish {
        PoolWish::At(range) => Some(range.clone()),
        PoolWish::Anywhere { .. } => None,
    }
}

fn check(
    range: &Range<u64>,
    pools: &[Range<u64>],
    memory: &[Range<u64>],
    taken: &[Taken],
) -> Result<Range<u64>, PoolFault> {
    let is_ram = |ram: &Range<u64>| ram.start <= range.start && range.end <= ram.end;
    if !memory.iter().any(is_ram) {
        return Err(PoolFault::NotRam);
    }
    let meets = |other: &Range<u64>| other.start < range.end && range.start < other.end;
    if let Some((what, _)) = taken.iter().find(|(_, other)| meets(other)) {
        return Err(PoolFault::Over(what));
    }
    // The pool meets itself.
    if pools.iter().filter(|other| meets(other)).count() > 1 {
        return Err(PoolFault::Over("another pool"));
    }
    Ok(range.clone())
}

/// The highest run of `size` bytes in `free`, and in one of `within` if there are any.
fn highest(
    free: &[Range<u64>],
    size: u64,
    alignment: u64,
    within: &[Range<u64>],
) -> Option<Range<u64>> {
    let everywhere = 0..u64::MAX;
    let within = if within.is_empty() {
        core::slice::from_ref(&everywhere)
    } else {
        within
    };
    let fits = |run: &Range<u64>, allowed: &Range<u64>| {
        let top = run.end.min(allowed.end);
        let start = top.checked_sub(size)? & !(alignment - 1);
        (start >= run.start.max(allowed.start)).then(|| start..start + size)
    };
    let pairs = free
        .iter()
        .flat_map(|run| within.iter().map(move |allowed| (run, allowed)));
    pairs
        .filter_map(|(run, allowed)| fits(run, allowed))
        .max_by_key(|found| found.start)
}

#[cfg(test)]
mod tests {
    use core::slice;

    use super::*;

    const RAM: Range<u64> = 0x4000_0000..0x4400_0000;
    const IMAGE: Range<u64> = 0x4020_0000..0x4030_0000;

    fn at(start: u64, size: u64) -> PoolWish {
        PoolWish::At(start..start + size)
    }

    fn anywhere(size: u64, alignment: u64, within: &[Range<u64>]) -> PoolWish {
        let within = within.to_vec();
        PoolWish::Anywhere {
            size,
            alignment,
            within,
        }
    }

    fn place(wishes: &[PoolWish]) -> Vec<Result<Range<u64>, PoolFault>> {
        place_pools(wishes, &[RAM], &[("the image", IMAGE)])
    }

    #[test]
    fn a_pool_is_exactly_its_range() {
        let range = 0x4210_1000..0x4210_4000;
        assert_eq!(place(&[at(range.start, 0x3000)]), [Ok(range)]);
    }

    #[test]
    fn a_pool_that_is_not_all_ram_is_refused() {
        for start in [0x43ff_f000, 0x3fff_f000, 0x8000_0000] {
            assert_eq!(place(&[at(start, 0x2000)]), [Err(PoolFault::NotRam)]);
        }
    }

    #[test]
    fn a_pool_over_something_else_is_refused_with_its_name() {
        let refused = Err(PoolFault::Over("the image"));
        assert_eq!(place(&[at(IMAGE.end - 0x1000, 0x2000)]), [refused]);
        assert!(place(&[at(IMAGE.end, 0x2000)])[0].is_ok());
    }

    #[test]
    fn of_two_pools_in_one_place_neither_is_used() {
        let over = Err(PoolFault::Over("another pool"));
        let wishes = [
            at(0x4200_0000, 0x2000),
            at(0x4200_1000, 0x2000),
            at(0x4300_0000, 0x1000),
        ];
        assert_eq!(
            place(&wishes),
            [over.clone(), over, Ok(0x4300_0000..0x4300_1000)]
        );
        let free = place(&[at(0x4200_0000, 0x1000), at(0x4200_1000, 0x1000)]);
        assert!(free.iter().all(Result::is_ok));
    }

    #[test]
    fn a_pool_without_a_place_gets_the_highest_that_is_free() {
        let middle = 0x4100_0000..0x4180_0000;
        let wishes = [
            anywhere(0x3000, 0x1000, &[]),
            at(0x43ff_e000, 0x1000),
            anywhere(0x1000, 0x20_0000, &[]),
            anywhere(0x1000, 0x1000, slice::from_ref(&middle)),
        ];
        assert_eq!(
            place(&wishes),
            [
                Ok(0x43ff_b000..0x43ff_e000),
                Ok(0x43ff_e000..0x43ff_f000),
                Ok(0x43e0_0000..0x43e0_1000),
                Ok(0x417f_f000..0x4180_0000),
            ]
        );
    }

    #[test]
    fn pools_without_a_place_do_not_meet() {
        let room = 0x4200_0000..0x4200_2000;
        let one = anywhere(0x1000, 0x1000, slice::from_ref(&room));
        let found = place(&[one.clone(), one.clone(), one]);
        let none = Err(PoolFault::NoPlace { size: 0x1000 });
        assert_eq!(
            found,
            [
                Ok(0x4200_1000..0x4200_2000),
                Ok(0x4200_0000..0x4200_1000),
                none
            ]
        );
    }

    #[test]
    fn a_pool_that_fits_nowhere_is_refused() {
        for wish in [
            anywhere(0x800_0000, 0x1000, &[]),
            anywhere(!0xfff, 0x1000, &[]),
            anywhere(0x1000, 1 << 63, &[]),
            anywhere(0x1000, 0x1000, &[IMAGE]),
        ] {
            assert!(matches!(place(&[wish])[0], Err(PoolFault::NoPlace { .. })));
        }
    }
}
