//! Why a stream to the host does not go on.

use core::fmt;

use embedded_io_async::ErrorKind;

use crate::Error;

/// Why a stream to the host does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamError {
    /// The host has no port of this name.
    NoPort,
    /// The other side took nothing, or did not answer, for too long.
    TimedOut,
    /// The device was stopped.
    Device(Error),
}

impl From<Error> for StreamError {
    fn from(error: Error) -> Self {
        Self::Device(error)
    }
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPort => f.write_str("the host has no port of this name"),
            Self::TimedOut => f.write_str("the host took nothing for too long"),
            Self::Device(error) => write!(f, "the device was stopped: {error}"),
        }
    }
}

impl core::error::Error for StreamError {}

impl embedded_io_async::Error for StreamError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoPort => ErrorKind::NotFound,
            Self::TimedOut => ErrorKind::TimedOut,
            Self::Device(_) => ErrorKind::Other,
        }
    }
}
