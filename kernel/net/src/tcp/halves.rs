//! The two directions of a connection.

use core::task::Poll;

use embedded_io_async::{ErrorType, Read, Write};
use smoltcp::socket::tcp::{RecvError, Socket, State};

use super::TcpSocket;
use crate::Error;

/// The receiving direction of a [`TcpSocket`].
pub struct TcpReader<'a> {
    socket: &'a TcpSocket,
}

/// The sending direction of a [`TcpSocket`].
pub struct TcpWriter<'a> {
    socket: &'a TcpSocket,
}

impl<'a> TcpReader<'a> {
    pub(super) fn new(socket: &'a TcpSocket) -> Self {
        Self { socket }
    }
}

impl<'a> TcpWriter<'a> {
    pub(super) fn new(socket: &'a TcpSocket) -> Self {
        Self { socket }
    }
}

impl ErrorType for TcpReader<'_> {
    type Error = Error;
}

impl ErrorType for TcpWriter<'_> {
    type Error = Error;
}

impl Read for TcpReader<'_> {
    async fn read(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        read(self.socket, into).await
    }
}

impl Write for TcpWriter<'_> {
    async fn write(&mut self, from: &[u8]) -> Result<usize, Error> {
        write(self.socket, from).await
    }

    /// Does nothing, as for the whole socket.
    async fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

/// Waits for bytes; 0 is the end of the stream.
pub(super) async fn read(socket: &TcpSocket, into: &mut [u8]) -> Result<usize, Error> {
    if into.is_empty() {
        return Ok(0);
    }
    let handle = socket.handle;
    let read = socket.shared.until(socket.limit(), |inner, context| {
        let tcp = inner.tcp(handle);
        match tcp.recv_slice(into) {
            Ok(0) => {
                tcp.register_recv_waker(context.waker());
                Poll::Pending
            }
            Ok(len) => {
                // The window is larger now, and the peer may want to know.
                inner.notify();
                Poll::Ready(Ok(len))
            }
            Err(RecvError::Finished) => Poll::Ready(Ok(0)),
            Err(RecvError::InvalidState) => Poll::Ready(Err(why_closed(tcp, socket.connected))),
        }
    });
    read.await?
}

/// Waits for room, and takes as many bytes as fit.
pub(super) async fn write(socket: &TcpSocket, from: &[u8]) -> Result<usize, Error> {
    if from.is_empty() {
        return Ok(0);
    }
    let handle = socket.handle;
    let written = socket.shared.until(socket.limit(), |inner, context| {
        let tcp = inner.tcp(handle);
        match tcp.send_slice(from) {
            Ok(0) => {
                tcp.register_send_waker(context.waker());
                Poll::Pending
            }
            Ok(len) => {
                inner.notify();
                Poll::Ready(Ok(len))
            }
            Err(_) => Poll::Ready(Err(why_closed(tcp, socket.connected))),
        }
    });
    written.await?
}

/// Why the connection takes no such operation. After an orderly end it has still a state.
fn why_closed(tcp: &Socket<'_>, connected: bool) -> Error {
    if connected && tcp.state() == State::Closed {
        Error::ConnectionReset
    } else {
        Error::NotConnected
    }
}
