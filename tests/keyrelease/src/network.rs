//! The sockets of the host, for a client that was written for those of a realm.

use core::{
    future::{Future, poll_fn},
    task::{Context, Poll},
    time::Duration,
};
use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::TcpStream,
    time::Instant,
};

use attest::keybroker::{ConnectError, Connector};
use embedded_io_async::{ErrorType, Read, Write};

/// The network of the host.
#[derive(Clone, Copy, Debug)]
pub struct HostNetwork;

impl Connector for HostNetwork {
    type Stream = HostStream;

    async fn connect(&self, host: &str, port: u16) -> Result<HostStream, ConnectError> {
        let stream = TcpStream::connect((host, port)).map_err(|error| match error.kind() {
            ErrorKind::ConnectionRefused => ConnectError::Refused,
            ErrorKind::TimedOut => ConnectError::TimedOut,
            _ => ConnectError::Unreachable,
        })?;
        let made = stream.set_nonblocking(true).map(|()| HostStream(stream));
        made.map_err(|_| ConnectError::Unreachable)
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> {
        let deadline = Instant::now() + time;
        poll_fn(move |context| match Instant::now() < deadline {
            true => again(context),
            false => Poll::Ready(()),
        })
    }
}

/// A connection of the host, polled.
#[derive(Debug)]
pub struct HostStream(TcpStream);

impl ErrorType for HostStream {
    type Error = io::Error;
}

impl Read for HostStream {
    async fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        poll_fn(|context| unless_blocked(self.0.read(into), context)).await
    }
}

impl Write for HostStream {
    async fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        poll_fn(|context| unless_blocked(self.0.write(from), context)).await
    }

    async fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn unless_blocked(result: io::Result<usize>, context: &Context<'_>) -> Poll<io::Result<usize>> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => again(context),
        result => Poll::Ready(result),
    }
}

/// Not now, but soon: whoever polls is a busy executor.
fn again<T>(context: &Context<'_>) -> Poll<T> {
    std::thread::sleep(Duration::from_micros(200));
    context.waker().wake_by_ref();
    Poll::Pending
}

/// A host in the way: it puts a public key of its own into each request.
#[derive(Clone, Debug)]
pub struct MeddlingHost {
    /// The modulus of its key, as the text that goes over the wire; as long as that of the client.
    pub modulus: String,
}

impl Connector for MeddlingHost {
    type Stream = MeddlingStream;

    async fn connect(&self, host: &str, port: u16) -> Result<MeddlingStream, ConnectError> {
        let stream = HostNetwork.connect(host, port).await?;
        let modulus = self.modulus.clone();
        Ok(MeddlingStream { stream, modulus })
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> {
        HostNetwork.sleep(time)
    }
}

/// A connection through a [`MeddlingHost`].
#[derive(Debug)]
pub struct MeddlingStream {
    stream: HostStream,
    modulus: String,
}

impl ErrorType for MeddlingStream {
    type Error = io::Error;
}

impl Read for MeddlingStream {
    async fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.stream.read(into).await
    }
}

impl Write for MeddlingStream {
    /// The client writes its body as a whole, so the modulus never comes in two parts.
    async fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let mut bytes = from.to_vec();
        let name = br#""n":""#;
        if let Some(at) = bytes.windows(name.len()).position(|part| part == name) {
            let at = at + name.len();
            bytes.splice(at..at + self.modulus.len(), self.modulus.bytes());
        }
        self.stream.write_all(&bytes).await?;
        Ok(from.len())
    }

    async fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
