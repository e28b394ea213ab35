//! Power: the few PSCI calls that are needed.
//!
//! In a realm the RMM answers them; in an ordinary machine the hypervisor or the firmware does, by
//! `smc` or `hvc` as the device tree says.
//!
//! Ref: DEN0022 (PSCI) 1.1, section 5.

use core::fmt;

use crate::conduit::answer;
use crate::{Arguments, Conduit, Version};

/// A PSCI function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// `PSCI_VERSION`
    Version,
    /// `CPU_ON`, of the 64-bit convention.
    CpuOn,
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
            Self::CpuOn => 0xc400_0003,
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
    let code = call(conduit, Function::Version, [0; 3]);
    match u32::try_from(code) {
        Ok(raw) => Ok(Version::from_raw(raw.into())),
        Err(_) => Err(failed(Function::Version, code)),
    }
}

/// Says whether `function` is there.
pub fn has(conduit: &impl Conduit, function: Function) -> bool {
    call(conduit, Function::Features, [function.identifier(), 0, 0]) >= 0
}

/// Turns the machine off. Returning is the error.
pub fn system_off(conduit: &impl Conduit) -> Error {
    let function = Function::SystemOff;
    failed(function, call(conduit, function, [0; 3]))
}

/// Resets the machine; a realm is not started again. Returning is the error.
pub fn system_reset(conduit: &impl Conduit) -> Error {
    let function = Function::SystemReset;
    failed(function, call(conduit, function, [0; 3]))
}

/// Starts the CPU with `affinity` at `entry`, an address of ours, with `context` in `x0`. Success means
/// that it is going to run, at a moment of the host's choosing.
///
/// # Errors
///
/// [`Error`] with the code: -2 no such CPU, -3 denied by the host, -4 it runs already, -5 it is about to,
/// -9 `entry` is not private memory.
pub fn cpu_on(
    conduit: &impl Conduit,
    affinity: u64,
    entry: u64,
    context: u64,
) -> Result<(), Error> {
    let function = Function::CpuOn;
    match call(conduit, function, [affinity, entry, context]) {
        0 => Ok(()),
        code => Err(failed(function, code)),
    }
}

fn call(conduit: &impl Conduit, function: Function, operands: [u64; 3]) -> i32 {
    let mut arguments = Arguments::default();
    arguments[0] = function.identifier();
    for (argument, operand) in arguments.iter_mut().skip(1).zip(operands) {
        *argument = operand;
    }
    // What comes back are codes of 32 bits, whatever the convention.
    let code = answer(&conduit.call(arguments), 0);
    let code = code.any_value("0, or an error with that code");
    let [a, b, c, d, ..] = code.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}

const fn failed(function: Function, code: i32) -> Error {
    Error { function, code }
}
