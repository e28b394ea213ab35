//! PSCI as a realm sees it: which calls there are, and which go on to the machine.
//!
//! Ref: DEN0137 1.0, B6; DEN0022.

/// What the monitor does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Answer with this value.
    Answer(u64),
    /// Wait for an interrupt, then answer with success.
    Suspend,
    /// Switch this processor off.
    CpuOff,
    /// Start another processor.
    CpuOn {
        /// Which.
        mpidr: u64,
        /// Address of its first instruction.
        entry: u64,
        /// What it finds in `x0`.
        context: u64,
    },
    /// Ask the machine about another processor.
    AffinityInfo {
        /// Which.
        mpidr: u64,
        /// At which level.
        level: u64,
    },
    /// End the run.
    SystemOff,
    /// End the run: a realm cannot start again.
    SystemReset,
}

/// The call worked.
pub const SUCCESS: u64 = 0;
/// There is no such call.
pub const NOT_SUPPORTED: u64 = -1i64 as u64;
/// A value is out of range.
pub const INVALID_PARAMETERS: u64 = -2i64 as u64;
/// The address is not private memory.
pub const INVALID_ADDRESS: u64 = -9i64 as u64;

const VERSION: u32 = 0x8400_0000;
const CPU_SUSPEND: u32 = 0xc400_0001;
const CPU_SUSPEND_32: u32 = 0x8400_0001;
/// `PSCI_CPU_OFF`.
pub const CPU_OFF: u32 = 0x8400_0002;
/// `PSCI_CPU_ON`, 64-bit form.
pub const CPU_ON: u32 = 0xc400_0003;
const CPU_ON_32: u32 = 0x8400_0003;
/// `PSCI_AFFINITY_INFO`, 64-bit form.
pub const AFFINITY_INFO: u32 = 0xc400_0004;
const AFFINITY_INFO_32: u32 = 0x8400_0004;
/// `PSCI_SYSTEM_OFF`.
pub const SYSTEM_OFF: u32 = 0x8400_0008;
const SYSTEM_RESET: u32 = 0x8400_0009;
const FEATURES: u32 = 0x8400_000a;
const SMCCC_VERSION: u32 = 0x8000_0000;

/// Whether `function` is in the range of PSCI.
#[must_use]
pub const fn is_psci(function: u32) -> bool {
    matches!(function & !0x4000_001f, 0x8400_0000)
}

/// Decides what to do with a call; `arguments` are `x1` to `x3`.
#[must_use]
pub fn decide(function: u32, arguments: [u64; 3]) -> Action {
    let [first, second, third] = arguments;
    let narrow = |value: u64| value & 0xffff_ffff;
    match function {
        VERSION => Action::Answer(0x1_0001),
        CPU_SUSPEND | CPU_SUSPEND_32 => Action::Suspend,
        CPU_OFF => Action::CpuOff,
        CPU_ON => Action::CpuOn {
            mpidr: first,
            entry: second,
            context: third,
        },
        CPU_ON_32 => Action::CpuOn {
            mpidr: narrow(first),
            entry: narrow(second),
            context: narrow(third),
        },
        AFFINITY_INFO => Action::AffinityInfo {
            mpidr: first,
            level: second,
        },
        AFFINITY_INFO_32 => Action::AffinityInfo {
            mpidr: narrow(first),
            level: narrow(second),
        },
        SYSTEM_OFF => Action::SystemOff,
        SYSTEM_RESET => Action::SystemReset,
        FEATURES => Action::Answer(features(first)),
        _ => Action::Answer(NOT_SUPPORTED),
    }
}

/// Success for each call that [`decide`] knows; Linux also asks whether there is `SMCCC_VERSION`.
fn features(function: u64) -> u64 {
    let Ok(function) = u32::try_from(function) else {
        return NOT_SUPPORTED;
    };
    match function {
        VERSION | CPU_SUSPEND | CPU_SUSPEND_32 | CPU_OFF | CPU_ON | CPU_ON_32 | AFFINITY_INFO
        | AFFINITY_INFO_32 | SYSTEM_OFF | SYSTEM_RESET | FEATURES | SMCCC_VERSION => SUCCESS,
        _ => NOT_SUPPORTED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linux_finds_the_calling_convention_through_features() {
        assert_eq!(
            decide(FEATURES, [0x8000_0000, 0, 0]),
            Action::Answer(SUCCESS)
        );
        assert_eq!(
            decide(FEATURES, [0x8400_0005, 0, 0]),
            Action::Answer(NOT_SUPPORTED)
        );
    }

    #[test]
    fn the_narrow_form_of_a_call_drops_the_upper_halves() {
        let call = decide(CPU_ON_32, [1 << 40 | 1, 1 << 40 | 2, 1 << 40 | 3]);
        assert_eq!(
            call,
            Action::CpuOn {
                mpidr: 1,
                entry: 2,
                context: 3
            }
        );
    }

    #[test]
    fn a_call_that_realms_do_not_have_is_not_supported() {
        // MIGRATE_INFO_TYPE and SYSTEM_RESET2.
        assert_eq!(decide(0x8400_0006, [0; 3]), Action::Answer(NOT_SUPPORTED));
        assert_eq!(decide(0xc400_0012, [0; 3]), Action::Answer(NOT_SUPPORTED));
        assert!(is_psci(0x8400_0006) && is_psci(0xc400_0012));
        assert!(!is_psci(0xc400_0190) && !is_psci(0x8000_0000));
    }
}
