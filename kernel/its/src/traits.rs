//! What the caller brings.

use alloc::boxed::Box;

use untrusted::Untrusted;

use crate::error::Error;

/// Shareable among the processors: what the memory is here.
const SHAREABLE: u32 = 1 << 10;
const SHAREABILITY: u32 = 3 << 10;

/// Registers of an ITS, or of a redistributor: words of 32 bits. Those of 64 bits are accessed by
/// halves, the lower one first: a host exists that takes only half of a longer store.
pub trait Registers {
    /// Reads the word at `at`, a multiple of 4.
    fn read32(&self, at: u64) -> Untrusted<u32>;
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
    /// Makes all of it zeros.
    fn clear(&self);
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

    fn clear(&self) {
        (**self).clear();
    }

    fn store(&self, at: u64, word: u64) {
        (**self).store(at, word);
    }

    fn publish(&self) {
        (**self).publish();
    }
}

/// Writes a register of 64 bits that tells of a table: the lower half first, since what makes it valid
/// is in the upper one. Checks that the bits `ours` of the lower half are kept, and that the table is
/// read through the caches. The upper half is not read back: it would be one more exit, and a host
/// that does not keep it only loses its interrupts. `name` is what the register is called in errors.
pub(crate) fn tell(
    registers: &impl Registers,
    at: u64,
    value: u64,
    ours: u32,
    name: u64,
) -> Result<(), Error> {
    let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
    let low = u32::from_le_bytes([a, b, c, d]);
    registers.write32(at, low | SHAREABLE);
    registers.write32(at + 4, u32::from_le_bytes([e, f, g, h]));
    registers.read32(at).check(|kept| {
        if kept & ours != low & ours {
            return Err(Error::NotKept { register: name });
        }
        if kept & SHAREABILITY == 0 {
            return Err(Error::NotCoherent { register: name });
        }
        Ok(())
    })
}
