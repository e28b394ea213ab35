//! Why a device is not trusted, or no longer.

use core::fmt;

use rsi::VdevState;
use tdisp::{EvidenceError, Measurement};

use crate::RangeFault;

/// Why a device is not trusted, or no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// This realm was made without devices, or there is no RMM.
    NotOffered,
    /// The RMM refused.
    Rsi(rsi::Error),
    /// The host refused, or did not do it in time.
    Host(rhi::Error),
    /// What the RMM says of the device is in no layout that we know.
    Layout(rsi::LayoutError),
    /// The device is in another state than the host was asked for.
    State {
        /// The state that it should be in.
        wanted: VdevState,
        /// The state that the RMM says it is in.
        found: VdevState,
    },
    /// The device was unlocked and locked again, or measured or asked anew: what we know of it is not
    /// about what it is now.
    Changed,
    /// What the device says of itself is not believed.
    Evidence(EvidenceError),
    /// Its registers are not where its BARs are.
    Registers {
        /// The BAR.
        bar: u8,
        /// What is wrong.
        fault: RangeFault,
    },
    /// It is another device than the one that is to be trusted.
    Unknown {
        /// What is to be trusted.
        wanted: Measurement,
        /// What it is.
        found: Measurement,
    },
    /// It could not be measured, so nobody would know that it is trusted.
    NotMeasured,
    /// Its registers are not where they were: the host took them away.
    Unmapped {
        /// First address that is something else now.
        at: u64,
    },
    /// The realm itself does not trust it any more.
    Revoked,
}

impl From<rsi::Error> for Error {
    fn from(error: rsi::Error) -> Self {
        Self::Rsi(error)
    }
}

impl From<rhi::Error> for Error {
    fn from(error: rhi::Error) -> Self {
        Self::Host(error)
    }
}

impl From<EvidenceError> for Error {
    fn from(error: EvidenceError) -> Self {
        Self::Evidence(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOffered => f.write_str("this realm may have no devices of its own"),
            Self::Rsi(error) => write!(f, "{error}"),
            Self::Host(error) => write!(f, "{error}"),
            Self::Layout(error) => write!(f, "{error}"),
            Self::State { wanted, found } => {
                write!(f, "the device is {found}, and should be {wanted}")
            }
            Self::Changed => {
                f.write_str("the device was unlocked, or measured anew, behind our back")
            }
            Self::Evidence(error) => write!(f, "{error}"),
            Self::Registers { bar, fault } => write!(f, "registers in BAR {bar}: {fault}"),
            Self::Unknown { wanted, found } => {
                write!(f, "it is {found}, and {wanted} is to be trusted")
            }
            Self::NotMeasured => f.write_str("it could not be measured into REM 3"),
            Self::Revoked => f.write_str("its user took the trust in it back"),
            Self::Unmapped { at } => write!(f, "the host took its registers at {at:#x} away"),
        }
    }
}

impl core::error::Error for Error {}
