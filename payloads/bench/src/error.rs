//! Why nothing was measured.

use core::fmt;

use workload::amounts::BadArgument;

/// Why nothing was measured.
#[derive(Clone, Copy, Debug)]
pub enum Error {
    /// A boot argument cannot be used.
    Argument(&'static str),
    /// Other bytes came than were sent.
    Content,
    /// The runtime, the network or the disk.
    Runtime(airlock::Error),
    /// The disk.
    Disk(airlock::DiskError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument(key) => write!(f, "{key}= is missing, or cannot be used"),
            Self::Content => f.write_str("other bytes came than were sent"),
            Self::Runtime(error) => error.fmt(f),
            Self::Disk(error) => error.fmt(f),
        }
    }
}

impl From<BadArgument> for Error {
    fn from(error: BadArgument) -> Self {
        Self::Argument(error.0)
    }
}

impl From<airlock::Error> for Error {
    fn from(error: airlock::Error) -> Self {
        Self::Runtime(error)
    }
}

impl From<airlock::NetworkError> for Error {
    fn from(error: airlock::NetworkError) -> Self {
        Self::Runtime(error.into())
    }
}

impl From<airlock::DiskError> for Error {
    fn from(error: airlock::DiskError) -> Self {
        Self::Disk(error)
    }
}
