//! How a range falls into entries of a realm's translation tables.

use crate::GRANULE;

/// One translation table entry: a block or a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// First address.
    pub base: u64,
    /// First address behind it.
    pub top: u64,
}

/// The level at which KVM lets the tables of a realm with `ipa_bits` start: 0 to 3.
///
/// KVM concatenates as many tables as it may (16), so four bits more fit without another level.
pub const fn start_level(ipa_bits: u8) -> u8 {
    match ipa_bits {
        0..=25 => 3,
        26..=34 => 2,
        35..=43 => 1,
        _ => 0,
    }
}

/// The entries of `[base, top)`, ascending: at each step the largest block that is aligned and fits.
///
/// `RTT_INIT_RIPAS` extends the RIM once per entry, so the split is part of the measurement. Blocks
/// exist below the start level only as far as level 1: 1 GiB, 2 MiB, then pages of 4 KiB.
#[derive(Clone, Debug)]
pub struct Entries {
    next: u64,
    top: u64,
    largest: u64,
}

impl Entries {
    /// Splits `[base, top)`. Both are cut to granules: `base` down, `top` up.
    pub const fn new(base: u64, top: u64, start_level: u8) -> Self {
        Self {
            next: base - base % GRANULE,
            top: match top.checked_next_multiple_of(GRANULE) {
                Some(top) => top,
                None => u64::MAX - (GRANULE - 1),
            },
            largest: match start_level {
                0 | 1 => 1 << 30,
                2 => 1 << 21,
                _ => GRANULE,
            },
        }
    }
}

impl Iterator for Entries {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        let left = self.top.checked_sub(self.next).filter(|left| *left > 0)?;
        let base = self.next;
        let mut size = self.largest;
        while size > GRANULE && (size > left || !base.is_multiple_of(size)) {
            size >>= 9;
        }
        let top = base + size;
        self.next = top;
        Some(Entry { base, top })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::vec::Vec;

    const MIB: u64 = 1 << 20;

    fn sizes(base: u64, top: u64, ipa_bits: u8) -> Vec<u64> {
        Entries::new(base, top, start_level(ipa_bits))
            .map(|entry| entry.top - entry.base)
            .collect()
    }

    #[test]
    fn a_33_bit_realm_has_blocks_of_2_mib_only() {
        assert_eq!(sizes(0x8000_0000, 0xc000_0000, 33), [2 * MIB; 512]);
    }

    #[test]
    fn a_41_bit_realm_has_blocks_of_1_gib_too() {
        assert_eq!(sizes(0x4000_0000, 0x8000_0000, 41), [1 << 30]);
        let uneven = sizes(0x4000_0000, 0x8040_1000, 41);
        assert_eq!(uneven, [1 << 30, 2 * MIB, 2 * MIB, 4096]);
    }

    #[test]
    fn an_unaligned_start_climbs_by_pages_to_the_next_block() {
        let split = sizes(0x801f_f000, 0x8040_0000, 33);
        assert_eq!(split, [4096, 2 * MIB]);
    }

    #[test]
    fn the_entries_cover_the_range_without_a_gap() {
        for (base, top) in [
            (0, 0x4020_3000),
            (0x1000, 0x8000_0000),
            (0x3fff_f000, 1 << 32),
        ] {
            let mut at = base;
            for entry in Entries::new(base, top, 1) {
                assert_eq!(entry.base, at);
                at = entry.top;
            }
            assert_eq!(at, top);
        }
    }

    #[test]
    fn nothing_and_backwards_have_no_entries() {
        assert_eq!(sizes(0x1000, 0x1000, 33), []);
        assert_eq!(sizes(0x2000, 0x1000, 33), []);
    }

    #[test]
    fn the_start_level_follows_maximal_concatenation() {
        let levels = [25, 26, 33, 34, 35, 41, 43, 44, 48].map(start_level);
        assert_eq!(levels, [3, 2, 2, 2, 1, 1, 1, 0, 0]);
    }
}
