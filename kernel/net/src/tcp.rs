//! TCP connections.

mod halves;

use alloc::{rc::Rc, vec};
use core::{net::SocketAddr, task::Poll, time::Duration};

use clock::Instant;
use embedded_io_async::{ErrorType, Read, Write};
use smoltcp::{
    iface::SocketHandle,
    socket::{
        Socket,
        tcp::{self, CongestionControl, State},
    },
};

use crate::{Error, stack::Shared, time};

pub use halves::{TcpReader, TcpWriter};

/// How long an operation waits for the peer unless told otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// Signs of life that a peer may miss.
const MISSED_SIGNS: u32 = 4;

/// Sizes of the private buffers of a connection, in bytes. Each direction moves at most one buffer
/// per round trip.
///
/// 256 KiB each way is the default. Windows above 64 KiB are scaled. Both are taken from the heap when
/// the socket is made.
///
/// The receive buffer is the window that the peer sees. lkvm's user-mode network sends segments as
/// long as that window, and not as long as our frames: the stack takes frames of up to 64 KiB, so
/// there the port must deliver such frames or the buffer must be smaller than a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpBuffers {
    /// Bytes that the peer may send ahead of the reader: 1 to 1 GiB.
    pub receive: usize,
    /// Bytes that are kept until the peer has them.
    pub send: usize,
}

impl Default for TcpBuffers {
    fn default() -> Self {
        Self {
            receive: 256 * 1024,
            send: 256 * 1024,
        }
    }
}

/// A TCP connection. Dropping it resets the connection; [`TcpSocket::close`] ends it in order.
///
/// Each operation waits at most for the timeout, and never beyond the deadline if there is one.
/// Reads and writes that are dropped unfinished have not moved any byte.
pub struct TcpSocket {
    shared: Rc<Shared>,
    handle: SocketHandle,
    timeout: Duration,
    deadline: Option<Instant>,
    keep_alive: Option<Duration>,
    connected: bool,
}

impl TcpSocket {
    pub(crate) fn new(shared: Rc<Shared>, buffers: TcpBuffers) -> Result<Self, Error> {
        /// What smoltcp can scale its window to.
        const MAX_BUFFER: usize = 1 << 30;
        let [receive, send] = [buffers.receive, buffers.send].map(|len| len.clamp(1, MAX_BUFFER));
        let mut socket = tcp::Socket::new(
            tcp::SocketBuffer::new(vec![0; receive]),
            tcp::SocketBuffer::new(vec![0; send]),
        );
        socket.set_congestion_control(CongestionControl::Reno);
        // Writes are gathered until the stack is polled anyway; Nagle's delay would add nothing.
        socket.set_nagle_enabled(false);
        let handle = shared.with(|inner| inner.add(socket))?;
        Ok(Self {
            shared,
            handle,
            timeout: DEFAULT_TIMEOUT,
            deadline: None,
            keep_alive: None,
            connected: false,
        })
    }

    /// How long an operation waits for the peer.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// When everything on this socket must be done: no operation waits beyond it.
    pub fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// Asks an idle peer for a sign of life each `interval`, and gives the connection up after
    /// four without one.
    pub fn set_keep_alive(&mut self, interval: Option<Duration>) {
        self.keep_alive = interval;
        self.watch_peer();
    }

    fn watch_peer(&self) {
        let interval = self.keep_alive.map(time::span);
        self.shared.with(|inner| {
            let socket = inner.tcp(self.handle);
            socket.set_keep_alive(interval);
            socket.set_timeout(interval.map(|interval| interval * MISSED_SIGNS));
            inner.notify();
        });
    }

    /// Connects to `remote`.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`], [`Error::TimedOut`], [`Error::Unreachable`], [`Error::BadAddress`],
    /// [`Error::InUse`].
    pub async fn connect(&mut self, remote: SocketAddr) -> Result<(), Error> {
        self.start_connect(remote)?;
        let handle = self.handle;
        let connected = self.shared.until(self.limit(), |inner, context| {
            let socket = inner.tcp(handle);
            match socket.state() {
                State::SynSent | State::SynReceived => {
                    socket.register_recv_waker(context.waker());
                    Poll::Pending
                }
                State::Closed => Poll::Ready(Err(Error::Refused)),
                _ => Poll::Ready(Ok(())),
            }
        });
        let connected = connected.await;
        self.settle(connected.flatten())
    }

    /// Keeps a new connection, or ends the attempt.
    fn settle<T>(&mut self, outcome: Result<T, Error>) -> Result<T, Error> {
        self.connected = outcome.is_ok();
        if self.connected {
            self.watch_peer();
        } else {
            self.abort();
        }
        outcome
    }

    fn start_connect(&self, remote: SocketAddr) -> Result<(), Error> {
        self.shared.with(|inner| {
            if inner.tcp(self.handle).is_open() {
                return Err(Error::InUse);
            }
            if remote.port() != 0 && !remote.ip().is_unspecified() && !inner.reaches(remote.ip()) {
                return Err(Error::Unreachable);
            }
            let port = inner.dynamic_port(uses_tcp_port);
            let mut fresh = inner.fresh_interface(self.shared.clock.now());
            let socket = inner.sockets.get_mut::<tcp::Socket<'_>>(self.handle);
            // Only our own deadline ends the attempt: smoltcp's would look like a refusal.
            socket.set_timeout(None);
            socket
                .connect(fresh.context(), remote, port)
                .map_err(|_| Error::BadAddress)?;
            inner.notify();
            Ok(())
        })
    }

