//! What an honest disk holds, and a digest of what was taken for true.
//!
//! The payload under attack checks what it reads against this, as a sealed volume would against its
//! hash tree; the judge recomputes it and believes nobody.

use crate::random::mix;

/// Bytes of a sector.
pub const SECTOR: usize = 512;
/// First sector that the payload may write to; what is below never changes.
pub const WRITABLE: u64 = 1024;
/// Sectors of a disk.
pub const CAPACITY: u64 = 2048;

/// Fills `bytes` with what disk `disk` holds from `sector` on, as long as nobody wrote there.
pub fn fill(disk: u8, sector: u64, bytes: &mut [u8]) {
    let first = sector.wrapping_mul(SECTOR as u64 / 8);
    for (word, bytes) in (first..).zip(bytes.chunks_mut(8)) {
        let value =
            mix(u64::from(disk) << 48 ^ word.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        for (byte, from) in bytes.iter_mut().zip(value.to_le_bytes()) {
            *byte = from;
        }
    }
}

/// A digest of bytes that were accepted. It finds accidents and lies that nobody made to fit it.
///
/// Ref: Fowler, Noll, Vo, FNV-1a.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(pub u64);

impl Digest {
    /// Of nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Takes `bytes` in.
    pub fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

impl Default for Digest {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sector_is_the_same_alone_and_among_others() {
        let (mut many, mut one) = ([0; 4 * SECTOR], [0; SECTOR]);
        fill(1, 8, &mut many);
        fill(1, 10, &mut one);
        assert_eq!(many[2 * SECTOR..3 * SECTOR], one);
        let mut other = [0; SECTOR];
        fill(2, 10, &mut other);
        assert_ne!(one, other);
    }

    #[test]
    fn the_digest_is_that_of_the_publication() {
        let mut digest = Digest::new();
        digest.add(b"a");
        assert_eq!(digest.0, 0xaf63_dc4c_8601_ec8c);
    }
}
