//! What can go wrong in an exchange.

use core::fmt;

use embedded_io_async::ErrorKind;

/// Why an exchange failed. `E` is the error of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error<E> {
    /// The stream failed.
    Stream(E),
    /// A part of the request holds a character that cannot be sent there.
    BadRequest,
    /// The server closed the connection before a whole head.
    NoResponse,
    /// The head is longer than [`MAX_HEAD`](crate::MAX_HEAD) or has more than
    /// [`MAX_FIELDS`](crate::MAX_FIELDS) fields.
    HeadTooLong,
    /// The head is not HTTP/1.
    BadHead,
    /// The head does not say clearly where the body ends.
    BadFraming,
    /// The body is encoded in a way that we do not know.
    UnknownEncoding,
    /// A chunk of the body is malformed.
    BadChunk,
    /// The connection ended before the body did.
    Truncated,
    /// The body is longer than the caller wants.
    TooLong {
        /// Most bytes that the caller takes.
        limit: usize,
    },
}

impl<E: fmt::Display> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream(error) => error.fmt(f),
            Self::BadRequest => f.write_str("the request cannot be written as HTTP"),
            Self::NoResponse => f.write_str("the server closed the connection without an answer"),
            Self::HeadTooLong => f.write_str("the head of the answer is too long"),
            Self::BadHead => f.write_str("the answer is not HTTP/1"),
            Self::BadFraming => f.write_str("the answer does not say where its body ends"),
            Self::UnknownEncoding => f.write_str("the body is in an unknown transfer encoding"),
            Self::BadChunk => f.write_str("a chunk of the body is malformed"),
            Self::Truncated => f.write_str("the connection ended before the body did"),
            Self::TooLong { limit } => write!(f, "the body is longer than {limit} bytes"),
        }
    }
}

impl<E: core::error::Error> core::error::Error for Error<E> {}

impl<E: embedded_io_async::Error> embedded_io_async::Error for Error<E> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Stream(error) => error.kind(),
            Self::BadRequest => ErrorKind::InvalidInput,
            Self::NoResponse | Self::Truncated => ErrorKind::ConnectionAborted,
            Self::UnknownEncoding => ErrorKind::Unsupported,
            Self::TooLong { .. } => ErrorKind::OutOfMemory,
            Self::HeadTooLong | Self::BadHead | Self::BadFraming | Self::BadChunk => {
                ErrorKind::InvalidData
            }
        }
    }
}
