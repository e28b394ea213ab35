//! What a trapped instruction wanted, from its syndrome.
//!
//! Ref: Arm ARM, D24.2.39 (`ESR_EL2`).

/// Why the guest came to the monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trap {
    /// `smc`: a call of the RMM or of PSCI.
    Smc,
    /// `hvc`: undefined in a realm.
    Hvc,
    /// An instruction was fetched where none may be.
    Fetch,
    /// A load or a store went where stage 2 has nothing.
    Data,
    /// Anything else, with its exception class.
    Other(u8),
}

impl Trap {
    /// Reads the exception class of `esr`.
    #[must_use]
    pub const fn of(esr: u64) -> Self {
        match class(esr) {
            0x16 => Self::Hvc,
            0x17 => Self::Smc,
            0x20 => Self::Fetch,
            0x24 => Self::Data,
            other => Self::Other(other),
        }
    }
}

/// The exception class of `esr`.
#[must_use]
pub const fn class(esr: u64) -> u8 {
    ((esr >> 26) & 0x3f) as u8
}

/// Whether the fault came from a walk of the guest's own tables.
#[must_use]
pub const fn is_walk(esr: u64) -> bool {
    esr & (1 << 7) != 0
}

/// Whether a data abort was a store.
#[must_use]
pub const fn is_write(esr: u64) -> bool {
    esr & (1 << 6) != 0
}

/// Bytes that one access moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// One byte.
    Byte,
    /// Two bytes.
    Half,
    /// Four bytes.
    Word,
    /// Eight bytes.
    Double,
}

impl Width {
    /// The number of bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Byte => 1,
            Self::Half => 2,
            Self::Word => 4,
            Self::Double => 8,
        }
    }

    /// The bits of a register that take part.
    #[must_use]
    pub const fn mask(self) -> u64 {
        u64::MAX >> (64 - 8 * self.bytes())
    }
}

/// A load or store of one register, as a host can repeat it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Bytes moved.
    pub width: Width,
    /// A store, and not a load.
    pub write: bool,
    /// The register, 31 for the one that reads as zero.
    pub register: usize,
    /// A load fills the register with the sign.
    signed: bool,
    /// A load fills 64 bits and not 32.
    wide: bool,
}

impl Access {
    /// Decodes the syndrome of a data abort.
    ///
    /// `None` if the syndrome is not valid: pairs, write-back addressing, vector registers, atomics.
    /// A host cannot repeat such an access.
    #[must_use]
    pub const fn decode(esr: u64) -> Option<Self> {
        if esr & (1 << 24) == 0 {
            return None;
        }
        let width = match (esr >> 22) & 3 {
            0 => Width::Byte,
            1 => Width::Half,
            2 => Width::Word,
            _ => Width::Double,
        };
        Some(Self {
            width,
            write: is_write(esr),
            register: ((esr >> 16) & 31) as usize,
            signed: esr & (1 << 21) != 0,
            wide: esr & (1 << 15) != 0,
        })
    }

    /// What a load leaves in its register when the device gives `raw`.
    #[must_use]
    pub const fn loaded(self, raw: u64) -> u64 {
        let value = raw & self.width.mask();
        if !self.signed {
            return value;
        }
        let unused = 64 - 8 * self.width.bytes();
        let extended = ((value << unused).cast_signed() >> unused).cast_unsigned();
        if self.wide {
            extended
        } else {
            extended & 0xffff_ffff
        }
    }
}

/// The address of a stage 2 abort, from `HPFAR_EL2` and `FAR_EL2`.
#[must_use]
pub const fn fault_address(hpfar: u64, far: u64) -> u64 {
    ((hpfar >> 4) & 0xff_ffff_ffff) << 12 | far & 0xfff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_store_of_a_word_is_decoded() {
        // str w22, [x..]: ISV, SAS 2, SRT 22, WnR, translation fault level 1.
        let access = Access::decode(0x9396_0045).unwrap_or_else(|| panic!("valid"));
        assert_eq!(access.register, 22);
        assert!(access.write);
        // 0x9396_0045 has SAS = 2 (bits 23:22 = 0b10).
        assert_eq!(access.width, Width::Word);
    }

    #[test]
    fn a_store_with_write_back_has_no_valid_syndrome() {
        assert_eq!(Access::decode(0x9200_0045), None);
        assert!(is_write(0x9200_0045));
    }

    #[test]
    fn a_signed_load_fills_its_register_with_the_sign() {
        let byte = 1 << 24 | 1 << 21;
        let narrow = Access::decode(byte).unwrap();
        assert_eq!(narrow.loaded(0xfe80), 0xffff_ff80);
        let wide = Access::decode(byte | 1 << 15).unwrap();
        assert_eq!(wide.loaded(0x80), 0xffff_ffff_ffff_ff80);
        let unsigned = Access::decode(1 << 24).unwrap();
        assert_eq!(unsigned.loaded(0xfe80), 0x80);
        let double = Access::decode(1 << 24 | 3 << 22).unwrap();
        assert_eq!(double.loaded(u64::MAX), u64::MAX);
    }

    #[test]
    fn the_class_tells_the_traps_apart() {
        assert_eq!(Trap::of(0x5e00_0000), Trap::Smc);
        assert_eq!(Trap::of(0x5a00_0000), Trap::Hvc);
        assert_eq!(Trap::of(0x8200_000f), Trap::Fetch);
        assert_eq!(Trap::of(0x93c1_8007), Trap::Data);
        assert_eq!(Trap::of(0x6238_0405), Trap::Other(0x18));
    }

    #[test]
    fn the_address_is_made_of_page_and_offset() {
        assert_eq!(
            fault_address(0x0100_0090_0000, 0xffff_0000_0000_0018) & 0xfff,
            0x18
        );
        assert_eq!(fault_address(0x0009_0000, 0x123), 0x900_0123);
    }
}
