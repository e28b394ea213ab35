//! Shared memory through which the host hands things over.

use untrusted::Untrusted;

/// A run of shared memory, which the host may change at any moment.
///
/// On the target a leased slot of the bounce region; a fake of the host keeps the bytes itself.
pub trait Inbox {
    /// Where it lies, without the shared bit.
    fn address(&self) -> u64;

    /// Bytes of it.
    fn room(&self) -> usize;

    /// Copies `bytes` to its beginning and clears the rest.
    fn put(&self, bytes: &[u8]);

    /// Copies its first bytes to private memory, once.
    fn take_in<'b>(&self, into: &'b mut [u8]) -> Untrusted<&'b mut [u8]>;
}
