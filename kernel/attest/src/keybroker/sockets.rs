//! The network of the runtime, as the key client wants it.

use core::{net::SocketAddr, time::Duration};

use net::{Error, Network, TcpSocket};

use crate::keybroker::connector::{ConnectError, Connector};

/// The longest wait for the address of a name.
const RESOLVE: Duration = Duration::from_secs(5);

impl Connector for Network {
    type Stream = TcpSocket;

    /// Connects to the first address of `host` that answers.
    async fn connect(&self, host: &str, port: u16) -> Result<TcpSocket, ConnectError> {
        let addresses = self.resolve(host, RESOLVE).await?;
        let mut last = ConnectError::UnknownHost;
        for address in addresses.iter() {
            match Network::connect(self, SocketAddr::new(address, port)).await {
                Ok(socket) => return Ok(socket),
                Err(error) => last = error.into(),
            }
        }
        Err(last)
    }

    async fn sleep(&self, time: Duration) {
        Network::sleep(self, time).await;
    }
}

impl From<Error> for ConnectError {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused => Self::Refused,
            Error::TimedOut => Self::TimedOut,
            Error::NoSuchName | Error::NoNameServer => Self::UnknownHost,
            _ => Self::Unreachable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_have_no_connection_keeps_its_name() {
        for (error, expected) in [
            (Error::Refused, ConnectError::Refused),
            (Error::TimedOut, ConnectError::TimedOut),
            (Error::NoSuchName, ConnectError::UnknownHost),
            (Error::NoNameServer, ConnectError::UnknownHost),
            (Error::NoAddress, ConnectError::Unreachable),
        ] {
            assert_eq!(ConnectError::from(error), expected);
        }
    }
}
