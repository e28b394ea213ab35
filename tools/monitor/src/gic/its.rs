//! Tables and commands of the interrupt translation service.

use core::ops::Range;

use super::{ADDRESS, VALID};

/// Bytes of one command.
pub const COMMAND: u64 = 32;
const MAPD: u64 = 8;
const DEVICES: u64 = 1;

/// A value of `GITS_BASER<n>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItsBase(pub u64);

impl ItsBase {
    /// Bytes of one page of the table.
    #[must_use]
    pub const fn page(self) -> u64 {
        match self.0 >> 8 & 3 {
            0 => 0x1000,
            1 => 0x4000,
            _ => 0x1_0000,
        }
    }

    /// First byte of the table.
    #[must_use]
    pub const fn address(self) -> u64 {
        let address = self.0 & 0x0000_ffff_ffff_f000;
        if self.page() == 0x1_0000 {
            return address & !0xf000 | (self.0 >> 12 & 0xf) << 48;
        }
        address
    }

    /// Bytes of the table.
    #[must_use]
    pub const fn size(self) -> u64 {
        ((self.0 & 0xff) + 1) * self.page()
    }

    /// Where the entry of the first level is that leads to `device`, if this is a table of devices
    /// with two levels.
    #[must_use]
    pub const fn first_level(self, device: u64) -> Option<u64> {
        const INDIRECT: u64 = 1 << 62;
        if self.0 & (VALID | INDIRECT) != VALID | INDIRECT || self.0 >> 56 & 7 != DEVICES {
            return None;
        }
        let entry = (self.0 >> 48 & 0x1f) + 1;
        let at = device / (self.page() / entry) * 8;
        if at < self.size() {
            Some(self.address() + at)
        } else {
            None
        }
    }

    /// The table of the second level that `entry` of the first points to; empty if none.
    #[must_use]
    pub const fn second_level(self, entry: u64) -> Range<u64> {
        if entry & VALID == 0 {
            return 0..0;
        }
        let address = entry & ADDRESS;
        address..address.saturating_add(self.page())
    }
}

/// A command that tells the ITS of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// A device's table of interrupts.
    MapDevice {
        /// The device.
        device: u64,
        /// First byte and one past the last.
        table: (u64, u64),
    },
    /// A device loses its table.
    UnmapDevice {
        /// The device.
        device: u64,
    },
}

impl Command {
    /// Decodes the first three words of a command; `entry` is the size of a table's entry in bytes.
    ///
    /// `None` for commands that do not tell of memory.
    #[must_use]
    pub const fn decode(words: [u64; 3], entry: u64) -> Option<Self> {
        let [head, size, address] = words;
        if head & 0xff != MAPD {
            return None;
        }
        let device = head >> 32;
        if address & VALID == 0 {
            return Some(Self::UnmapDevice { device });
        }
        let start = address & 0x000f_ffff_ffff_ff00;
        let bytes = (2u64 << (size & 0x1f)) * entry;
        Some(Self::MapDevice {
            device,
            table: (start, start.saturating_add(bytes)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_mapped_with_its_table() {
        let words = [0x10 << 32 | 8, 4, VALID | 0x4500_0100];
        let expected = Command::MapDevice {
            device: 0x10,
            table: (0x4500_0100, 0x4500_0280),
        };
        assert_eq!(Command::decode(words, 12), Some(expected));
        let gone = Command::decode([0x10 << 32 | 8, 4, 0x4500_0100], 12);
        assert_eq!(gone, Some(Command::UnmapDevice { device: 0x10 }));
        assert_eq!(Command::decode([0x10 << 32 | 0xa, 0, VALID], 12), None);
    }

    #[test]
    fn two_levels_are_walked_by_device() {
        // Valid, indirect, devices, 8-byte entries, 64 KiB pages, one page.
        let base = ItsBase(VALID | 1 << 62 | 1 << 56 | 7 << 48 | 2 << 8 | 0x4501_0000);
        assert_eq!(base.first_level(0x10), Some(0x4501_0000));
        assert_eq!(base.first_level(0x2001), Some(0x4501_0008));
        assert_eq!(base.first_level(u64::MAX >> 8), None);
        assert_eq!(
            base.second_level(VALID | 0x4600_0000),
            0x4600_0000..0x4601_0000
        );
        assert!(base.second_level(0x4600_0000).is_empty());
        let flat = ItsBase(VALID | 1 << 56 | 7 << 48);
        assert_eq!(flat.first_level(0), None);
    }
}
