//! What can go wrong with the network.

use core::fmt;

use embedded_io_async::ErrorKind;

/// Why a network operation was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The deadline passed.
    TimedOut,
    /// The peer refused the connection.
    Refused,
    /// The peer reset the connection, or did not answer for too long.
    ConnectionReset,
    /// The socket is not connected.
    NotConnected,
    /// The socket is in use already.
    InUse,
    /// There is no route to the address.
    Unreachable,
    /// The network gave no address within the deadline.
    NoAddress,
    /// Within the deadline, a DHCP server gave nothing but leases that make no sense, or took each
    /// one back.
    BadLease,
    /// The name has no address, or is not a name.
    NoSuchName,
    /// There is no server that knows names.
    NoNameServer,
    /// The address or the port means nothing here: zero, or of the wrong family.
    BadAddress,
    /// The datagram is longer than a frame can carry.
    TooLong {
        /// Bytes of the datagram.
        len: usize,
        /// Most bytes that fit.
        limit: usize,
    },
    /// The received datagram is longer than the buffer; it is lost.
    Truncated {
        /// Bytes of the datagram.
        len: usize,
    },
    /// Too many sockets are open.
    TooManySockets,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("the peer did not answer within the deadline"),
            Self::Refused => f.write_str("the peer refused the connection"),
            Self::ConnectionReset => f.write_str("the connection was reset"),
            Self::NotConnected => f.write_str("the socket is not connected"),
            Self::InUse => f.write_str("the socket is in use"),
            Self::Unreachable => f.write_str("there is no route to the address"),
            Self::NoAddress => f.write_str("the network gave no address within the deadline"),
            Self::BadLease => f.write_str("the DHCP server gave no lease that makes sense"),
            Self::NoSuchName => f.write_str("the name has no address"),
            Self::NoNameServer => f.write_str("there is no name server"),
            Self::BadAddress => f.write_str("the address or the port cannot be used"),
            Self::TooLong { len, limit } => {
                write!(f, "a datagram of {len} bytes is longer than {limit}")
            }
            Self::Truncated { len } => {
                write!(f, "a datagram of {len} bytes does not fit the buffer")
            }
            Self::TooManySockets => f.write_str("too many sockets are open"),
        }
    }
}

impl core::error::Error for Error {}

impl embedded_io_async::Error for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::TimedOut => ErrorKind::TimedOut,
            Self::Refused => ErrorKind::ConnectionRefused,
            Self::ConnectionReset => ErrorKind::ConnectionReset,
            Self::NotConnected => ErrorKind::NotConnected,
            Self::InUse => ErrorKind::AddrInUse,
            Self::Unreachable | Self::NoAddress | Self::BadLease | Self::NoNameServer => {
                ErrorKind::AddrNotAvailable
            }
            Self::NoSuchName => ErrorKind::NotFound,
            Self::BadAddress | Self::TooLong { .. } | Self::Truncated { .. } => {
                ErrorKind::InvalidInput
            }
            Self::TooManySockets => ErrorKind::OutOfMemory,
        }
    }
}

/// Why a stack was not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartError {
    /// The port's own address is no unicast address.
    BadMac {
        /// The address.
        mac: [u8; 6],
    },
    /// The port's frames are too small for IPv6, and so for us.
    SmallFrames {
        /// Most bytes of a frame.
        max_frame: usize,
    },
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadMac { mac } => {
                write!(f, "the network device has no unicast address: {mac:02x?}")
            }
            Self::SmallFrames { max_frame } => {
                write!(f, "the network device has frames of only {max_frame} bytes")
            }
        }
    }
}

impl core::error::Error for StartError {}
