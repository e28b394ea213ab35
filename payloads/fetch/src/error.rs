//! Why the file is not on the disk.

use alloc::boxed::Box;
use core::fmt;
use core::net::SocketAddr;

use airlock::{Distrust, Error as Runtime, NetworkError, QuiesceError};

use crate::digest::Digest;

type Http = http::Error<NetworkError>;

/// Why the file is not on the disk.
#[derive(Debug)]
pub enum Error {
    /// There is no `fetch.url=`.
    NoUrl,
    /// `fetch.url=` has another form.
    BadUrl,
    /// `fetch.deadline=` is no number of seconds.
    Deadline,
    /// `fetch.hash=` is no size.
    Hash,
    /// `fetch.trust=` is no measurement.
    Trust,
    /// The disk was not brought to rest, to be asked what it is.
    NotAsked(QuiesceError),
    /// The disk is to be trusted, and is not.
    NotTrusted(Distrust),
    /// It took too long.
    TooLate {
        /// Seconds that it had.
        seconds: u64,
    },
    /// The runtime, the network or the disk.
    Runtime(Runtime),
    /// There is no connection to the server.
    Connect {
        /// Its address.
        server: SocketAddr,
        /// Why.
        error: NetworkError,
    },
    /// The server does not speak HTTP, or stopped in the middle.
    Http(Http),
    /// The server does not give the file.
    Status {
        /// What it says instead.
        status: u16,
    },
    /// The server announces no digest.
    NoDigest,
    /// The file has no bytes.
    Empty,
    /// The file is longer than the disk.
    TooLong {
        /// Bytes of the disk.
        room: u64,
    },
    /// What came is not what was announced.
    WrongDigest(Box<Mismatch>),
    /// What the disk gives back is not what was written.
    WrongOnDisk(Box<Mismatch>),
}

/// Two digests that are to be the same. In a box, because each step hands errors on, by the size of the largest.
#[derive(Debug)]
pub struct Mismatch {
    /// By the server.
    pub announced: Digest,
    /// Of what there is.
    pub found: Digest,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUrl => f.write_str("give the file's address: fetch.url=http://HOST:PORT/PATH"),
            Self::BadUrl => f.write_str("fetch.url= is not of the form http://HOST[:PORT]/PATH"),
            Self::Deadline => f.write_str("fetch.deadline= is not a number of seconds"),
            Self::Hash => f.write_str("fetch.hash= is not a size, such as 64M"),
            Self::Trust => {
                f.write_str("fetch.trust= is not ask, or sha256: and 64 hexadecimal digits")
            }
            Self::NotAsked(error) => write!(f, "the disk: {error}"),
            Self::NotTrusted(error) => write!(f, "the disk is not trusted: {error}"),
            Self::TooLate { seconds } => write!(f, "not done within {seconds} s"),
            Self::Runtime(error) => error.fmt(f),
            Self::Connect {
                server,
                error: NetworkError::TimedOut,
            } => write!(
                f,
                "{server} did not answer in time; is the server running, and does fetch.url= say where? \
                 (lkvm's user network never says that nobody listens)"
            ),
            Self::Connect { server, error } => write!(f, "{server}: {error}"),
            Self::Http(error) => error.fmt(f),
            Self::Status { status } => write!(f, "the server answers with status {status}"),
            Self::NoDigest => f.write_str("the server announces no sha256 of the file"),
            Self::Empty => f.write_str("the file is empty"),
            Self::TooLong { room } => write!(f, "the file is longer than the disk ({room} bytes)"),
            Self::WrongDigest(two) => write!(
                f,
                "wrong digest: the server announced {}, but sent {}",
                two.announced, two.found
            ),
            Self::WrongOnDisk(two) => write!(
                f,
                "wrong digest: {} was written, the disk gives back {}",
                two.announced, two.found
            ),
        }
    }
}

impl From<Runtime> for Error {
    fn from(error: Runtime) -> Self {
        Self::Runtime(error)
    }
}

impl From<NetworkError> for Error {
    fn from(error: NetworkError) -> Self {
        Self::Runtime(Runtime::Network(error))
    }
}

impl From<airlock::DiskError> for Error {
    fn from(error: airlock::DiskError) -> Self {
        Self::Runtime(Runtime::Disk(error))
    }
}

impl From<QuiesceError> for Error {
    fn from(error: QuiesceError) -> Self {
        Self::NotAsked(error)
    }
}

impl From<Distrust> for Error {
    fn from(error: Distrust) -> Self {
        Self::NotTrusted(error)
    }
}

impl From<Http> for Error {
    fn from(error: Http) -> Self {
        Self::Http(error)
    }
}
