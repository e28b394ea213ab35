//! Configuration space of a function.
//!
//! Ref: PCI Express Base 6.0, 7.5.1; virtio 1.2, 4.1.4.

use crate::liar::Liar;
use crate::place::Point;
use crate::queue::Voice;
use crate::vectors::COUNT;

/// Bytes behind the only BAR, which is number 0 and has 64 bits.
pub const BAR_SIZE: u64 = 0x8000;
/// Where the parts lie in the BAR.
pub const COMMON: u64 = 0;
/// Interrupt status.
pub const ISR: u64 = 0x1000;
/// Device configuration.
pub const DEVICE: u64 = 0x2000;
/// Doorbells, 4 bytes apart.
pub const NOTIFY: u64 = 0x3000;
/// Table of MSI-X.
pub const TABLE: u64 = 0x4000;
/// Pending bits of MSI-X, which are all 0.
pub const PENDING: u64 = 0x5000;

const BAR_LOW: u64 = 0x10;
const BAR_HIGH: u64 = 0x14;
const COMMAND: u64 = 4;
/// Memory, of 64 bits.
const BAR_KIND: u32 = 4;
const BYTES: usize = 0x100;
/// Where the capability of MSI-X is, and its control register.
const MSI_X: usize = 0x90;
const MSI_X_CONTROL: u64 = MSI_X as u64 + 2;

/// The registers.
#[derive(Clone, Debug)]
pub struct Config {
    bytes: [u8; BYTES],
}

impl Config {
    /// A virtio function of type `kind`, with interrupt pin A.
    #[must_use]
    pub fn new(kind: u16) -> Self {
        let mut config = Self { bytes: [0; BYTES] };
        config.put(0x00, &0x1af4u16.to_le_bytes());
        config.put(0x02, &(0x1040 + kind).to_le_bytes());
        // There is a list of capabilities.
        config.put(0x06, &[0x10, 0]);
        config.put(0x08, &[1, 0, 0, 0xff]);
        config.put(0x10, &BAR_KIND.to_le_bytes());
        config.put(0x2c, &0x1af4u16.to_le_bytes());
        config.put(0x2e, &kind.to_le_bytes());
        config.put(0x34, &[0x40]);
        config.put(0x3d, &[1]);
        let mut at = 0x40;
        for (part, offset, len) in [
            (1, COMMON, 0x38),
            (3, ISR, 4),
            (4, DEVICE, 0x100),
            (2, NOTIFY, 0x100),
        ] {
            config.capability(at, part, (offset, len));
            at += 0x14;
        }
        config.msi_x();
        config
    }

    /// A vendor capability of 20 bytes; the last, for doorbells, says how far apart they are.
    fn capability(&mut self, at: usize, part: u8, (offset, len): (u64, u32)) {
        let last = part == 2;
        let next = if last { MSI_X } else { at + 0x14 };
        let [next, ..] = next.to_le_bytes();
        self.put(at, &[9, next, 0x14, part, 0, 0, 0, 0]);
        let [o0, o1, o2, o3, ..] = offset.to_le_bytes();
        self.put(at + 8, &[o0, o1, o2, o3]);
        self.put(at + 12, &len.to_le_bytes());
        if last {
            self.put(at + 16, &4u32.to_le_bytes());
        }
    }

    fn msi_x(&mut self) {
        let [last, ..] = (COUNT - 1).to_le_bytes();
        self.put(MSI_X, &[0x11, 0, last, 0]);
        for (at, place) in [(4, TABLE), (8, PENDING)] {
            let [a, b, c, d, ..] = place.to_le_bytes();
            self.put(MSI_X + at, &[a, b, c, d]);
        }
    }

    /// Ends the list of capabilities before that of messages, which is the last.
    pub fn lose_messages(&mut self) {
        let before = MSI_X - 0x14;
        self.put(before + 1, &[0]);
    }

