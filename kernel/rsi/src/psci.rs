//! Power: the few PSCI calls that one CPU needs.
//!
//! In a realm the RMM answers them; in an ordinary machine the hypervisor or the firmware does, by
//! `smc` or `hvc` as the device tree says.
//!
//! Ref: DEN0022 (PSCI) 1.1, section 5.

use core::fmt;

use crate::{Arguments, Conduit, Version};

/// A PSCI function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// `PSCI_VERSION`
    Version,
    /// `SYSTEM_OFF`
    SystemOff,
    /// `SYSTEM_RESET`
    SystemReset,
    /// `PSCI_FEATURES`
    Features,
}

impl Function {
    /// The function identifier, for `x0`.
    pub const fn identifier(self) -> u64 {
        match self {
            Self::Version => 0x8400_0000,
            Self::SystemOff => 0x8400_0008,
            Self::SystemReset => 0x8400_0009,
            Self::Features => 0x8400_000a,
        }
    }
}

/// PSCI did not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// Which function.
    pub function: Function,
    /// What it returned: a negative code, or 0 from a call that does not return.
    pub code: i32,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PSCI {:?} returned {}", self.function, self.code)
    }
}

impl core::error::Error for Error {}

/// Reads the version of PSCI.
///
/// # Errors
///
/// [`Error`] with the code, -1 where there is no PSCI.
pub fn version(conduit: &impl Conduit) -> Result<Version, Error> {
    let code = call(conduit, Function::Version, 0);
    match u32::try_from(code) {
        Ok(raw) => Ok(Version::from_raw(raw.into())),
        Err(_) => Err(failed(Function::Version, code)),
    }
}

/// Says whether `function` is there.
pub fn has(conduit: &impl Conduit, function: Function) -> bool {
    call(conduit, Function::Features, function.identifier()) >= 0
}

/// Turns the machine off. Returning is the error.
pub fn system_off(conduit: &impl Conduit) -> Error {
    let function = Function::SystemOff;
    failed(function, call(conduit, function, 0))
}

/// Resets the machine; a realm is not started again. Returning is the error.
pub fn system_reset(conduit: &impl Conduit) -> Error {
    let function = Function::SystemReset;
    failed(function, call(conduit, function, 0))
}

fn call(conduit: &impl Conduit, function: Function, operand: u64) -> i32 {
    let mut arguments = Arguments::default();
    arguments[0] = function.identifier();
    arguments[1] = operand;
    // These are calls of the 32-bit convention: only the low half of x0 is theirs.
    let [a, b, c, d, ..] = conduit.call(arguments)[0].to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}

const fn failed(function: Function, code: i32) -> Error {
    Error { function, code }
}
