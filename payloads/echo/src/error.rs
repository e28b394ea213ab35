//! Why nothing is given back.

use core::fmt;

use airlock::StreamError;

/// Why nothing is given back.
#[derive(Clone, Copy, Debug)]
pub enum Error {
    /// A boot argument is no number of 16 bits.
    Argument {
        /// Its key.
        key: &'static str,
    },
    /// The runtime or the network.
    Runtime(airlock::Error),
    /// A stream to the host.
    Stream(StreamError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument { key } => write!(f, "{key}= is not a number from 0 to 65535"),
            Self::Runtime(error) => error.fmt(f),
            Self::Stream(error) => error.fmt(f),
        }
    }
}

impl From<airlock::Error> for Error {
    fn from(error: airlock::Error) -> Self {
        Self::Runtime(error)
    }
}

impl From<StreamError> for Error {
    fn from(error: StreamError) -> Self {
        Self::Stream(error)
    }
}

impl From<airlock::NetworkError> for Error {
    fn from(error: airlock::NetworkError) -> Self {
        Self::Runtime(error.into())
    }
}
