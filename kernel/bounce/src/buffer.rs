//! Bytes that move between a user and a driver by value.
// UNSAFETY: refers to private memory that a trusted device writes while it has the buffer.
#![expect(unsafe_code, reason = "memory that devices reach has no safe type")]

use alloc::vec;
use alloc::vec::Vec;

use crate::{Error, Pool, Private, PrivateIpa, Slot};

/// Bytes that a user owns, hands to a driver by value, and gets back when the device is done with
/// them. Because they move, no borrow of them can live while a device has them.
///
/// A buffer of a pool is told to a trusted device as it is. One of the heap is copied: it is there so
/// that the same code drives a device that is not trusted.
///
/// ```compile_fail,E0382
/// fn lend(_: bounce::Buffer) {}
/// fn read_while_lent(buffer: bounce::Buffer) -> u8 {
///     lend(buffer);
///     buffer.bytes()[0]
/// }
/// ```
pub struct Buffer(Memory);

enum Memory {
    Heap(Vec<u8>),
    Slot(Slot<Private>),
}

impl Buffer {
    /// `len` bytes of the heap, all zero.
    pub fn on_heap(len: usize) -> Self {
        Self(Memory::Heap(vec![0; len]))
    }

    /// Bytes of the buffer.
    pub fn len(&self) -> usize {
        match &self.0 {
            Memory::Heap(bytes) => bytes.len(),
            Memory::Slot(slot) => slot.len(),
        }
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        match &self.0 {
            Memory::Heap(bytes) => bytes,
            // SAFETY: the slot is ours alone, nothing but this buffer refers to its memory, and a
            // device has it only while a driver owns the buffer and calls none of these.
            Memory::Slot(slot) => unsafe { slot.memory().as_ref() },
        }
    }

    /// The bytes, to be written.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        match &mut self.0 {
            Memory::Heap(bytes) => bytes,
            // SAFETY: as for `bytes`; this is the only borrow of the buffer.
            Memory::Slot(slot) => unsafe { slot.memory().as_mut() },
        }
    }

    /// What a trusted device is told for the first byte; `None` for a buffer of the heap.
    pub fn address(&self) -> Option<PrivateIpa> {
        match &self.0 {
            Memory::Heap(_) => None,
            Memory::Slot(slot) => slot.address(0).ok(),
        }
    }
}

impl Buffer {
    /// The same, for a device with `pool`; `None` if the buffer is of another one as well.
    pub fn address_in(&self, pool: &Pool<Private>) -> Option<PrivateIpa> {
        match &self.0 {
            Memory::Slot(slot) if slot.is_of(pool) => self.address(),
            Memory::Slot(_) | Memory::Heap(_) => None,
        }
    }
}

impl core::fmt::Debug for Buffer {
    /// Says nothing of the content.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Buffer of {} bytes", self.len())
    }
}

impl Pool<Private> {
    /// Leases a buffer of `len` bytes, not 0, all zero, at a multiple of `align`, a power of two.
    ///
    /// # Errors
    ///
    /// [`Error::Exhausted`], which is counted.
    pub fn buffer(&self, len: usize, align: usize) -> Result<Buffer, Error> {
        let slot = self.lease(len, align)?;
        Ok(Buffer(Memory::Slot(slot)))
    }
}
