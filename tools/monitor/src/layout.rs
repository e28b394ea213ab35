//! Where everything lies in QEMU's `virt` machine, and in the realm's address space.

use core::ops::Range;

/// Bytes in a granule: the unit of everything that the monitor does with memory.
pub const GRANULE: u64 = GRANULE_BYTES as u64;
/// The same, for buffers.
pub const GRANULE_BYTES: usize = 4096;
/// First byte of machine memory. It belongs to the monitor up to [`GUEST_RAM`].
pub const MACHINE_RAM: u64 = 0x4000_0000;
/// First byte of guest memory. Guest addresses equal machine addresses.
pub const GUEST_RAM: u64 = 0x4400_0000;
/// Where the guest's image is loaded and entered: 2 MiB into its memory, as arm64 images ask.
pub const GUEST_ENTRY: u64 = 0x4420_0000;
/// Where the guest finds its device tree: the first page of its memory.
pub const GUEST_TREE: u64 = GUEST_RAM;
/// Room for the guest's device tree, in bytes.
pub const GUEST_TREE_MAX: usize = 0x1_0000;
/// The most memory that a guest can have, in bytes.
pub const MAX_GUEST: u64 = 1 << 30;
/// The most granules that a guest can have.
pub const MAX_GRANULES: usize = 1 << 18;
/// The page that a device writes to in order to raise a message-signalled interrupt.
pub const DOORBELL_PAGE: u64 = 0x0809_0000;

/// The realm's address space: its lower half is protected, its upper half is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    width: u32,
}

impl Space {
    /// An address space of `width` bits, the shared bit included: 33 or 41.
    #[must_use]
    pub const fn new(width: u32) -> Option<Self> {
        match width {
            33 | 41 => Some(Self { width }),
            _ => None,
        }
    }

    /// Bits in an address, the shared bit included.
    #[must_use]
    pub const fn width(self) -> u32 {
        self.width
    }

    /// The bit that tells the halves apart; also the size of each half.
    #[must_use]
    pub const fn shared_bit(self) -> u64 {
        1 << (self.width - 1)
    }

    /// Says which half `ipa` lies in, and where in that half.
    #[must_use]
    pub const fn half(self, ipa: u64) -> Half {
        if ipa < self.shared_bit() {
            Half::Protected(ipa)
        } else if ipa < self.shared_bit() << 1 {
            Half::Shared(ipa & !self.shared_bit())
        } else {
            Half::Outside
        }
    }
}

/// One of the halves of the realm's address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// The lower half; the address is the same in the machine.
    Protected(u64),
    /// The upper half, with the address in the machine.
    Shared(u64),
    /// Beyond the width of an address.
    Outside,
}

/// Guest memory, as a run of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestMemory {
    top: u64,
}

impl GuestMemory {
    /// Guest memory of `size` bytes at [`GUEST_RAM`].
    ///
    /// `None` unless `size` is a multiple of 2 MiB, from 4 MiB to [`MAX_GUEST`].
    #[must_use]
    pub const fn new(size: u64) -> Option<Self> {
        const BLOCK: u64 = 2 << 20;
        if size < 2 * BLOCK || size > MAX_GUEST || !size.is_multiple_of(BLOCK) {
            return None;
        }
        Some(Self {
            top: GUEST_RAM + size,
        })
    }

    /// One past the last byte.
    #[must_use]
    pub const fn top(self) -> u64 {
        self.top
    }

    /// Bytes.
    #[must_use]
    pub const fn size(self) -> u64 {
        self.top - GUEST_RAM
    }

    /// Whether `address` lies inside.
    #[must_use]
    pub const fn contains(self, address: u64) -> bool {
        address >= GUEST_RAM && address < self.top
    }

    /// Whether the whole of `range` lies inside.
    #[must_use]
    pub fn covers(self, range: &Range<u64>) -> bool {
        range.start >= GUEST_RAM && range.end <= self.top && range.start <= range.end
    }

    /// The number of the granule that holds `address`, counted from the start of guest memory.
    #[must_use]
    pub fn granule(self, address: u64) -> Option<usize> {
        let offset = address.checked_sub(GUEST_RAM)?;
        if !self.contains(address) {
            return None;
        }
        usize::try_from(offset / GRANULE).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shared_bit_is_the_highest_bit_of_an_address() {
        let space = Space::new(33).unwrap();
        assert_eq!(space.shared_bit(), 1 << 32);
        assert_eq!(space.half(0x900_0000), Half::Protected(0x900_0000));
        assert_eq!(space.half(0x1_0900_0000), Half::Shared(0x900_0000));
        assert_eq!(space.half(1 << 33), Half::Outside);
    }

    #[test]
    fn a_width_that_the_tables_are_not_made_for_is_refused() {
        assert_eq!(Space::new(40), None);
    }

    #[test]
    fn guest_memory_is_whole_blocks_and_bounded() {
        assert!(GuestMemory::new(16 << 20).is_some());
        assert!(GuestMemory::new((16 << 20) + 4096).is_none());
        assert!(GuestMemory::new(MAX_GUEST + (2 << 20)).is_none());
        let memory = GuestMemory::new(16 << 20).unwrap();
        assert_eq!(memory.granule(GUEST_RAM + 4097), Some(1));
        assert_eq!(memory.granule(memory.top()), None);
        assert_eq!(memory.granule(0), None);
    }
}
