//! The sixteen exception vectors.
//!
//! The program runs on stack pointer 0, so exceptions run on stack pointer 1, which is another
//! stack: an overflow of the first can be told. Each CPU has one of its own, and its top in
//! `TPIDR_EL0`. Nothing returns from an exception, but for two
//! cases: an `smc` or `hvc` of ours that is undefined here gives -1, as from somebody who does not
//! know the function; and an interrupt that was to wake another processor than the first is ended.
// UNSAFETY: exception entry has no stack frame and no calling convention.
#![expect(unsafe_code, reason = "exception entry has no calling convention")]

use core::arch::global_asm;

/// What the CPU says about an exception. No general register is in it but the one that holds an
/// address of code, or nothing that is told: the others may hold secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Which of the sixteen vectors, 0 to 15. The lowest two bits say what: synchronous, IRQ, FIQ,
    /// SError; the upper two from where: our stack, the exception stack, or EL0.
    pub vector: u64,
    /// `ESR_EL1`
    pub syndrome: u64,
    /// `FAR_EL1`
    pub address: u64,
    /// `ELR_EL1`
    pub pc: u64,
    /// Stack pointer of what was interrupted.
    pub sp: u64,
    /// Its link register: where a function without calls of its own returns to.
    pub link: u64,
}

unsafe extern "C" {
    /// The vector table, for `VBAR_EL1`.
    #[link_name = "airlock_vectors"]
    pub(crate) safe static VECTORS: u8;
}

global_asm!(
    // A vector that never returns: its number is all that the registers have to carry.
    ".macro airlock_fault_vector number",
    ".balign 0x80",
    "   msr     tpidr_el1, x0",
    "   mov     x0, #\\number",
    "   b       airlock_fault_common",
    ".endm",
    // A synchronous one: was it a call of ours that nobody defines (EC 0)? The stack is left alone,
    // since it may be what overflowed. Nobody else has a use for the register.
    ".macro airlock_synchronous_vector number",
    ".balign 0x80",
    "   msr     tpidrro_el0, x1",
    "   mrs     x0, esr_el1",
    "   lsr     x0, x0, #26",
    "   cbnz    x0, 2f",
    "   mrs     x0, elr_el1",
    "   adr     x1, airlock_smc_instruction",
    "   cmp     x0, x1",
    "   b.eq    3f",
    // An undefined HVC leaves ELR at the instruction or, in a realm, behind it.
    "   adr     x1, airlock_hvc_instruction",
    "   cmp     x0, x1",
    "   b.eq    3f",
    "   add     x1, x1, #4",
    "   cmp     x0, x1",
    "   b.eq    4f",
    "2: mov     x0, #\\number",
    "   b       airlock_fault_common",
    "3: add     x0, x0, #4",
    "   msr     elr_el1, x0",
    "4: mrs     x1, tpidrro_el0",
    "   mov     x0, #-1",
    "   eret",
    ".endm",
    // An interrupt of the program is unmasked where it may stop the processor (`stop`).
    ".macro airlock_interrupt_vector",
    ".balign 0x80",
    "   msr     tpidr_el1, x0",
    "   b       airlock_interrupted",
    ".endm",
    ".section .text.vectors, \"ax\"",
    ".balign 0x800",
    ".global airlock_vectors",
    "airlock_vectors:",
    "   airlock_synchronous_vector 0",
    "   airlock_interrupt_vector",
    "   airlock_fault_vector 2",
    "   airlock_fault_vector 3",
    // From the handler of a fault: powering off tries both calls.
    "   airlock_synchronous_vector 4",
    "   airlock_fault_vector 5",
    "   airlock_fault_vector 6",
    "   airlock_fault_vector 7",
    "   airlock_fault_vector 8",
    "   airlock_fault_vector 9",
    "   airlock_fault_vector 10",
    "   airlock_fault_vector 11",
    "   airlock_fault_vector 12",
    "   airlock_fault_vector 13",
    "   airlock_fault_vector 14",
    "   airlock_fault_vector 15",
    // x0 has the number of the vector. The exception stack is taken from its top: nothing below
    // is needed again, and if it was the exception stack that overflowed, this ends that too.
    "airlock_fault_common:",
    "   mrs     x1, esr_el1",
    "   mrs     x2, far_el1",
    "   mrs     x3, elr_el1",
    "   mrs     x4, sp_el0",
    "   cmp     x0, #4",
    "   b.lt    2f",
    "   mov     x4, sp",
    "2: mrs     x5, tpidr_el0",
    "   mov     sp, x5",
    "   mov     x5, x30",
    "   mov     x29, xzr",
    "   mov     x30, xzr",
    "   b       airlock_fault",
);
