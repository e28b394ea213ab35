//! The broker over vsock: the same requests without a network.

use core::time::Duration;

use airlock::{Realm, StreamError, VsockStream};
use attest::keybroker::{ConnectError, Connector};

/// Makes connections over vsock.
pub struct OverVsock<'a>(pub &'a Realm);

impl Connector for OverVsock<'_> {
    type Stream = VsockStream;

    /// Connects to whoever has the number `host`.
    async fn connect(&self, host: &str, port: u16) -> Result<VsockStream, ConnectError> {
        let cid = host.parse().map_err(|_| ConnectError::UnknownHost)?;
        let stream = self.0.vsock_connect(cid, port.into()).await;
        stream.map_err(|error| match error {
            StreamError::Refused => ConnectError::Refused,
            StreamError::TimedOut => ConnectError::TimedOut,
            _ => ConnectError::Unreachable,
        })
    }

    async fn sleep(&self, time: Duration) {
        self.0.sleep(time).await;
    }
}
