//! `smc` and `hvc`, by the SMC calling convention.
// UNSAFETY: calls out of the program.
#![expect(
    unsafe_code,
    reason = "smc and hvc have no safe wrapper that survives being undefined"
)]

use core::arch::global_asm;

use rsi::{Arguments, Conduit, Results};

/// Calls by `smc #0`: the RMM of a realm, or KVM, or firmware.
#[derive(Clone, Copy, Debug)]
pub struct Smc;

/// Calls by `hvc #0`: the hypervisor of an ordinary machine.
#[derive(Clone, Copy, Debug)]
pub struct Hvc;

unsafe extern "C" {
    fn airlock_smc(arguments: *const Arguments, results: *mut Results);
    fn airlock_hvc(arguments: *const Arguments, results: *mut Results);
}

// The crate `smccc` has these calls too; ours have a label at the instruction, so that the vectors
// know an undefined one (QEMU without EL2, or `hvc` in a realm) and answer -1.
global_asm!(
    ".macro airlock_call name, instruction",
    ".global airlock_\\name",
    "airlock_\\name:",
    // The results' address survives on the stack: the callee may change x0 to x17.
    "   stp     x1, x30, [sp, #-16]!",
    "   mov     x17, x0",
    "   ldp     x0, x1, [x17, #0]",
    "   ldp     x2, x3, [x17, #16]",
    "   ldp     x4, x5, [x17, #32]",
    "   ldp     x6, x7, [x17, #48]",
    "   ldp     x8, x9, [x17, #64]",
    "   ldr     x10, [x17, #80]",
    ".global airlock_\\name\\()_instruction",
    "airlock_\\name\\()_instruction:",
    "   \\instruction",
    "   ldp     x17, x30, [sp], #16",
    "   stp     x0, x1, [x17, #0]",
    "   stp     x2, x3, [x17, #16]",
    "   stp     x4, x5, [x17, #32]",
    "   stp     x6, x7, [x17, #48]",
    "   str     x8, [x17, #64]",
    "   ret",
    ".endm",
    ".section .text.calls, \"ax\"",
    ".balign 4",
    "airlock_call smc, \"smc #0\"",
    "airlock_call hvc, \"hvc #0\"",
);

impl Conduit for Smc {
    fn call(&self, arguments: Arguments) -> Results {
        let mut results = Results::default();
        // SAFETY: both arrays outlive the call and have the sizes that the assembly reads and
        // writes. What the callee may write besides is named by arguments that `rsi` makes from
        // buffers it was lent.
        unsafe { airlock_smc(&raw const arguments, &raw mut results) };
        results
    }
}

impl Conduit for Hvc {
    fn call(&self, arguments: Arguments) -> Results {
        let mut results = Results::default();
        // SAFETY: as for `smc`.
        unsafe { airlock_hvc(&raw const arguments, &raw mut results) };
        results
    }
}
