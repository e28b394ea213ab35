//! The functions that the compiler calls. Naked, because anything else could call itself.
//!
//! Each byte of the ranges is touched once and none outside them. A round of 128 bytes loads all
//! before it stores any, and what is left goes by one step for each bit of the length, so going up
//! is right for a destination below the source, and going down for one above it.
// UNSAFETY: instructions that read and write what their operands point to.
#![expect(unsafe_code, reason = "these are what memory is copied with")]

use core::arch::naked_asm;

/// Copies `len` bytes; returns `to`.
///
/// # Safety
///
/// That of C: `len` bytes are readable at `from` and writable at `to`. They may overlap if `to` is
/// below `from`.
#[unsafe(naked)]
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    naked_asm!(
        "mov   x3, x0",
        "cmp   x2, #16",
        "b.lo  6f",
        "subs  x2, x2, #128",
        "b.lo  3f",
        "2:",
        "ldp   q0, q1, [x1], #128",
        "ldp   q2, q3, [x1, #-96]",
        "ldp   q4, q5, [x1, #-64]",
        "ldp   q6, q7, [x1, #-32]",
        "stp   q0, q1, [x3], #128",
        "stp   q2, q3, [x3, #-96]",
        "stp   q4, q5, [x3, #-64]",
        "stp   q6, q7, [x3, #-32]",
        "subs  x2, x2, #128",
        "b.hs  2b",
        // The low bits of the length are what they were before 128 was taken off.
        "3:",
        "tbz   x2, #6, 4f",
        "ldp   q0, q1, [x1], #64",
        "ldp   q2, q3, [x1, #-32]",
        "stp   q0, q1, [x3], #64",
        "stp   q2, q3, [x3, #-32]",
        "4:",
        "tbz   x2, #5, 5f",
        "ldp   q0, q1, [x1], #32",
        "stp   q0, q1, [x3], #32",
        "5:",
        "tbz   x2, #4, 6f",
        "ldr   q0, [x1], #16",
        "str   q0, [x3], #16",
        "6:",
        "tbz   x2, #3, 7f",
        "ldr   x4, [x1], #8",
        "str   x4, [x3], #8",
        "7:",
        "tbz   x2, #2, 8f",
        "ldr   w4, [x1], #4",
        "str   w4, [x3], #4",
        "8:",
        "tbz   x2, #1, 9f",
        "ldrh  w4, [x1], #2",
        "strh  w4, [x3], #2",
        "9:",
        "tbz   x2, #0, 10f",
        "ldrb  w4, [x1]",
        "strb  w4, [x3]",
        "10:",
        "ret",
    )
}

/// Copies `len` bytes, which may overlap; returns `to`.
///
/// # Safety
///
/// That of C: `len` bytes are readable at `from` and writable at `to`.
#[unsafe(naked)]
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    naked_asm!(
        // As a number, a destination below the source is far above it.
        "sub   x4, x0, x1",
        "cmp   x4, x2",
        "b.hs  {memcpy}",
        "add   x1, x1, x2",
        "add   x3, x0, x2",
        "cmp   x2, #16",
        "b.lo  6f",
        "subs  x2, x2, #128",
        "b.lo  3f",
        "2:",
        "ldp   q0, q1, [x1, #-128]!",
        "ldp   q2, q3, [x1, #32]",
        "ldp   q4, q5, [x1, #64]",
        "ldp   q6, q7, [x1, #96]",
        "stp   q0, q1, [x3, #-128]!",
        "stp   q2, q3, [x3, #32]",
        "stp   q4, q5, [x3, #64]",
        "stp   q6, q7, [x3, #96]",
        "subs  x2, x2, #128",
        "b.hs  2b",
        "3:",
        "tbz   x2, #6, 4f",
        "ldp   q0, q1, [x1, #-64]!",
        "ldp   q2, q3, [x1, #32]",
        "stp   q0, q1, [x3, #-64]!",
        "stp   q2, q3, [x3, #32]",
        "4:",
        "tbz   x2, #5, 5f",
        "ldp   q0, q1, [x1, #-32]!",
        "stp   q0, q1, [x3, #-32]!",
        "5:",
        "tbz   x2, #4, 6f",
        "ldr   q0, [x1, #-16]!",
        "str   q0, [x3, #-16]!",
        "6:",
        "tbz   x2, #3, 7f",
        "ldr   x4, [x1, #-8]!",
        "str   x4, [x3, #-8]!",
        "7:",
        "tbz   x2, #2, 8f",
        "ldr   w4, [x1, #-4]!",
        "str   w4, [x3, #-4]!",
        "8:",
        "tbz   x2, #1, 9f",
        "ldrh  w4, [x1, #-2]!",
        "strh  w4, [x3, #-2]!",
        "9:",
        "tbz   x2, #0, 10f",
        "ldrb  w4, [x1, #-1]",
        "strb  w4, [x3, #-1]",
        "10:",
        "ret",
        memcpy = sym memcpy,
    )
}

