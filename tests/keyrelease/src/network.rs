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
