//! The page through which the RMM gives more than fits into registers.

use ipa::ProtectedIpa;
use untrusted::Untrusted;

/// A private granule of RAM that the RMM may write to while we look away.
///
/// On the target this is a page of the image, whose bytes are read with care; a fake of the RMM keeps
/// the bytes itself.
pub trait Granule {
    /// Where it lies: 4096 bytes at a multiple of 4096, in the protected half.
    fn address(&self) -> ProtectedIpa;

    /// Copies `bytes` to `offset`; what would go past the end of the granule is left out.
    fn fill(&mut self, offset: usize, bytes: &[u8]);

    /// Copies the bytes from `offset` on to `into`; bytes past the end of the granule read as zero.
    fn take_answer<'b>(&self, offset: usize, into: &'b mut [u8]) -> Untrusted<&'b mut [u8]>;

    /// Clears it, so that nothing stays behind.
    fn clear(&mut self);
}
