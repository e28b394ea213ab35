//! Exceptions that the monitor gives to the guest: what the machine would have done.
//!
//! Ref: Arm ARM, D1.3.3 (exception entry); DEN0137 1.0, A4.3.

use crate::syndrome::Trap;

/// What the registers of the guest are to be when it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Injection {
    /// `ESR_EL1`.
    pub esr: u64,
    /// Offset of the vector from `VBAR_EL1`.
    pub vector: u64,
    /// State of the processor in the handler.
    pub pstate: u64,
}

/// EL1 with its own stack pointer, and all exceptions masked.
const HANDLER: u64 = 0x3c5;
/// Bits of the state that an exception leaves as they were: NZCV, DIT, UAO, PAN.
const KEPT: u64 = 0xf << 28 | 1 << 24 | 1 << 23 | PAN;
const PAN: u64 = 1 << 22;
const INSTRUCTION_LENGTH: u64 = 1 << 25;
const SPAN: u64 = 1 << 23;
const EXTERNAL_ABORT: u64 = 1 << 9;
const SYNCHRONOUS_EXTERNAL: u64 = 0x10;
const NOT_VALID_ADDRESS: u64 = 1 << 10;
const WALK: u64 = 1 << 7;

/// A synchronous external abort for the access that `esr` (of EL2) describes.
#[must_use]
pub fn external_abort(esr: u64, spsr: u64, sctlr: u64) -> Injection {
    let fetch = Trap::of(esr) == Trap::Fetch;
    let class = match (fetch, is_el0(spsr)) {
        (true, true) => 0x20,
        (true, false) => 0x21,
        (false, true) => 0x24,
        (false, false) => 0x25,
    };
    let kept = esr & 0x01ff_ffff & !(WALK | NOT_VALID_ADDRESS | 0x3f);
    let iss = kept | EXTERNAL_ABORT | SYNCHRONOUS_EXTERNAL;
    enter(class << 26 | INSTRUCTION_LENGTH | iss, spsr, sctlr)
}

/// An undefined instruction.
#[must_use]
pub fn undefined(spsr: u64, sctlr: u64) -> Injection {
    enter(INSTRUCTION_LENGTH, spsr, sctlr)
}

fn enter(esr: u64, spsr: u64, sctlr: u64) -> Injection {
    let mut pstate = HANDLER | spsr & KEPT;
    if sctlr & SPAN == 0 {
        pstate |= PAN;
    }
    Injection {
        esr,
        vector: vector(spsr),
        pstate,
    }
}

const fn is_el0(spsr: u64) -> bool {
    spsr & 0b1100 == 0
}

const fn vector(spsr: u64) -> u64 {
    match (is_el0(spsr), spsr & 0x10 != 0, spsr & 1) {
        (true, false, _) => 0x400,
        (true, true, _) => 0x600,
        (false, _, 0) => 0,
        (false, _, _) => 0x200,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EL1H: u64 = 0x3c5;
    const SPAN_SET: u64 = SPAN;

    #[test]
    fn aborts_look_as_they_were_measured() {
        let seen = [
            (0x9381_0005, 0x9781_0210),
            (0x9396_0045, 0x9796_0250),
            (0x93c1_8007, 0x97c1_8210),
            (0x8200_000f, 0x8600_0210),
            (0x9200_0087, 0x9600_0210),
        ];
        for (esr, injected) in seen {
            assert_eq!(
                external_abort(esr, EL1H, SPAN_SET).esr,
                injected,
                "{esr:#x}"
            );
        }
    }

    #[test]
    fn the_vector_follows_where_the_guest_was() {
        assert_eq!(undefined(EL1H, SPAN_SET).vector, 0x200);
        assert_eq!(undefined(0x3c4, SPAN_SET).vector, 0);
        assert_eq!(undefined(0, SPAN_SET).vector, 0x400);
        assert_eq!(undefined(0x10, SPAN_SET).vector, 0x600);
        assert_eq!(undefined(EL1H, SPAN_SET).esr, 0x0200_0000);
    }

    #[test]
    fn an_abort_of_a_user_program_has_the_class_of_a_lower_level() {
        assert_eq!(external_abort(0x93c1_8007, 0, SPAN_SET).esr >> 26, 0x24);
        assert_eq!(external_abort(0x8200_000f, 0, SPAN_SET).esr >> 26, 0x20);
    }

    #[test]
    fn pan_is_set_unless_the_guest_asked_for_it_to_stay() {
        assert_eq!(undefined(EL1H, 0).pstate, EL1H | PAN);
        assert_eq!(
            undefined(EL1H | 0xf << 28, SPAN_SET).pstate,
            EL1H | 0xf << 28
        );
    }
}
