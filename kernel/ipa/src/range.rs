//! Runs of whole granules.

use crate::{GRANULE_SIZE, IpaSpace, ProtectedIpa};

/// Why a pair of numbers is not a run of granules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeError {
    /// Nothing in it, or it ends before it begins.
    Empty,
    /// An end is not a multiple of 4096.
    Unaligned,
    /// It leaves the protected half.
    OutOfHalf,
}

/// A non-empty run of whole granules in the protected half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GranuleRange {
    base: ProtectedIpa,
    top: u64,
}

impl GranuleRange {
    /// Takes `[base, top)`, bytes, as granules of `space`.
    ///
    /// # Errors
    ///
    /// [`RangeError`] says what is wrong with the pair.
    pub fn new(space: IpaSpace, base: u64, top: u64) -> Result<Self, RangeError> {
        if base >= top {
            return Err(RangeError::Empty);
        }
        if !base.is_multiple_of(GRANULE_SIZE) || !top.is_multiple_of(GRANULE_SIZE) {
            return Err(RangeError::Unaligned);
        }
        if top > space.protected_limit() {
            return Err(RangeError::OutOfHalf);
        }
        let base = space.protected(base).ok_or(RangeError::OutOfHalf)?;
        Ok(Self { base, top })
    }

    /// First address.
    pub const fn base(self) -> ProtectedIpa {
        self.base
    }

    /// First address behind the run.
    pub const fn top(self) -> u64 {
        self.top
    }

    /// Length in bytes; never 0.
    #[expect(clippy::len_without_is_empty, reason = "a run is never empty")]
    pub const fn len(self) -> u64 {
        self.top - self.base.get()
    }

    /// The part of the run from `base` to `top`; `None` if that is empty, not whole granules, or
    /// not inside the run.
    pub const fn part(self, base: u64, top: u64) -> Option<Self> {
        let inside = self.base.get() <= base && base < top && top <= self.top;
        let whole = base.is_multiple_of(GRANULE_SIZE) && top.is_multiple_of(GRANULE_SIZE);
        if !inside || !whole {
            return None;
        }
        Some(Self {
            base: ProtectedIpa(base),
            top,
        })
    }

    /// Whether the two runs share a granule.
    pub const fn overlaps(self, other: Self) -> bool {
        self.base.get() < other.top && other.base.get() < self.top
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_whole_granules_of_the_protected_half() {
        let space = IpaSpace::realm(33).unwrap();
        let range = GranuleRange::new(space, 0x8000_0000, 0x8020_0000).unwrap();
        assert_eq!(range.len(), 0x20_0000);
        assert_eq!(GranuleRange::new(space, 4096, 4096), Err(RangeError::Empty));
        assert_eq!(
            GranuleRange::new(space, 1, 4096),
            Err(RangeError::Unaligned)
        );
        assert_eq!(
            GranuleRange::new(space, 0, (1 << 32) + 4096),
            Err(RangeError::OutOfHalf)
        );
    }

    #[test]
    fn a_part_lies_inside_and_is_whole_granules() {
        let whole = GranuleRange::new(IpaSpace::plain(), 0x4000, 0x8000).unwrap();
        let part = whole.part(0x5000, 0x8000).unwrap();
        assert_eq!((part.base().get(), part.top()), (0x5000, 0x8000));
        for (base, top) in [
            (0x3000, 0x8000),
            (0x4000, 0x9000),
            (0x5000, 0x5000),
            (0x4800, 0x5000),
            (0x4000, 0x4800),
        ] {
            assert_eq!(whole.part(base, top), None, "{base:#x} to {top:#x}");
        }
    }

    #[test]
    fn neighbours_do_not_overlap() {
        let space = IpaSpace::plain();
        let one = GranuleRange::new(space, 0, 8192).unwrap();
        let two = GranuleRange::new(space, 8192, 12288).unwrap();
        assert!(!one.overlaps(two));
        assert!(one.overlaps(GranuleRange::new(space, 4096, 12288).unwrap()));
    }
}
