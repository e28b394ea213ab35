//! How close slots lie to one another.

/// Bytes of a granule: the least that can be shared, and the least that an SMMU maps.
pub(crate) const GRANULE: usize = 4096;

/// How close slots lie to one another. Pools never share a granule; this is about the slots of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spacing {
    /// Slots lie close: only devices are kept apart by granules.
    #[default]
    Packed,
    /// Each slot has granules of its own, and what lies behind its content is cleared before it is
    /// lent.
    Strict,
}

impl Spacing {
    /// What a slot of `len` bytes at a multiple of `align` takes: bytes and alignment; `None` if
    /// that does not fit a number.
    pub(crate) fn footprint(self, len: usize, align: usize) -> Option<(usize, usize)> {
        match self {
            Self::Packed => Some((len, align)),
            Self::Strict => Some((len.checked_next_multiple_of(GRANULE)?, align.max(GRANULE))),
        }
    }

    /// Bytes that `count` slots of `len` bytes at multiples of `align`, a power of two, take when
    /// they are leased one after the other from a pool of their own.
    pub const fn bytes(self, count: usize, len: usize, align: usize) -> usize {
        let align = match self {
            Self::Strict if align < GRANULE => GRANULE,
            _ => align,
        };
        count.saturating_mul(len.next_multiple_of(align))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strict_slot_takes_whole_granules() {
        assert_eq!(Spacing::Packed.footprint(17, 64), Some((17, 64)));
        assert_eq!(Spacing::Strict.footprint(17, 64), Some((4096, 4096)));
        assert_eq!(Spacing::Strict.footprint(4097, 8192), Some((8192, 8192)));
        assert_eq!(Spacing::Strict.footprint(usize::MAX, 1), None);
    }

    #[test]
    fn bytes_of_many_slots_are_those_of_their_footprints() {
        assert_eq!(Spacing::Packed.bytes(3, 17, 64), 192);
        assert_eq!(Spacing::Strict.bytes(3, 17, 64), 3 * 4096);
        assert_eq!(Spacing::Strict.bytes(2, 5000, 64), 4 * 4096);
        assert_eq!(Spacing::Strict.bytes(2, 100, 8192), 2 * 8192);
    }
}
