//! Counting instructions, where the CPU does that: QEMU with `-icount`, hardware with a PMU.
// UNSAFETY: registers that no crate names.
#![expect(unsafe_code, reason = "the registers of the PMU have no names")]

use core::arch::asm;

use aarch64_cpu::registers::ID_AA64DFR0_EL1;
use tock_registers::interfaces::Readable;

/// `INST_RETIRED`.
///
/// Ref: Arm ARM, D13.11.3 "Common event numbers".
const RETIRED: u64 = 0x8;
/// What `ID_AA64DFR0_EL1.PMUVer` says of a PMU of the architecture's.
const VERSIONS: core::ops::RangeInclusive<u64> = 1..=14;

/// Instructions that this CPU has retired. Each CPU has a count of its own; QEMU's, with `-icount`, are all
/// the same one, of what all its CPUs did.
#[derive(Clone, Copy, Debug)]
pub struct Instructions(());

impl Instructions {
    /// Starts counting on this CPU; `None` if it has no PMU, or one that does not count instructions.
    pub fn start() -> Option<Self> {
        if !VERSIONS.contains(&ID_AA64DFR0_EL1.read(ID_AA64DFR0_EL1::PMUVer)) {
            return None;
        }
        let (events, control): (u64, u64);
        // SAFETY: the CPU has these registers, as `PMUVer` says, and reading them has no effect.
        unsafe {
            asm!(
                "mrs {events}, pmceid0_el0",
                "mrs {control}, pmcr_el0",
                events = out(reg) events,
                control = out(reg) control,
                options(nomem, nostack, preserves_flags)
            );
        }
        let has_counter = control >> 11 & 0x1f != 0;
        if events & 1 << RETIRED == 0 || !has_counter {
            return None;
        }
        // SAFETY: nobody else uses the counters, and counting changes nothing else.
        unsafe {
            asm!(
                "msr pmevtyper0_el0, {event}",
                "msr pmcntenset_el0, {one}",
                "msr pmcr_el0, {control}",
                "isb",
                event = in(reg) RETIRED,
                one = in(reg) 1_u64,
                control = in(reg) control | 1,
                options(nomem, nostack, preserves_flags)
            );
        }
        Some(Self(()))
    }

    /// The count, which wraps. It means something on the CPU on which it was started.
    pub fn so_far(self) -> u32 {
        let count: u64;
        // SAFETY: as `start` found, the CPU has the register; reading it has no effect.
        unsafe {
            asm!(
                "isb",
                "mrs {count}, pmevcntr0_el0",
                count = out(reg) count,
                options(nomem, nostack, preserves_flags)
            );
        }
        // Its lower half is the counter in every version of the PMU.
        (count & 0xffff_ffff) as u32
    }
}
