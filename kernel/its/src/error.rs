//! Why an ITS is not used.

use core::fmt;

/// Tables of an ITS that are told by registers of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Where each device's table of interrupts is.
    Devices,
    /// Which redistributor each collection goes to.
    Collections,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Devices => "devices",
            Self::Collections => "collections",
        })
    }
}

/// Why an ITS is not used. All numbers are the host's, but for what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
// A tag of 64 bits: an error is handed on by whole words, and nothing is left behind a narrow one.
#[repr(u64)]
pub enum Error {
    /// What was asked for is more than this crate serves, or nothing.
    Capacity,
    /// ITS or redistributor has no physical LPIs.
    NoLpis,
    /// The ITS did not stop in time.
    Busy,
    /// The ITS tells fewer bits of device or event numbers than are needed.
    TooFewBits {
        /// Bits it has.
        has: u32,
        /// Bits that are needed.
        needed: u32,
    },
    /// The ITS has no register for a table that it needs.
    NoTable(Table),
    /// The table would need more pages than its register can tell.
    TableSize(Table),
    /// A register does not keep what was written: the address, or that the table is valid.
    NotKept {
        /// Offset of the register.
        register: u64,
    },
    /// A table is read past the caches: this crate does not write memory back to RAM.
    NotCoherent {
        /// Offset of the register.
        register: u64,
    },
    /// The memory is shorter than [`crate::Probe::bytes`], or not aligned.
    Memory,
    /// LPIs of the redistributor cannot be turned on, or were on and cannot be turned off.
    LpisStuck,
    /// The ITS stopped at a command that it does not take.
    Stalled,
    /// The reader of the ITS is outside the command queue.
    Reader {
        /// Offset in bytes.
        offset: u32,
    },
    /// The ITS did not carry commands out in time.
    TimedOut,
    /// An earlier error has ended the use of this ITS.
    Ended,
    /// The device number is beyond the table.
    DeviceId {
        /// The number.
        id: u32,
    },
    /// More devices or events than were asked for at the start.
    Full,
    /// No such LPI was given out.
    NoSuchLpi {
        /// Its number.
        lpi: u32,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capacity => f.write_str("more interrupts asked for than are served"),
            Self::NoLpis => f.write_str("has no LPIs"),
            Self::Busy => f.write_str("did not stop in time"),
            Self::TooFewBits { has, needed } => {
                write!(f, "tells numbers of {has} bits where {needed} are needed")
            }
            Self::NoTable(table) => write!(f, "has no table of {table}"),
            Self::TableSize(table) => write!(f, "wants more memory for {table} than it can tell"),
            Self::NotKept { register } => {
                write!(
                    f,
                    "register {register:#x} does not keep what is written to it"
                )
            }
            Self::NotCoherent { register } => {
                write!(f, "register {register:#x} wants a table without caches")
            }
            Self::Memory => f.write_str("memory for its tables is too short or not aligned"),
            Self::LpisStuck => f.write_str("LPIs cannot be turned on"),
            Self::Stalled => f.write_str("stalled at a command"),
            Self::Reader { offset } => {
                write!(f, "reads commands at {offset:#x}, outside its queue")
            }
            Self::TimedOut => f.write_str("did not carry out commands in time"),
            Self::Ended => f.write_str("is no longer used"),
            Self::DeviceId { id } => write!(f, "device {id:#x} is beyond its table"),
            Self::Full => f.write_str("has no room for another device"),
            Self::NoSuchLpi { lpi } => write!(f, "LPI {lpi} was not given out"),
        }
    }
}

impl core::error::Error for Error {}