    /// Waits for one peer to connect to `port`, for at most `timeout`; says who it is.
    ///
    /// A socket serves one connection. To serve several, make several.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`], [`Error::InUse`], [`Error::BadAddress`] when `port` is 0.
    pub async fn accept(&mut self, port: u16, timeout: Duration) -> Result<SocketAddr, Error> {
        let handle = self.handle;
        self.listen(port)?;
        let deadline = self.bounded(timeout);
        let accepted = self.shared.until(deadline, |inner, context| {
            let socket = inner.tcp(handle);
            // A half-open connection that died leaves the socket closed.
            if socket.state() == State::Closed && socket.listen(port).is_err() {
                return Poll::Ready(Err(Error::BadAddress));
            }
            if matches!(socket.state(), State::Listen | State::SynReceived) {
                socket.register_recv_waker(context.waker());
                return Poll::Pending;
            }
            Poll::Ready(remote_address(socket).ok_or(Error::ConnectionReset))
        });
        let accepted = accepted.await;
        self.settle(accepted.flatten())
    }

    fn listen(&self, port: u16) -> Result<(), Error> {
        let timeout = Some(time::span(self.timeout));
        self.with_socket(|socket| {
            // Peers that start to connect and stop there are forgotten.
            socket.set_timeout(timeout);
            socket.listen(port)
        })
        .map_err(|error| match error {
            tcp::ListenError::InvalidState => Error::InUse,
            tcp::ListenError::Unaddressable => Error::BadAddress,
        })
    }

    /// Sends what is left and the end of the stream, and waits until the peer has all of it.
    ///
    /// Reading goes on to work until the peer closes too.
    ///
    /// # Errors
    ///
    /// [`Error::ConnectionReset`] when the peer did not take everything, [`Error::TimedOut`].
    pub async fn close(&mut self) -> Result<(), Error> {
        self.shared.with(|inner| {
            inner.tcp(self.handle).close();
            inner.notify();
        });
        let handle = self.handle;
        let closed = self.shared.until(self.limit(), |inner, context| {
            let socket = inner.tcp(handle);
            match socket.state() {
                State::Closed if socket.send_queue() > 0 => {
                    Poll::Ready(Err(Error::ConnectionReset))
                }
                State::Closed | State::FinWait2 | State::TimeWait => Poll::Ready(Ok(())),
                _ => {
                    socket.register_recv_waker(context.waker());
                    Poll::Pending
                }
            }
        });
        closed.await?
    }

    /// Resets the connection at once.
    pub fn abort(&mut self) {
        self.shared.with(|inner| {
            inner.tcp(self.handle).abort();
            inner.notify();
        });
    }

    /// Both directions, for two futures of one task.
    pub fn split(&mut self) -> (TcpReader<'_>, TcpWriter<'_>) {
        (TcpReader::new(self), TcpWriter::new(self))
    }

    /// The address of the peer, while there is one.
    pub fn remote_address(&self) -> Option<SocketAddr> {
        self.with_socket(|socket| remote_address(socket))
    }

    /// Our address, while there is a peer.
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.with_socket(|socket| socket.local_endpoint().map(SocketAddr::from))
    }

    fn with_socket<T>(&self, with: impl FnOnce(&mut tcp::Socket<'static>) -> T) -> T {
        self.shared.with(|inner| with(inner.tcp(self.handle)))
    }

    /// When an operation that starts now must be done.
    fn limit(&self) -> Instant {
        self.bounded(self.timeout)
    }

    fn bounded(&self, timeout: Duration) -> Instant {
        let limit = self.shared.clock.deadline(timeout);
        self.deadline.map_or(limit, |deadline| deadline.min(limit))
    }
}

impl Drop for TcpSocket {
    fn drop(&mut self) {
        let now = self.shared.clock.now();
        self.shared.with(|inner| inner.leave(self.handle, now));
    }
}

impl ErrorType for TcpSocket {
    type Error = Error;
}

impl Read for TcpSocket {
    async fn read(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        halves::read(self, into).await
    }
}

impl Write for TcpSocket {
    async fn write(&mut self, from: &[u8]) -> Result<usize, Error> {
        halves::write(self, from).await
    }

    /// Does nothing: what was written is sent as soon as the network and the peer take it. To know
    /// that the peer has it, [`TcpSocket::close`].
    async fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

fn remote_address(socket: &tcp::Socket<'_>) -> Option<SocketAddr> {
    socket.remote_endpoint().map(SocketAddr::from)
}

fn uses_tcp_port(socket: &Socket<'_>, port: u16) -> bool {
    match socket {
        Socket::Tcp(tcp) => {
            tcp.local_endpoint().is_some_and(|local| local.port == port)
                || tcp.listen_endpoint().port == port
        }
        _ => false,
    }
}
