//! Copies by pairs of 16-byte registers, and the rest by ever smaller ones.
//!
//! No register is written back to an address, and no byte is touched twice or outside the range:
//! a host that looks on sees each byte change once. Both sides are Normal memory, where accesses
//! need not be aligned.
// UNSAFETY: instructions that read and write what their operands point to.
#![expect(unsafe_code, reason = "shared memory has no safe type")]

use core::arch::asm;
use core::ptr::NonNull;

/// Copies `bytes` out.
///
/// # Safety
///
/// `bytes.len()` bytes at `to` are mapped for writing as Normal memory, and everyone accesses them
/// by atomics or from outside this program.
pub(in super::super) unsafe fn copy_out(bytes: &[u8], to: NonNull<u8>) {
    // SAFETY: the source is a slice; the caller vouches for the destination.
    unsafe { copy(bytes.as_ptr(), to.as_ptr(), bytes.len()) };
}

/// Copies bytes in.
///
/// # Safety
///
/// `into.len()` bytes at `from` are mapped for reading as Normal memory, and everyone accesses
/// them by atomics or from outside this program.
pub(in super::super) unsafe fn fetch(from: NonNull<u8>, into: &mut [u8]) {
    // SAFETY: the destination is a slice; the caller vouches for the source.
    unsafe { copy(from.as_ptr(), into.as_mut_ptr(), into.len()) };
}

/// Copies `len` bytes.
///
/// # Safety
///
/// The ranges are mapped, for reading and for writing, and do not overlap.
unsafe fn copy(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: every access lies inside the ranges: a step is taken only while `len` has room for
    // it, or for the bit of `len` that it is for. The compiler takes the memory as changed, since
    // there is no `nomem`, so for it this is one opaque access and not a data race.
    unsafe {
        asm!(
            // 128 bytes at a time.
            "   subs {len}, {len}, #128",
            "   b.lo 3f",
            "2: ldp  {a:q}, {b:q}, [{from}]",
            "   ldp  {c:q}, {d:q}, [{from}, #32]",
            "   ldp  {e:q}, {f:q}, [{from}, #64]",
            "   ldp  {g:q}, {h:q}, [{from}, #96]",
            "   stp  {a:q}, {b:q}, [{to}]",
            "   stp  {c:q}, {d:q}, [{to}, #32]",
            "   stp  {e:q}, {f:q}, [{to}, #64]",
            "   stp  {g:q}, {h:q}, [{to}, #96]",
            "   add  {from}, {from}, #128",
            "   add  {to}, {to}, #128",
            "   subs {len}, {len}, #128",
            "   b.hs 2b",
            // Less than 128 are left, and the low bits of the length still say how many: one step
            // for each bit.
            "3: tbz  {len}, #6, 14f",
            "   ldp  {a:q}, {b:q}, [{from}]",
            "   ldp  {c:q}, {d:q}, [{from}, #32]",
            "   stp  {a:q}, {b:q}, [{to}]",
            "   stp  {c:q}, {d:q}, [{to}, #32]",
            "   add  {from}, {from}, #64",
            "   add  {to}, {to}, #64",
            "14: tbz {len}, #5, 4f",
            "   ldp  {a:q}, {b:q}, [{from}]",
            "   stp  {a:q}, {b:q}, [{to}]",
            "   add  {from}, {from}, #32",
            "   add  {to}, {to}, #32",
            "4: tbz  {len}, #4, 5f",
            "   ldr  {a:q}, [{from}]",
            "   str  {a:q}, [{to}]",
            "   add  {from}, {from}, #16",
            "   add  {to}, {to}, #16",
            "5: tbz  {len}, #3, 6f",
            "   ldr  {word}, [{from}]",
            "   str  {word}, [{to}]",
            "   add  {from}, {from}, #8",
            "   add  {to}, {to}, #8",
            "6: tbz  {len}, #2, 7f",
            "   ldr  {word:w}, [{from}]",
            "   str  {word:w}, [{to}]",
            "   add  {from}, {from}, #4",
            "   add  {to}, {to}, #4",
            "7: tbz  {len}, #1, 8f",
            "   ldrh {word:w}, [{from}]",
            "   strh {word:w}, [{to}]",
            "   add  {from}, {from}, #2",
            "   add  {to}, {to}, #2",
            "8: tbz  {len}, #0, 9f",
            "   ldrb {word:w}, [{from}]",
            "   strb {word:w}, [{to}]",
            "9:",
            from = inout(reg) from => _,
            to = inout(reg) to => _,
            len = inout(reg) len => _,
            word = out(reg) _,
            a = out(vreg) _,
            b = out(vreg) _,
            c = out(vreg) _,
            d = out(vreg) _,
            e = out(vreg) _,
            f = out(vreg) _,
            g = out(vreg) _,
            h = out(vreg) _,
            options(nostack),
        );
    }
}

/// Sets bytes to zero.
///
/// # Safety
///
/// As for [`copy_out`], of `len` bytes.
pub(in super::super) unsafe fn clear(at: NonNull<u8>, len: usize) {
    // SAFETY: every store lies inside the range that the caller vouches for: a step is taken only
    // while `len` has room for it, or for the bit of `len` that it is for.
    unsafe {
        asm!(
            "   movi {zero:v}.2d, #0",
            // 128 bytes at a time.
            "   subs {len}, {len}, #128",
            "   b.lo 3f",
            "2: stp  {zero:q}, {zero:q}, [{at}]",
            "   stp  {zero:q}, {zero:q}, [{at}, #32]",
            "   stp  {zero:q}, {zero:q}, [{at}, #64]",
            "   stp  {zero:q}, {zero:q}, [{at}, #96]",
            "   add  {at}, {at}, #128",
            "   subs {len}, {len}, #128",
            "   b.hs 2b",
            // Less than 128 are left: one step for each bit of the length.
            "3: tbz  {len}, #6, 14f",
            "   stp  {zero:q}, {zero:q}, [{at}]",
            "   stp  {zero:q}, {zero:q}, [{at}, #32]",
            "   add  {at}, {at}, #64",
            "14: tbz {len}, #5, 4f",
            "   stp  {zero:q}, {zero:q}, [{at}]",
            "   add  {at}, {at}, #32",
            "4: tbz  {len}, #4, 5f",
            "   str  {zero:q}, [{at}]",
            "   add  {at}, {at}, #16",
            "5: tbz  {len}, #3, 6f",
            "   str  xzr, [{at}]",
            "   add  {at}, {at}, #8",
            "6: tbz  {len}, #2, 7f",
            "   str  wzr, [{at}]",
            "   add  {at}, {at}, #4",
            "7: tbz  {len}, #1, 8f",
            "   strh wzr, [{at}]",
            "   add  {at}, {at}, #2",
            "8: tbz  {len}, #0, 9f",
            "   strb wzr, [{at}]",
            "9:",
            at = inout(reg) at.as_ptr() => _,
            len = inout(reg) len => _,
            zero = out(vreg) _,
            options(nostack),
        );
    }
}
