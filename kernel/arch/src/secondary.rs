//! The first instructions of every processor but the first.
// UNSAFETY: the CPU enters here with nothing that Rust relies on.
#![expect(
    unsafe_code,
    reason = "the CPU enters here with nothing that Rust relies on"
)]

use core::arch::naked_asm;
use core::ops::Range;

use aarch64_cpu::registers::{MAIR_EL1, SCTLR_EL1, TCR_EL1, TTBR0_EL1};
use tock_registers::interfaces::Readable;

use crate::{entry, exception, lock, stacks};

unsafe extern "C" {
    fn airlock_secondary(processor: u64) -> !;
}

/// What a processor has to know before it can see memory as the others do. It reads this with its MMU
/// and caches off, so it is written back to memory before.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Start {
    stack: u64,
    processor: u64,
    attributes: u64,
    translation: u64,
    tables: u64,
    control: u64,
}

impl Start {
    /// What processor number `processor` starts with: the map of this one, and the stacks in `room`.
    ///
    /// # Safety
    ///
    /// The stacks of `room` are mapped memory that nothing else uses, now or later.
    pub unsafe fn new(room: &Range<u64>, processor: usize) -> Self {
        Self {
            stack: room.end,
            processor: processor as u64,
            attributes: MAIR_EL1.get(),
            translation: TCR_EL1.get(),
            tables: TTBR0_EL1.get(),
            control: SCTLR_EL1.get(),
        }
    }

    /// Makes ready for the processor to start; gives the address of its first instruction and what it
    /// has to find in `x0`.
    pub fn publish(&'static self) -> (u64, u64) {
        lock::share();
        let context = core::ptr::from_ref(self) as u64;
        // SAFETY: writing cache lines back changes nothing that a program can see. The lines are those
        // of `self`, of 64 bytes or less each at its start and its last quarters.
        unsafe {
            core::arch::asm!(
                "dc cvac, {start}",
                "add {start}, {start}, #16",
                "dc cvac, {start}",
                "add {start}, {start}, #16",
                "dc cvac, {start}",
                "dsb sy",
                start = inout(reg) context => _,
                options(nostack, preserves_flags)
            );
        }
        (enter as *const () as u64, context)
    }
}

/// Where a processor begins, by PSCI `CPU_ON`: EL1, MMU and caches off, exceptions masked, `x0` the
/// address of its [`Start`].
///
/// Ref: DEN0022 (PSCI) 1.1, 6.4 "Core state after CPU_ON".
#[unsafe(naked)]
extern "C" fn enter() -> ! {
    naked_asm!(
        "msr    daifset, #0xf",
        "adrp   x1, {vectors}",
        "add    x1, x1, :lo12:{vectors}",
        "msr    vbar_el1, x1",
        "mov    x1, {fpen}",
        "msr    cpacr_el1, x1",
        "ldp    x2, x3, [x0]",
        "ldp    x4, x5, [x0, #16]",
        "ldp    x6, x7, [x0, #32]",
        "msr    mair_el1, x4",
        "msr    tcr_el1, x5",
        "msr    ttbr0_el1, x6",
        "isb",
        // Nothing that this processor fetched or translated before is of this life.
        "tlbi   vmalle1",
        "ic     iallu",
        "dsb    nsh",
        "isb",
        "msr    sctlr_el1, x7",
        "isb",
        // The exception stack is above the other one, with a guard page between them.
        "msr    tpidr_el0, x2",
        "msr    spsel, #1",
        "mov    sp, x2",
        "msr    spsel, #0",
        "sub    sp, x2, {between}",
        "msr    daifclr, {daif_serror}",
        "mov    x0, x3",
        "mov    x29, xzr",
        "mov    x30, xzr",
        "b      {secondary}",
        vectors = sym exception::VECTORS,
        fpen = const entry::FPEN,
        daif_serror = const entry::DAIF_SERROR,
        between = const stacks::BETWEEN,
        secondary = sym airlock_secondary,
    )
}
