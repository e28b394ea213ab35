//! What an exception means, in words.

use core::fmt;

use ipa::IpaSpace;

/// An exception that nobody asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which of the sixteen vectors.
    pub vector: u64,
    /// `ESR_EL1`
    pub syndrome: u64,
    /// `FAR_EL1`
    pub address: u64,
}

/// Which half of the address space an address lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// Private memory of the realm.
    Protected,
    /// Shared memory and devices.
    Shared,
    /// Behind both.
    Outside,
    /// There are no halves: this is no realm, or it is not known yet.
    Plain,
}

impl Half {
    /// Says where `address` lies.
    pub const fn of(space: IpaSpace, address: u64) -> Self {
        if !space.is_realm() {
            Self::Plain
        } else if address < space.protected_limit() {
            Self::Protected
        } else if address < space.protected_limit() * 2 {
            Self::Shared
        } else {
            Self::Outside
        }
    }
}

impl fmt::Display for Half {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Protected => " in the protected half",
            Self::Shared => " in the shared half",
            Self::Outside => " outside both halves",
            Self::Plain => "",
        })
    }
}

/// Why an access was aborted.
///
/// Ref: DDI0487, `ESR_EL1`, "ISS encoding for an exception from a Data Abort", DFSC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The address has more bits than the tables or the CPU.
    AddressSize,
    /// Nothing is mapped there.
    Translation,
    /// The access flag is clear; our tables never do that.
    AccessFlag,
    /// It is mapped, and not for this kind of access.
    Permission,
    /// Whoever is behind the address refused: a synchronous external abort (SEA).
    External,
    /// The walk of the page tables met an external abort.
    ExternalOnWalk,
    /// The address is no multiple of what the access needs.
    Alignment,
    /// A code that is not described here.
    Other(u64),
}

impl Cause {
    const fn from_code(code: u64) -> Self {
        match code {
            0x00..=0x03 => Self::AddressSize,
            0x04..=0x07 => Self::Translation,
            0x08..=0x0b => Self::AccessFlag,
            0x0c..=0x0f => Self::Permission,
            0x10 => Self::External,
            0x13..=0x17 => Self::ExternalOnWalk,
            0x21 => Self::Alignment,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddressSize => f.write_str("address size fault"),
            Self::Translation => f.write_str("nothing is mapped there"),
            Self::AccessFlag => f.write_str("access flag fault"),
            Self::Permission => f.write_str("not allowed there"),
            Self::External => f.write_str("synchronous external abort"),
            Self::ExternalOnWalk => f.write_str("synchronous external abort on a table walk"),
            Self::Alignment => f.write_str("unaligned"),
            Self::Other(code) => write!(f, "fault status {code:#x}"),
        }
    }
}

impl Fault {
    const UNKNOWN: u64 = 0x00;
    const FP_TRAP: u64 = 0x07;
    const ILLEGAL_STATE: u64 = 0x0e;
    const SYSTEM_REGISTER: u64 = 0x18;
    const INSTRUCTION_ABORT: u64 = 0x21;
    const PC_ALIGNMENT: u64 = 0x22;
    const DATA_ABORT: u64 = 0x25;
    const SP_ALIGNMENT: u64 = 0x26;
    const BREAKPOINT: u64 = 0x3c;

    const fn class(self) -> u64 {
        (self.syndrome >> 26) & 0x3f
    }

    /// Whether this is an access that was aborted, and for what reason.
    pub const fn cause(self) -> Option<Cause> {
        match (self.vector & 3, self.class()) {
            (0, Self::INSTRUCTION_ABORT | Self::DATA_ABORT) => {
                Some(Cause::from_code(self.syndrome & 0x3f))
            }
            _ => None,
        }
    }

