//! Sums by vector registers. The compiler makes none of a loop: with strict alignment, a word at any
//! address is four loads.
// UNSAFETY: instructions that read what their operands point to.
#![expect(unsafe_code, reason = "instructions that no safe code becomes")]

use core::arch::asm;

/// The sum of all words of 32 bits in `vectors`, of which there are fewer than 2^30.
pub(crate) fn sum(vectors: &[[u8; 16]]) -> u64 {
    let sum: u64;
    // SAFETY: 16 bytes are loaded for each vector, from the first on: a round of eight is taken only
    // while eight are left. Nothing is written. The MMU is on, so no address is unaligned.
    unsafe {
        asm!(
            "   movi  {s:v}.2d, #0",
            "   movi  {t:v}.2d, #0",
            "   subs  {len}, {len}, #8",
            "   b.lo  3f",
            "2: ldp   {a:q}, {b:q}, [{at}], #128",
            "   ldp   {c:q}, {d:q}, [{at}, #-96]",
            "   ldp   {e:q}, {f:q}, [{at}, #-64]",
            "   ldp   {g:q}, {h:q}, [{at}, #-32]",
            "   uadalp {s:v}.2d, {a:v}.4s",
            "   uadalp {t:v}.2d, {b:v}.4s",
            "   uadalp {s:v}.2d, {c:v}.4s",
            "   uadalp {t:v}.2d, {d:v}.4s",
            "   uadalp {s:v}.2d, {e:v}.4s",
            "   uadalp {t:v}.2d, {f:v}.4s",
            "   uadalp {s:v}.2d, {g:v}.4s",
            "   uadalp {t:v}.2d, {h:v}.4s",
            "   subs  {len}, {len}, #8",
            "   b.hs  2b",
            "3: adds  {len}, {len}, #8",
            "   b.eq  5f",
            "4: ldr   {a:q}, [{at}], #16",
            "   uadalp {s:v}.2d, {a:v}.4s",
            "   subs  {len}, {len}, #1",
            "   b.ne  4b",
            "5: add   {s:v}.2d, {s:v}.2d, {t:v}.2d",
            "   addp  {s:d}, {s:v}.2d",
            "   fmov  {sum}, {s:d}",
            at = inout(reg) vectors.as_ptr() => _,
            len = inout(reg) vectors.len() => _,
            sum = out(reg) sum,
            s = out(vreg) _,
            t = out(vreg) _,
            a = out(vreg) _,
            b = out(vreg) _,
            c = out(vreg) _,
            d = out(vreg) _,
            e = out(vreg) _,
            f = out(vreg) _,
            g = out(vreg) _,
            h = out(vreg) _,
            options(nostack, readonly),
        );
    }
    sum
}
