//! What the caller brings.

use alloc::boxed::Box;

/// Registers of an ITS, or of a redistributor: words of 32 bits. Those of 64 bits are accessed by
/// halves, the lower one first: a host exists that takes only half of a longer store.
pub trait Registers {
    /// Reads the word at `at`, a multiple of 4.
    fn read32(&self, at: u64) -> u32;
    /// Writes the word at `at`, a multiple of 4.
    fn write32(&self, at: u64, value: u32);
}

/// Memory that the ITS and the redistributors read. It is never read here.
pub trait Memory {
    /// The first byte, as the ITS is told it. A multiple of [`crate::ALIGN`].
    fn address(&self) -> u64;
    /// Bytes.
    fn len(&self) -> u64;
    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Stores a little-endian word at offset `at`, a multiple of 8 that lies inside.
    fn store(&self, at: u64, word: u64);
    /// Lets the ITS see what was stored, before any register that is written next.
    fn publish(&self);
}

impl<M: Memory + ?Sized> Memory for Box<M> {
    fn address(&self) -> u64 {
        (**self).address()
    }

    fn len(&self) -> u64 {
        (**self).len()
    }

    fn store(&self, at: u64, word: u64) {
        (**self).store(at, word);
    }

    fn publish(&self) {
        (**self).publish();
    }
}

/// Reads a register of 64 bits.
pub(crate) fn read64(registers: &impl Registers, at: u64) -> u64 {
    let low = registers.read32(at);
    u64::from(registers.read32(at + 4)) << 32 | u64::from(low)
}

/// Writes a register of 64 bits. Bits that make it valid are in the upper half, which comes last.
pub(crate) fn write64(registers: &impl Registers, at: u64, value: u64) {
    let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
    registers.write32(at, u32::from_le_bytes([a, b, c, d]));
    registers.write32(at + 4, u32::from_le_bytes([e, f, g, h]));
}