    /// Whether interrupts are messages now, and not masked.
    #[must_use]
    pub fn sends_messages(&self) -> bool {
        const ENABLE: u64 = 1 << 15;
        const MASK: u64 = 1 << 14;
        self.get(MSI_X_CONTROL, 2) & (ENABLE | MASK) == ENABLE
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.bytes.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    fn get(&self, offset: u64, bytes: u32) -> u64 {
        let start = usize::try_from(offset).unwrap_or(BYTES);
        let found = self.bytes.iter().skip(start).take(bytes as usize);
        found
            .rev()
            .fold(0, |value, byte| value << 8 | u64::from(*byte))
    }

    /// Reads `bytes` bytes at `offset`.
    pub fn read(&self, offset: u64, bytes: u32, liar: &mut Liar, voice: Voice) -> u64 {
        let point = match offset {
            0x00..0x04 | 0x08..0x0c | 0x2c..0x30 => Point::Identity,
            0x04..0x08 => Point::Command,
            0x10..0x28 => Point::Bars,
            0x34 | 0x40..0x100 => Point::Capabilities,
            _ => Point::Header,
        };
        liar.say(voice.place(point), self.get(offset, bytes), 8 * bytes)
    }

    /// Writes: the command, and the BAR; all else stays as it is.
    pub fn write(&mut self, offset: u64, bytes: u32, value: u64) {
        let low = value.to_le_bytes();
        let [b0, b1, b2, b3, ..] = low;
        let word = u32::from_le_bytes([b0, b1, b2, b3]);
        match (offset, bytes) {
            (COMMAND, 2 | 4) => self.put(0x04, &[b0 & 7, b1 & 4]),
            (BAR_LOW, 4) => {
                let mask = !(u32::try_from(BAR_SIZE).unwrap_or(u32::MAX) - 1);
                self.put(0x10, &(word & mask | BAR_KIND).to_le_bytes());
            }
            (BAR_HIGH, 4) => self.put(0x14, &word.to_le_bytes()),
            (MSI_X_CONTROL, 2) => self.put(MSI_X + 3, &[b1 & 0xc0]),
            _ => {}
        }
    }

    /// Where the BAR is, while it answers.
    #[must_use]
    pub fn bar(&self) -> Option<u64> {
        const MEMORY: u64 = 2;
        let address = self.get(BAR_HIGH, 4) << 32 | self.get(BAR_LOW, 4) & !0xf;
        (self.get(COMMAND, 2) & MEMORY != 0 && address != 0).then_some(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_says_its_size_and_answers_when_it_is_told() {
        let mut config = Config::new(2);
        let mut liar = Liar::default();
        config.write(0x10, 4, 0xffff_ffff);
        config.write(0x14, 4, 0xffff_ffff);
        let low = config.read(0x10, 4, &mut liar, Voice::OF_A_DISK);
        assert_eq!(low, 0xffff_8004);
        config.write(0x10, 4, 0x1000_8000);
        config.write(0x14, 4, 0x80);
        assert_eq!(config.bar(), None);
        config.write(4, 2, 6);
        assert_eq!(config.bar(), Some(0x80_1000_8000));
    }

    #[test]
    fn messages_are_sent_while_they_are_on_and_not_masked() {
        let mut config = Config::new(2);
        assert!(!config.sends_messages());
        for (control, sends) in [(0x8000, true), (0xc000, false), (0x4000, false)] {
            config.write(MSI_X_CONTROL, 2, control);
            assert_eq!(config.sends_messages(), sends, "{control:#x}");
        }
    }

    #[test]
    fn what_is_written_elsewhere_is_lost() {
        let mut config = Config::new(2);
        let before = config.bytes;
        for offset in (0..0x1000).filter(|at| !matches!(*at, 4 | 0x10 | 0x14 | MSI_X_CONTROL)) {
            config.write(offset, 4, u64::MAX);
        }
        assert_eq!(config.bytes, before);
    }
}
