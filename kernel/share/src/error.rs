//! Why nothing is handed out.

use alloc::string::String;
use core::fmt;

use crate::Digest;

/// Why nothing is handed out. `E` is the error of the transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error<E> {
    /// The host, or the way to it.
    Files {
        /// What was asked for.
        path: String,
        /// What is wrong.
        error: ninep::Error<E>,
    },
    /// The host has another file than the one that was asked for.
    Changed {
        /// Its path in the share.
        path: String,
        /// What is different.
        what: Changed,
    },
    /// The manifest does not list the file.
    NotListed {
        /// Its path.
        path: String,
    },
    /// The manifest has the right digest, or any would do, but it is none.
    Manifest(ManifestFault),
}

/// What is different in a file of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// A piece of it, which begins at this byte, has another digest.
    Piece {
        /// Its first byte.
        at: u64,
    },
    /// All of it has this digest.
    Whole {
        /// What was found.
        found: Digest,
    },
    /// It ends early.
    Short {
        /// Where.
        at: u64,
    },
}

/// What is wrong with a manifest, and in which line, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManifestFault {
    /// It is no text.
    Text,
    /// It does not begin as manifests of this version do.
    Version,
    /// A line is not what it must be.
    Line(usize),
    /// A path leaves the share, or is not behind the one before it.
    Path(usize),
    /// It ends within a file.
    End,
}

impl fmt::Display for ManifestFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("it is no text"),
            Self::Version => f.write_str("it is no manifest of version 1"),
            Self::Line(line) => write!(f, "line {line} makes no sense"),
            Self::Path(line) => write!(f, "line {line}: a path that is none, or out of order"),
            Self::End => f.write_str("it ends within a file"),
        }
    }
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Piece { at } => write!(f, "the piece at byte {at} has another digest"),
            Self::Whole { found } => write!(f, "it has {found}"),
            Self::Short { at } => write!(f, "it ends at byte {at}"),
        }
    }
}

impl<E: fmt::Display> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files { path, error } => write!(f, "{path}: {error}"),
            Self::Changed { path, what } => write!(f, "{path}: changed by the host: {what}"),
            Self::NotListed { path } => write!(f, "{path}: not in the manifest"),
            Self::Manifest(fault) => write!(f, "{}: {fault}", crate::MANIFEST),
        }
    }
}

impl<E: core::error::Error> core::error::Error for Error<E> {}
