//! The interrupt controller reads and writes memory by itself, past the SMMU: each table that it is
//! told of has to lie in shared pages, and to stay there.
//!
//! Ref: Arm IHI 0069 H, 12.9 and 12.11 to 12.19; ITS commands in chapter 5.

mod its;
mod tables;

pub use self::its::{COMMAND, Command, ItsBase};
pub use self::tables::{Tables, device, register, second_level};
use core::ops::Range;

/// A register that holds the address of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Register {
    /// Configuration of LPIs, of the redistributor at this offset.
    Configuration(u64),
    /// Pending LPIs, of the redistributor at this offset.
    Pending(u64),
    /// Command queue of the ITS.
    Commands,
    /// Table number n of the ITS.
    Base(u64),
    /// End of the new commands of the ITS.
    Writer,
}

/// Bytes in one redistributor's pair of frames.
const REDISTRIBUTOR: u64 = 0x2_0000;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
const VALID: u64 = 1 << 63;

impl Register {
    /// The register of a redistributor that an access at `offset` touches.
    #[must_use]
    pub const fn of_redistributor(offset: u64) -> Option<Self> {
        let frame = offset / REDISTRIBUTOR * REDISTRIBUTOR;
        match offset - frame {
            0x70..0x78 => Some(Self::Configuration(frame)),
            0x78..0x80 => Some(Self::Pending(frame)),
            _ => None,
        }
    }

    /// The register of the ITS that an access at `offset` touches.
    #[must_use]
    pub const fn of_its(offset: u64) -> Option<Self> {
        match offset {
            0x80..0x88 => Some(Self::Commands),
            0x88..0x90 => Some(Self::Writer),
            0x100..0x140 => Some(Self::Base((offset - 0x100) / 8)),
            _ => None,
        }
    }

    /// Where the register begins, from the start of its region.
    #[must_use]
    pub const fn offset(self) -> u64 {
        match self {
            Self::Configuration(frame) => frame + 0x70,
            Self::Pending(frame) => frame + 0x78,
            Self::Commands => 0x80,
            Self::Writer => 0x88,
            Self::Base(number) => 0x100 + 8 * number,
        }
    }

    /// The memory that the controller uses when the register holds `value`; empty if none.
    ///
    /// `bits` is the size of LPI numbers minus one, which the pending table's size follows from.
    #[must_use]
    pub fn table(self, value: u64, bits: u64) -> Range<u64> {
        let lpis = 1u64 << (bits.clamp(13, 31) + 1);
        let (address, size) = match self {
            Self::Configuration(_) => (value & ADDRESS, lpis - 8192),
            Self::Pending(_) => (value & ADDRESS & !0xffff, lpis / 8),
            Self::Commands if value & VALID != 0 => (value & ADDRESS, ((value & 0xff) + 1) << 12),
            Self::Base(_) if value & VALID != 0 => {
                let base = ItsBase(value);
                (base.address(), base.size())
            }
            Self::Commands | Self::Base(_) | Self::Writer => (0, 0),
        };
        if address == 0 {
            0..0
        } else {
            address..address.saturating_add(size)
        }
    }
}

/// What a 64-bit register holds after a store of `width` bytes of `value` at `offset` in it.
#[must_use]
pub const fn merge(old: u64, offset: u64, bytes: u64, value: u64) -> u64 {
    if bytes >= 8 {
        return value;
    }
    let shift = 8 * (offset % 8);
    let mask = ((1 << (8 * bytes)) - 1) << shift;
    old & !mask | value << shift & mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_that_hold_addresses_are_known_by_their_offsets() {
        assert_eq!(Register::of_its(0x104), Some(Register::Base(0)));
        assert_eq!(Register::of_its(0x138), Some(Register::Base(7)));
        assert_eq!(Register::of_its(0x140), None);
        assert_eq!(
            Register::of_redistributor(0x2_0078),
            Some(Register::Pending(0x2_0000))
        );
        assert_eq!(Register::of_redistributor(0x1_0070), None);
        for register in [Register::Commands, Register::Writer, Register::Base(3)] {
            assert_eq!(Register::of_its(register.offset()), Some(register));
        }
    }

    #[test]
    fn a_table_is_as_long_as_its_register_says() {
        let commands = Register::Commands;
        assert_eq!(
            commands.table(VALID | 0x4500_000f, 0),
            0x4500_0000..0x4501_0000
        );
        assert!(commands.table(0x4500_000f, 0).is_empty());
        // 64 KiB pages, two of them.
        let base = VALID | 0x4501_0000 | 2 << 8 | 1;
        assert_eq!(Register::Base(0).table(base, 0), 0x4501_0000..0x4503_0000);
        let configuration = Register::Configuration(0).table(0x4500_078f, 15);
        assert_eq!(configuration, 0x4500_0000..0x4500_e000);
        assert_eq!(
            Register::Pending(0).table(0x4501_0780, 15),
            0x4501_0000..0x4501_2000
        );
    }

    #[test]
    fn halves_of_a_register_are_put_together() {
        assert_eq!(
            merge(0x1111_2222_3333_4444, 4, 4, 0xaaaa_bbbb),
            0xaaaa_bbbb_3333_4444
        );
        assert_eq!(
            merge(0x1111_2222_3333_4444, 0, 4, 0xaaaa_bbbb),
            0x1111_2222_aaaa_bbbb
        );
        assert_eq!(merge(1, 0, 8, 7), 7);
    }
}
