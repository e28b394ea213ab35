//! Runs of addresses.

use core::fmt;

use ipa::IpaSpace;

/// A non-empty run of addresses in the protected half, without the shared bit. It does not wrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    base: u64,
    len: u64,
}

impl AddressRange {
    /// Takes `len` bytes at `base`; `None` if that is empty, wraps, or leaves the protected half.
    pub fn new(space: IpaSpace, base: u64, len: u64) -> Option<Self> {
        let top = base.checked_add(len)?;
        (len != 0 && top <= space.protected_limit()).then_some(Self { base, len })
    }

    /// First address.
    pub const fn base(self) -> u64 {
        self.base
    }

    /// Bytes; never 0.
    #[expect(clippy::len_without_is_empty, reason = "a range is never empty")]
    pub const fn len(self) -> u64 {
        self.len
    }

    /// First address behind the range.
    pub const fn top(self) -> u64 {
        self.base + self.len
    }

    /// Whether the two share an address.
    pub const fn overlaps(self, other: Self) -> bool {
        self.base < other.top() && other.base < self.top()
    }

    /// Whether all of `other` lies in this range.
    pub const fn contains(self, other: Self) -> bool {
        self.base <= other.base && other.top() <= self.top()
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}-{:#x}", self.base, self.top() - 1)
    }
}
