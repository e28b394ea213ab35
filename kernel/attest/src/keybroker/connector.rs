//! What the client needs of a network.

use core::{fmt, future::Future, time::Duration};

use embedded_io_async::{Read, Write};

/// Makes connections, and lets time pass.
///
/// On the target these are the sockets and timers of the runtime; in tests, memory or the sockets of
/// the host.
pub trait Connector {
    /// A connection. It is closed when it is dropped.
    type Stream: Read + Write;

    /// Connects to TCP port `port` of `host`: a name, or an address (IPv6 without brackets).
    fn connect(
        &self,
        host: &str,
        port: u16,
    ) -> impl Future<Output = Result<Self::Stream, ConnectError>>;

    /// Returns after `time`.
    fn sleep(&self, time: Duration) -> impl Future<Output = ()>;
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectError {
    /// There is no network, or no way to the host.
    Unreachable,
    /// Nobody knows the address of the host.
    UnknownHost,
    /// The host answers, but nobody listens at the port.
    Refused,
    /// Nobody answered in time.
    TimedOut,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable => "the host cannot be reached",
            Self::UnknownHost => "nobody knows the address of the host",
            Self::Refused => "nobody listens there",
            Self::TimedOut => {
                "nobody answered in time; is it running, and do address and port say where? \
                 (some networks, such as lkvm's user network, never say that nobody listens)"
            }
        })
    }
}

impl core::error::Error for ConnectError {}
