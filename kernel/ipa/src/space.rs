//! The shape of the address space: its width, and where its halves meet.

use crate::{AliasIpa, ProtectedIpa};

/// Widths that stage 1 with 4 KiB granules and 48-bit addresses can map.
const WIDTHS: core::ops::RangeInclusive<u32> = 32..=48;

/// The RMM gave a width that no stage 1 of ours can cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WidthError {
    /// The width, in bits.
    pub width: u64,
}

impl core::fmt::Display for WidthError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "IPA width of {} bits is outside 32 to 48", self.width)
    }
}

/// An IPA space, of a realm or of an ordinary machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpaSpace {
    width: u32,
    shared_bit: u64,
}

impl IpaSpace {
    /// Describes the space of a realm. `width` is in bits and includes the shared bit.
    ///
    /// # Errors
    ///
    /// [`WidthError`] outside 32 to 48.
    pub fn realm(width: u64) -> Result<Self, WidthError> {
        let bits = u32::try_from(width).map_err(|_| WidthError { width })?;
        if !WIDTHS.contains(&bits) {
            return Err(WidthError { width });
        }
        Ok(Self {
            width: bits,
            shared_bit: 1 << (bits - 1),
        })
    }

    /// Describes an ordinary machine: 48 bits, no halves.
    pub const fn plain() -> Self {
        Self {
            width: 48,
            shared_bit: 0,
        }
    }

    /// Width in bits, shared bit included.
    pub const fn width(self) -> u32 {
        self.width
    }

    /// Whether the space has two halves.
    pub const fn is_realm(self) -> bool {
        self.shared_bit != 0
    }

    /// The bit that tells the halves apart; 0 outside a realm.
    pub const fn shared_bit(self) -> u64 {
        self.shared_bit
    }

    /// First address behind everything that can be private.
    pub const fn protected_limit(self) -> u64 {
        if self.is_realm() {
            self.shared_bit
        } else {
            1 << self.width
        }
    }

    /// Takes `address` as one of the protected half; `None` if it lies elsewhere.
    pub fn protected(self, address: u64) -> Option<ProtectedIpa> {
        (address < self.protected_limit()).then_some(ProtectedIpa(address))
    }

    /// The alias of a protected address in the shared half; outside a realm the address itself.
    pub const fn alias(self, of: ProtectedIpa) -> AliasIpa {
        AliasIpa(of.0 | self.shared_bit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_bit_of_a_realm_tells_the_halves_apart() {
        let space = IpaSpace::realm(33).unwrap();
        assert_eq!(space.shared_bit(), 1 << 32);
        let uart = space.protected(0x0100_0000).unwrap();
        assert_eq!(space.alias(uart).get(), 0x1_0100_0000);
        assert_eq!(space.protected(1 << 32), None);
    }

    #[test]
    fn outside_a_realm_an_alias_is_the_address_itself() {
        let space = IpaSpace::plain();
        let uart = space.protected(0x0900_0000).unwrap();
        assert_eq!(space.alias(uart).get(), 0x0900_0000);
    }

    #[test]
    fn widths_that_cannot_be_mapped_are_refused() {
        for width in [0, 1, 31, 49, 52, 64, u64::MAX] {
            assert_eq!(IpaSpace::realm(width), Err(WidthError { width }));
        }
    }
}
