//! Why a stream to the host does not go on.

use core::fmt;

use embedded_io_async::ErrorKind;

use crate::Error;

/// Why a stream to the host does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamError {
    /// The host has no port of this name.
    NoPort,
    /// The host has no such device.
    NoDevice,
    /// Nobody listens there.
    Refused,
    /// The other side has gone.
    Reset,
    /// The host broke the rules of this connection: it sent more than there was room for, took what was
    /// never sent, or said what has no place.
    Broken,
    /// Somebody here listens at this port.
    InUse,
    /// There are as many connections as there can be.
    TooMany,
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
            Self::NoDevice => f.write_str("the host has no such device"),
            Self::Refused => f.write_str("nobody on the host listens there"),
            Self::Reset => f.write_str("the other side has ended the connection"),
            Self::Broken => f.write_str("the host broke the rules of this connection"),
            Self::InUse => f.write_str("somebody here listens at this port"),
            Self::TooMany => f.write_str("there are too many connections"),
            Self::TimedOut => f.write_str("the host took nothing for too long"),
            Self::Device(error) => write!(f, "the device was stopped: {error}"),
        }
    }
}

impl core::error::Error for StreamError {}

impl embedded_io_async::Error for StreamError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoPort | Self::NoDevice => ErrorKind::NotFound,
            Self::Refused => ErrorKind::ConnectionRefused,
            Self::Reset => ErrorKind::ConnectionReset,
            Self::Broken => ErrorKind::InvalidData,
            Self::InUse => ErrorKind::AddrInUse,
            Self::TooMany => ErrorKind::OutOfMemory,
            Self::TimedOut => ErrorKind::TimedOut,
            Self::Device(_) => ErrorKind::Other,
        }
    }
}
