//! Why something was not done.

use core::fmt;

/// Why something was not done. `E` is the error of the transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error<E> {
    /// Nothing came back.
    Transport(E),
    /// What came back is no answer to what was asked.
    Malformed(Malformed),
    /// The host refuses, with an error number of Linux.
    Refused {
        /// The number.
        errno: u32,
    },
    /// There is no such file.
    NotFound,
    /// The host does not speak 9P2000.L with messages of a useful size.
    Version,
    /// The path would leave the share, or is none.
    Path(PathFault),
    /// A part of the path is a symbolic link, which is not followed.
    SymbolicLink,
    /// It is no plain file.
    NotAFile,
    /// It is no folder.
    NotAFolder,
    /// There is more of it than the caller takes.
    TooLong {
        /// Bytes or names that the caller takes.
        limit: usize,
    },
    /// Too many files are open, or were given up while the host had not answered.
    TooManyOpen,
}

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It answers another kind of request.
    Kind(u8),
    /// It ends before its fields do, or goes on behind them.
    Length,
    /// It says that there is more than was asked for.
    Count,
    /// A step of a path has no kind that a step can have.
    Step,
}

/// What is wrong with a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathFault {
    /// It begins with `/`.
    Absolute,
    /// It has an empty part.
    Empty,
    /// It has a part `.` or `..`.
    Dots,
    /// It has a character that no name has: NUL, or a control character.
    Character,
    /// It has too many parts.
    Deep,
    /// A part has more than 255 bytes.
    Long,
}

impl fmt::Display for PathFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absolute => "begins with `/`",
            Self::Empty => "has an empty part",
            Self::Dots => "has a part `.` or `..`",
            Self::Character => "has a control character",
            Self::Deep => "has too many parts",
            Self::Long => "has a part of more than 255 bytes",
        })
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(kind) => write!(f, "message of kind {kind}"),
            Self::Length => f.write_str("fields do not fit the message"),
            Self::Count => f.write_str("more than was asked for"),
            Self::Step => f.write_str("step through something that is no folder"),
        }
    }
}

impl<E: fmt::Display> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(error) => error.fmt(f),
            Self::Malformed(what) => write!(f, "the host's answer makes no sense: {what}"),
            Self::Refused { errno } => write!(f, "the host refuses: error {errno} of Linux"),
            Self::NotFound => f.write_str("there is no such file"),
            Self::Version => f.write_str("the host does not speak 9P2000.L"),
            Self::Path(fault) => write!(f, "the path {fault}"),
            Self::SymbolicLink => f.write_str("a symbolic link, which is not followed"),
            Self::NotAFile => f.write_str("not a plain file"),
            Self::NotAFolder => f.write_str("not a folder"),
            Self::TooLong { limit } => write!(f, "more than {limit} of it"),
            Self::TooManyOpen => f.write_str("too many files are open"),
        }
    }
}

impl<E: core::error::Error> core::error::Error for Error<E> {}
