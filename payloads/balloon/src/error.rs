//! Why memory did not go, or come back.

use core::fmt;

/// Why memory did not go, or come back.
#[derive(Debug)]
pub enum Error {
    /// There is no balloon that is driven.
    NoBalloon,
    /// The host did not do its part.
    Late {
        /// What it does not do.
        what: &'static str,
    },
    /// Memory did not come back.
    NoMemory {
        /// MiB that could be had.
        mib: usize,
    },
    /// Memory has not what was written.
    Changed {
        /// Where, in MiB.
        mib: usize,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBalloon => f.write_str(
                "there is no balloon: airlock run --balloon SIZE gives one, and the boot argument balloon=SIZE",
            ),
            Self::Late { what } => write!(f, "the host never {what}"),
            Self::NoMemory { mib } => write!(f, "no memory is left after {mib} MiB"),
            Self::Changed { mib } => write!(f, "what was written at {mib} MiB is not there"),
        }
    }
}
