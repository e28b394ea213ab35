//! Why nothing is given.

use core::fmt;

use airlock::{FolderError, NetworkError, ShareError};

/// Why nothing is given.
#[derive(Debug)]
pub enum Error {
    /// A boot argument is no number of 16 bits.
    Argument {
        /// Its key.
        key: &'static str,
    },
    /// There is no folder to give.
    NoShare,
    /// The folder.
    Share(ShareError),
    /// A file of it.
    Folder(FolderError),
    /// What a client said is no request.
    Request(http::Error<NetworkError>),
    /// The runtime or the network.
    Runtime(airlock::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument { key } => write!(f, "{key}= is not a number from 0 to 65535"),
            Self::NoShare => {
                f.write_str("there is no shared folder: airlock run --share NAME=DIR gives one")
            }
            Self::Share(error) => error.fmt(f),
            Self::Folder(error) => error.fmt(f),
            Self::Request(error) => error.fmt(f),
            Self::Runtime(error) => error.fmt(f),
        }
    }
}

impl From<airlock::Error> for Error {
    fn from(error: airlock::Error) -> Self {
        Self::Runtime(error)
    }
}

impl From<NetworkError> for Error {
    fn from(error: NetworkError) -> Self {
        Self::Runtime(error.into())
    }
}

impl From<ShareError> for Error {
    fn from(error: ShareError) -> Self {
        Self::Share(error)
    }
}

impl From<FolderError> for Error {
    fn from(error: FolderError) -> Self {
        Self::Folder(error)
    }
}
