//! Copies by relaxed atomic bytes, for the host and for Miri.
// UNSAFETY: raw access to memory that the host reads and writes.
#![expect(unsafe_code, reason = "shared memory has no safe type")]

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// Copies `bytes` out.
///
/// # Safety
///
/// `bytes.len()` bytes at `to` are mapped for writing, and everyone accesses them by atomics or
/// from outside this program.
pub(in super::super) unsafe fn copy_out(bytes: &[u8], to: NonNull<u8>) {
    for (i, byte) in bytes.iter().enumerate() {
        // SAFETY: `i` is below the length that the caller vouches for.
        unsafe { atomic(to, i) }.store(*byte, Ordering::Relaxed);
    }
}

/// Copies bytes in.
///
/// # Safety
///
/// `into.len()` bytes at `from` are mapped for reading, and everyone accesses them by atomics or
/// from outside this program.
pub(in super::super) unsafe fn fetch(from: NonNull<u8>, into: &mut [u8]) {
    for (i, byte) in into.iter_mut().enumerate() {
        // SAFETY: `i` is below the length that the caller vouches for.
        *byte = unsafe { atomic(from, i) }.load(Ordering::Relaxed);
    }
}

/// Sets bytes to zero, by words where they are aligned: Miri takes its time for each store.
///
/// # Safety
///
/// As for [`copy_out`], of `len` bytes.
pub(in super::super) unsafe fn clear(at: NonNull<u8>, len: usize) {
    let words = if at.cast::<AtomicU64>().is_aligned() {
        len / 8
    } else {
        0
    };
    for i in 0..words {
        // SAFETY: the words are below the length that the caller vouches for.
        let word = unsafe { at.cast::<AtomicU64>().add(i) };
        // SAFETY: as for a byte; the first word was just found to be aligned.
        unsafe { word.as_ref() }.store(0, Ordering::Relaxed);
    }
    for i in words * 8..len {
        // SAFETY: `i` is below the length that the caller vouches for.
        unsafe { atomic(at, i) }.store(0, Ordering::Relaxed);
    }
}

/// Byte `i` from `base` on.
///
/// # Safety
///
/// It is mapped, and everyone accesses it by atomics or from outside this program.
unsafe fn atomic<'a>(base: NonNull<u8>, i: usize) -> &'a AtomicU8 {
    // SAFETY: the caller vouches for the byte.
    let byte = unsafe { base.add(i) };
    // SAFETY: likewise; an atomic may be referred to while others write it.
    unsafe { byte.cast().as_ref() }
}
