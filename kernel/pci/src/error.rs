//! What can be wrong with a function, or with the bridge above it.

use core::fmt;

use crate::MapError;

/// Why a function cannot be used. All numbers are the host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
// A tag of 64 bits: an error is handed on by whole words, and nothing is left behind a narrow one.
#[repr(u64)]
pub enum Error {
    /// The configuration window is smaller than one bus, or its buses are in the wrong order.
    Window {
        /// Bytes of the window.
        len: u64,
    },
    /// The capability list loops, is too long, or leaves the configuration space.
    Capabilities {
        /// Offset at which the walk was given up.
        at: u8,
    },
    /// A BAR is of a kind that cannot be used: I/O ports, a reserved type, half of a 64-bit BAR.
    BarKind {
        /// Index of the BAR.
        bar: u8,
    },
    /// A BAR has a size that is not a power of two, is 0, or is smaller than what lies in it.
    BarSize {
        /// Index of the BAR.
        bar: u8,
        /// Bytes the BAR has.
        size: u64,
    },
    /// A BAR that is needed has no address, and is not ours to place: decoding is already on, or
    /// the function is behind a bridge.
    Unassigned {
        /// Index of the BAR.
        bar: u8,
    },
    /// A BAR does not keep the address written to it.
    BarStuck {
        /// Index of the BAR.
        bar: u8,
    },
    /// No window of the bridge has room.
    NoRoom {
        /// Bytes wanted.
        size: u64,
    },
    /// The run is in no window of the bridge.
    OutsideWindows {
        /// First address, as the BAR has it.
        address: u64,
        /// Bytes.
        len: u64,
    },
    /// The run overlaps memory, another device, or another BAR.
    Overlap {
        /// First address, as the CPU has it.
        address: u64,
        /// Bytes.
        len: u64,
    },
    /// The registers could not be mapped.
    Map(MapError),
}

impl From<MapError> for Error {
    fn from(error: MapError) -> Self {
        Self::Map(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Window { len } => write!(f, "configuration window of {len} bytes holds no bus"),
            Self::Capabilities { at } => {
                write!(f, "capability list is damaged at offset {at:#x}")
            }
            Self::BarKind { bar } => write!(f, "BAR {bar} is not usable memory"),
            Self::BarSize { bar, size } => write!(f, "BAR {bar} has a bad size, {size:#x}"),
            Self::Unassigned { bar } => write!(f, "BAR {bar} has no address"),
            Self::BarStuck { bar } => write!(f, "BAR {bar} does not keep its address"),
            Self::NoRoom { size } => write!(f, "no bridge window has {size:#x} bytes free"),
            Self::OutsideWindows { address, len } => {
                write!(f, "{len:#x} bytes at {address:#x} are in no bridge window")
            }
            Self::Overlap { address, len } => {
                write!(f, "{len:#x} bytes at {address:#x} overlap something else")
            }
            Self::Map(MapError { address, len }) => {
                write!(f, "cannot map {len:#x} bytes at {address:#x}")
            }
        }
    }
}

impl core::error::Error for Error {}