    /// What the access was, for an abort.
    fn access(self) -> &'static str {
        match (self.class(), self.syndrome & (1 << 6) != 0) {
            (Self::INSTRUCTION_ABORT, _) => "instruction fetch",
            (_, true) => "write",
            (_, false) => "read",
        }
    }

    /// What kind of exception it was, for everything but an abort.
    fn kind(self) -> &'static str {
        match (self.vector & 3, self.class()) {
            (1, _) => "interrupt, though interrupts are masked",
            (2, _) => "fast interrupt, though interrupts are masked",
            (3, _) => "SError: an access failed some time ago",
            (_, Self::UNKNOWN) => "undefined instruction",
            (_, Self::FP_TRAP) => "trapped floating point instruction",
            (_, Self::ILLEGAL_STATE) => "illegal execution state",
            (_, Self::SYSTEM_REGISTER) => "trapped system register",
            (_, Self::PC_ALIGNMENT) => "program counter not aligned",
            (_, Self::SP_ALIGNMENT) => "stack pointer not aligned",
            (_, Self::BREAKPOINT) => "breakpoint instruction",
            _ => "exception",
        }
    }

    /// A likely reason, where there is one. `guard` says whether the address is in a guard page.
    const fn hint(self, cause: Cause, half: Half, guard: bool) -> &'static str {
        match (cause, half) {
            (Cause::Translation, _) if guard => ": the stack overflowed",
            (Cause::External, Half::Protected) => {
                ": the page is empty (not claimed as RAM, or shared), or a device was used without the shared bit"
            }
            (Cause::External, Half::Shared) if self.class() == Self::INSTRUCTION_ABORT => {
                ": no code runs in the shared half"
            }
            (Cause::External, Half::Shared) => {
                ": nothing answers there, or the host cannot emulate this instruction"
            }
            _ => "",
        }
    }

    /// Says in one line what happened.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn describe(self, out: &mut dyn fmt::Write, space: IpaSpace, guard: bool) -> fmt::Result {
        let Some(cause) = self.cause() else {
            return write!(out, "{} (class {:#x})", self.kind(), self.class());
        };
        let half = Half::of(space, self.address);
        let hint = self.hint(cause, half, guard);
        let access = self.access();
        write!(out, "{access} of {:#x}{half}: {cause}{hint}", self.address)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;

    fn text(vector: u64, syndrome: u64, address: u64, guard: bool) -> String {
        let mut out = String::new();
        let space = IpaSpace::realm(33).unwrap();
        let fault = Fault {
            vector,
            syndrome,
            address,
        };
        fault.describe(&mut out, space, guard).unwrap();
        out
    }

    #[test]
    fn an_external_abort_in_the_protected_half_names_the_missing_shared_bit() {
        let text = text(0, 0x9780_0210, 0x0100_0000, false);
        assert!(text.starts_with("read of 0x1000000 in the protected half: synchronous external"));
        assert!(text.contains("without the shared bit"));
    }

    #[test]
    fn an_external_abort_in_the_shared_half_names_the_instruction() {
        let write = text(0, 0x9780_0250, 0x1_0100_0000, false);
        assert!(write.starts_with("write of 0x101000000 in the shared half"));
        assert!(write.contains("cannot emulate"));
        let fetch = text(0, 0x8600_0210, 0x1_8000_0000, false);
        assert!(fetch.contains("no code runs in the shared half"));
    }

    #[test]
    fn an_access_below_the_stack_is_a_stack_overflow() {
        assert!(text(0, 0x9600_0047, 0x8010_0ff8, true).ends_with("the stack overflowed"));
    }

    #[test]
    fn what_is_no_abort_has_no_address() {
        assert_eq!(
            text(0, 0x0200_0000, 7, false),
            "undefined instruction (class 0x0)"
        );
        assert!(text(3, 0xbe00_0000, 7, false).starts_with("SError"));
        // A data abort syndrome that is left over from before means nothing for an SError.
        assert!(text(3, 0x9780_0210, 7, false).starts_with("SError"));
    }

    #[test]
    fn an_address_behind_both_halves_is_told_from_both() {
        let space = IpaSpace::realm(33).unwrap();
        assert_eq!(Half::of(space, 1 << 33), Half::Outside);
        assert_eq!(Half::of(space, u64::MAX), Half::Outside);
        assert_eq!(Half::of(IpaSpace::plain(), 0), Half::Plain);
    }
}