/// Sets `len` bytes to the low byte of `value`; returns `to`.
///
/// # Safety
///
/// That of C: `len` bytes are writable at `to`.
#[unsafe(naked)]
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, value: i32, len: usize) -> *mut u8 {
    naked_asm!(
        "mov   x3, x0",
        "dup   v0.16b, w1",
        "umov  x1, v0.d[0]",
        "cmp   x2, #16",
        "b.lo  6f",
        "subs  x2, x2, #128",
        "b.lo  3f",
        "2:",
        "stp   q0, q0, [x3], #128",
        "stp   q0, q0, [x3, #-96]",
        "stp   q0, q0, [x3, #-64]",
        "stp   q0, q0, [x3, #-32]",
        "subs  x2, x2, #128",
        "b.hs  2b",
        "3:",
        "tbz   x2, #6, 4f",
        "stp   q0, q0, [x3], #64",
        "stp   q0, q0, [x3, #-32]",
        "4:",
        "tbz   x2, #5, 5f",
        "stp   q0, q0, [x3], #32",
        "5:",
        "tbz   x2, #4, 6f",
        "str   q0, [x3], #16",
        "6:",
        "tbz   x2, #3, 7f",
        "str   x1, [x3], #8",
        "7:",
        "tbz   x2, #2, 8f",
        "str   w1, [x3], #4",
        "8:",
        "tbz   x2, #1, 9f",
        "strh  w1, [x3], #2",
        "9:",
        "tbz   x2, #0, 10f",
        "strb  w1, [x3]",
        "10:",
        "ret",
    )
}

/// Compares `len` bytes, the first that differs decides: below 0, 0 or above 0.
///
/// # Safety
///
/// That of C: `len` bytes are readable at `one` and at `other`.
#[unsafe(naked)]
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(one: *const u8, other: *const u8, len: usize) -> i32 {
    naked_asm!(
        "2:",
        "subs  x2, x2, #8",
        "b.lo  3f",
        "ldr   x3, [x0], #8",
        "ldr   x4, [x1], #8",
        "cmp   x3, x4",
        "b.eq  2b",
        // As numbers with the first byte on top, the words compare like the bytes.
        "rev   x3, x3",
        "rev   x4, x4",
        "cmp   x3, x4",
        "cset  w0, hi",
        "csinv w0, w0, wzr, hs",
        "ret",
        "3:",
        "add   x2, x2, #8",
        "4:",
        "cbz   x2, 5f",
        "ldrb  w3, [x0], #1",
        "ldrb  w4, [x1], #1",
        "sub   x2, x2, #1",
        "subs  w3, w3, w4",
        "b.eq  4b",
        "mov   w0, w3",
        "ret",
        "5:",
        "mov   w0, wzr",
        "ret",
    )
}

/// Says whether `len` bytes differ: 0 if not.
///
/// # Safety
///
/// That of [`memcmp`].
#[unsafe(naked)]
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(one: *const u8, other: *const u8, len: usize) -> i32 {
    naked_asm!("b {memcmp}", memcmp = sym memcmp)
}
