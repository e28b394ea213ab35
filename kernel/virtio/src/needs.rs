//! How much memory a driver wants, and how it divides what it got.

use bounce::{Pool, Spacing, World};

use crate::Error;

/// Bytes of a pool for one device. Between the two a driver works with fewer slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// The least that the driver works with, whatever the sizes of the device's queues.
    pub least: usize,
    /// What it would like.
    pub wanted: usize,
}

impl Needs {
    /// `bytes`, no less and no more.
    pub(crate) fn exactly(bytes: usize) -> Self {
        Self {
            least: bytes,
            wanted: bytes,
        }
    }

    /// What `fixed` bytes and some slots need together.
    pub(crate) fn of(fixed: usize, slots: &[Want], spacing: Spacing) -> Self {
        let bytes = |count: fn(&Want) -> usize| {
            let each = slots.iter().map(|want| want.bytes(count(want), spacing));
            each.fold(fixed, usize::saturating_add)
        };
        Self {
            least: bytes(|want| want.least),
            wanted: bytes(|want| want.wanted),
        }
    }
}

/// A number of slots of one size.
#[derive(Clone, Copy)]
pub(crate) struct Want {
    pub(crate) least: usize,
    pub(crate) wanted: usize,
    /// Bytes of each.
    pub(crate) len: usize,
    /// What addresses of each are a multiple of; a power of two.
    pub(crate) align: usize,
}

impl Want {
    /// Bytes of `count` slots, with the gap that there may be before the first.
    fn bytes(&self, count: usize, spacing: Spacing) -> usize {
        let gap = if count == 0 { 0 } else { self.align };
        spacing
            .bytes(count, self.len, self.align)
            .saturating_add(gap)
    }
}

/// How many slots of each kind are leased from what is left of `pool`: what is wanted, or what fits,
/// in proportion, and no less than the least.
///
/// # Errors
///
/// [`Error::PoolTooSmall`].
pub(crate) fn divide<W: World, const N: usize>(
    pool: &Pool<W>,
    slots: [Want; N],
) -> Result<[usize; N], Error> {
    let spacing = pool.spacing();
    let needs = Needs::of(0, &slots, spacing);
    let left = pool.left();
    let Some(spare) = left.checked_sub(needs.least) else {
        let (size, more) = (pool.size(), needs.least - left);
        let least = size.saturating_add(more);
        return Err(Error::PoolTooSmall { size, least });
    };
    let more = needs.wanted - needs.least;
    Ok(slots.map(|want| {
        let extra = want.wanted - want.least;
        match extra.checked_mul(spare) {
            _ if more <= spare => want.wanted,
            Some(product) => want.least + product / more,
            None => want.least,
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_have_room_wherever_the_first_may_begin() {
        for spacing in [Spacing::Packed, Spacing::Strict] {
            let (align, len) = (64, 100);
            let want = |count| Want {
                least: count,
                wanted: count,
                len,
                align,
            };
            assert_eq!(Needs::of(7, &[want(0)], spacing), Needs::exactly(7));
            for (count, before) in [(1, 1), (3, 63)] {
                let first = usize::next_multiple_of(before, align);
                let end = first + spacing.bytes(count, len, align);
                assert!(Needs::of(before, &[want(count)], spacing).least >= end);
            }
        }
    }
}
