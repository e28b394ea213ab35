//! Whether somebody is there.

use core::{fmt, net::IpAddr, time::Duration};

use clock::Instant;

use crate::{
    Error,
    ping::{self, PingError},
    stack::Shared,
};

/// What was seen of a neighbour that was asked for an echo.
///
/// An echo is a courtesy: many routers give none, and lkvm's user network gives one with a wrong
/// checksum. So everything but [`Reach::Nobody`] says that the neighbour is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It gave the echo back after this time.
    Echo(Duration),
    /// It gave an echo back whose checksum is wrong.
    BrokenEcho,
    /// It told its hardware address (ARP, neighbour discovery), and gave no echo in time.
    Neighbour,
    /// Nothing came from it.
    Nobody,
}

impl Reach {
    /// Whether the neighbour is there at all.
    pub const fn is_there(self) -> bool {
        !matches!(self, Self::Nobody)
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Echo(time) => {
                // Numbers of 128 bits bring a formatter of their own.
                let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
                write!(f, "answers in {micros} us")
            }
            Self::BrokenEcho => f.write_str("is there; its answer to a ping has a wrong checksum"),
            Self::Neighbour => f.write_str("is there (ARP); it does not answer a ping"),
            Self::Nobody => f.write_str("answers neither ARP nor a ping"),
        }
    }
}

/// Asks `host` for an echo until `deadline`, and says what was seen of it.
pub(crate) async fn reach(
    shared: &Shared,
    host: IpAddr,
    deadline: Instant,
) -> Result<Reach, Error> {
    match ping::ask(shared, host, deadline).await {
        Ok(time) => Ok(Reach::Echo(time)),
        Err(PingError::BrokenEcho) => Ok(Reach::BrokenEcho),
        Err(PingError::Other(Error::TimedOut)) => {
            let known = shared.with(|inner| inner.witness().knows(host));
            Ok(if known {
                Reach::Neighbour
            } else {
                Reach::Nobody
            })
        }
        Err(PingError::Other(error)) => Err(error),
    }
}
