//! Why the host did not do what was asked.

use core::fmt;

use crate::{Call, Status};

/// Why the host did not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The RMM did not hand the call on.
    Rsi(rsi::Error),
    /// The host has no services for devices, or not all that are needed.
    NotOffered {
        /// Its version, or what it said instead.
        version: u64,
        /// The bits of what it has.
        features: u64,
    },
    /// The host refused a call.
    Refused {
        /// Which.
        call: Call,
        /// With what status.
        status: Status,
    },
    /// The host was busy, or not done, until our patience ended.
    TooSlow {
        /// With what.
        call: Call,
    },
    /// The host wants to be called again and does not say with which number.
    NoHandle {
        /// For what.
        call: Call,
    },
    /// An object has no bytes, or more than there is room for.
    Size {
        /// Bytes that the host claims.
        size: u64,
        /// Bytes that there is room for.
        room: usize,
    },
    /// The host says that it copied another number of bytes than it said the object has.
    Short {
        /// Bytes that it said the object has.
        size: usize,
        /// Bytes that it claims to have copied.
        copied: u64,
    },
}

impl From<rsi::Error> for Error {
    fn from(error: rsi::Error) -> Self {
        Self::Rsi(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsi(error) => write!(f, "{error}"),
            Self::NotOffered { version, features } => write!(
                f,
                "the host has no services for devices (version {version:#x}, features {features:#x})"
            ),
            Self::Refused { call, status } => write!(f, "the host refused {call}: {status}"),
            Self::TooSlow { call } => write!(f, "the host does not finish {call}"),
            Self::NoHandle { call } => {
                write!(f, "the host has not finished {call}, and gives no handle")
            }
            Self::Size { size, room } => {
                write!(f, "the host has an object of {size} bytes for {room}")
            }
            Self::Short { size, copied } => write!(
                f,
                "the host copied {copied} bytes of an object that it said has {size}"
            ),
        }
    }
}

impl core::error::Error for Error {}
