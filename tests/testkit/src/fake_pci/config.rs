//! Configuration space of one function.

const COMMAND: usize = 0x04;
const STATUS: usize = 0x06;
const FIRST_BAR: usize = 0x10;
const CAPABILITIES: usize = 0x34;
const PIN: usize = 0x3d;
const DECODES: u8 = 0b11;

/// Configuration space of one function: 256 bytes, and which bits of its BARs can be written.
#[derive(Clone, Debug)]
pub struct ConfigSpace {
    bytes: [u8; 256],
    masks: [u32; 6],
    /// Whether writing a BAR that decodes breaks the VMM, as with lkvm.
    fragile: bool,
    /// Whether a BAR takes no address: it can be sized, and stays where it is.
    stubborn: bool,
    /// What the command register was whenever a BAR was written.
    commands_at_bars: Vec<u16>,
    /// Where the next capability goes.
    next_capability: usize,
    /// The byte that points to it.
    link: usize,
}

impl ConfigSpace {
    /// An endpoint with a wired interrupt and no BARs.
    pub fn endpoint(vendor: u16, device: u16, class: u32) -> Self {
        let mut config = Self::raw([0; 256]);
        config.set16(0x00, vendor);
        config.set16(0x02, device);
        config.set32(0x08, class << 8 | 1);
        config.bytes[PIN] = 1;
        config
    }

    /// Exactly these bytes, whatever they mean; BARs cannot be written.
    pub fn raw(bytes: [u8; 256]) -> Self {
        Self {
            bytes,
            masks: [0; 6],
            fragile: false,
            stubborn: false,
            commands_at_bars: Vec::new(),
            next_capability: 0x40,
            link: CAPABILITIES,
        }
    }

    /// A BAR of `size` bytes at `address`, with the flags of its kind. A 64-bit one takes two.
    #[must_use]
    pub fn bar(mut self, index: usize, flags: u32, size: u64, address: u64) -> Self {
        let mask = !(size - 1);
        self.masks[index] = mask as u32 & if flags & 1 == 1 { !3 } else { !0xf };
        self.set32(FIRST_BAR + 4 * index, address as u32 | flags);
        if flags & 0b111 == 0b100 {
            self.masks[index + 1] = (mask >> 32) as u32;
            self.set32(FIRST_BAR + 4 * index + 4, (address >> 32) as u32);
        }
        self
    }

    /// Which bits of the BARs can be written, whatever that means.
    #[must_use]
    pub fn masks(mut self, masks: [u32; 6]) -> Self {
        self.masks = masks;
        self
    }

    /// Decoding is on, and writing a BAR breaks the VMM until it is off.
    #[must_use]
    pub fn decoding(mut self) -> Self {
        self.bytes[COMMAND] = DECODES;
        self.fragile = true;
        self
    }

    /// BARs can be sized, and take no address.
    #[must_use]
    pub fn stubborn(mut self) -> Self {
        self.stubborn = true;
        self
    }

    /// Appends a capability of `id` with `body` behind its two first bytes; says where.
    pub fn capability(&mut self, id: u8, body: &[u8]) -> usize {
        let at = self.next_capability;
        self.bytes[STATUS] |= 1 << 4;
        self.bytes[self.link] = at as u8;
        self.bytes[at] = id;
        self.bytes[at + 2..at + 2 + body.len()].copy_from_slice(body);
        self.link = at + 1;
        self.next_capability = (at + 2 + body.len()).next_multiple_of(4);
        at
    }

    /// All bytes, to be changed at will.
    pub fn bytes(&mut self) -> &mut [u8; 256] {
        &mut self.bytes
    }

    /// Stores a halfword at `at`.
    pub fn set16(&mut self, at: usize, value: u16) {
        self.bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }

    /// Stores a word at `at`.
    pub fn set32(&mut self, at: usize, value: u32) {
        self.bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }

    /// The command register.
    pub fn command(&self) -> u16 {
        self.read(COMMAND, 2) as u16
    }

    /// What the command register was, each time that a BAR was written.
    pub fn commands_at_bars(&self) -> &[u16] {
        &self.commands_at_bars
    }

    pub(super) fn read(&self, at: usize, size: u8) -> u32 {
        let byte = |i| self.bytes.get(at + i).copied().unwrap_or(0);
        (0..usize::from(size)).fold(0, |sum, i| sum | u32::from(byte(i)) << (8 * i))
    }

    /// Writes what can be written: command, BARs, and everything behind the header.
    pub(super) fn write(&mut self, at: usize, size: u8, value: u32) -> Result<(), &'static str> {
        let bars = FIRST_BAR..FIRST_BAR + 24;
        if bars.contains(&at) {
            self.commands_at_bars.push(self.command());
            if self.fragile && self.bytes[COMMAND] & DECODES != 0 {
                return Err("a BAR was written while it decodes");
            }
            if self.stubborn && ![0, u32::MAX].contains(&value) {
                return Ok(());
            }
            let index = (at - FIRST_BAR) / 4;
            let fixed = self.read(at, 4) & !self.masks[index];
            self.set32(at, value & self.masks[index] | fixed);
        } else if at == COMMAND || (0x40..256).contains(&at) {
            let bytes = value.to_le_bytes();
            // The status behind the command keeps its content: whoever writes 1 to it clears an error.
            let room = if at == COMMAND { 2 } else { 256 - at };
            let len = usize::from(size).min(room);
            self.bytes[at..at + len].copy_from_slice(&bytes[..len]);
        }
        Ok(())
    }

    /// The BAR and the offset in it that answers at `address`.
    pub(super) fn decode(&self, address: u64) -> Option<(u8, u64)> {
        if self.bytes[COMMAND] & 0b10 == 0 {
            return None;
        }
        let mut index = 0;
        while index < 6 {
            let low = self.read(FIRST_BAR + 4 * index, 4);
            let is_64 = low & 0b111 == 0b100 && index < 5;
            let (mut base, mut mask) = (u64::from(low & !0xf), u64::from(self.masks[index]));
            if is_64 {
                base |= u64::from(self.read(FIRST_BAR + 4 * index + 4, 4)) << 32;
                mask |= u64::from(self.masks[index + 1]) << 32;
            } else {
                mask |= !0 << 32;
            }
            let size = (!mask).wrapping_add(1);
            let hit = low & 1 == 0 && self.masks[index] != 0 && base != 0;
            if hit && address.checked_sub(base).is_some_and(|at| at < size) {
                return Some((index as u8, address - base));
            }
            index += if is_64 { 2 } else { 1 };
        }
        None
    }
}
