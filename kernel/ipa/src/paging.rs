//! Why an address is not mapped.

use core::fmt;

/// Why the map was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PagingError {
    /// The addresses are not representable, or beyond what the CPU can address.
    OutOfReach {
        /// First address asked for.
        address: u64,
    },
    /// The image has no more tables.
    NoTables {
        /// First address asked for.
        address: u64,
    },
    /// Something else is mapped there already, in another way.
    InUse {
        /// First address asked for.
        address: u64,
    },
}

impl fmt::Display for PagingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfReach { address } => {
                write!(f, "{address:#x} is beyond what this CPU can address")
            }
            Self::NoTables { address } => write!(f, "no page tables left to map {address:#x}"),
            Self::InUse { address } => write!(f, "{address:#x} is mapped in another way already"),
        }
    }
}

impl core::error::Error for PagingError {}
