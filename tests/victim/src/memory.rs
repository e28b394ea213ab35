//! Private memory full of what must never be seen in a shared page.

use alloc::vec;
use alloc::vec::Vec;

use hostile::plan::CANARY;

const BYTES: usize = 128 << 10;

/// Fills memory that stays, and memory that goes back to the heap for whoever comes next.
pub fn fill() -> Vec<u8> {
    let gone = vec![CANARY; BYTES];
    let kept = vec![CANARY; BYTES];
    core::hint::black_box(&gone);
    drop(gone);
    kept
}

/// A buffer that something is to be read into.
pub fn buffer(len: usize) -> Vec<u8> {
    core::hint::black_box(vec![CANARY; len])
}
