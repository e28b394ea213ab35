//! UDP sockets.

use alloc::{rc::Rc, vec};
use core::{net::SocketAddr, task::Poll, time::Duration};

use smoltcp::{
    iface::SocketHandle,
    socket::{
        Socket,
        udp::{self, PacketBuffer, PacketMetadata, RecvError, SendError},
    },
};

use crate::{Error, stack::Shared};

/// Datagrams that are kept, each direction.
const DATAGRAMS: usize = 16;

/// Bytes that are kept, each direction.
const BYTES: usize = 16 * 1024;

/// Headers of UDP and of IPv4 or IPv6.
const HEADERS_V4: usize = 8 + 20;
const HEADERS_V6: usize = 8 + 40;

/// A UDP socket. Datagrams are neither split nor put together: one is at most a frame long.
pub struct UdpSocket {
    shared: Rc<Shared>,
    handle: SocketHandle,
    port: u16,
    timeout: Duration,
}

impl UdpSocket {
    pub(crate) fn new(shared: Rc<Shared>, port: u16) -> Result<Self, Error> {
        let buffer = || PacketBuffer::new(vec![PacketMetadata::EMPTY; DATAGRAMS], vec![0; BYTES]);
        let mut socket = udp::Socket::new(buffer(), buffer());
        let (handle, port) = shared.with(|inner| {
            let port = match port {
                0 => inner.dynamic_port(uses_udp_port),
                port if inner
                    .sockets
                    .iter()
                    .any(|(_, one)| uses_udp_port(one, port)) =>
                {
                    return Err(Error::InUse);
                }
                port => port,
            };
            socket.bind(port).map_err(|_| Error::BadAddress)?;
            Ok((inner.add(socket)?, port))
        })?;
        Ok(Self {
            shared,
            handle,
            port,
            timeout: crate::tcp::DEFAULT_TIMEOUT,
        })
    }

    /// How long an operation waits.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Our port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Sends one datagram, once there is room to keep it. Nobody says whether it arrives.
    ///
    /// # Errors
    ///
    /// [`Error::TooLong`], [`Error::Unreachable`], [`Error::BadAddress`], [`Error::TimedOut`].
    pub async fn send_to(&mut self, datagram: &[u8], to: SocketAddr) -> Result<(), Error> {
        let handle = self.handle;
        self.shared.with(|inner| {
            let headers = if to.is_ipv4() { HEADERS_V4 } else { HEADERS_V6 };
            let limit = inner.ip_mtu().saturating_sub(headers);
            if datagram.len() > limit {
                let len = datagram.len();
                return Err(Error::TooLong { len, limit });
            }
            inner
                .reaches(to.ip())
                .then_some(())
                .ok_or(Error::Unreachable)
        })?;
        let deadline = self.shared.clock.deadline(self.timeout);
        let sent = self.shared.until(deadline, |inner, context| {
            let socket = inner.sockets.get_mut::<udp::Socket<'_>>(handle);
            match socket.send_slice(datagram, to) {
                Ok(()) => {
                    inner.notify();
                    Poll::Ready(Ok(()))
                }
                Err(SendError::BufferFull) => {
                    socket.register_send_waker(context.waker());
                    Poll::Pending
                }
                Err(SendError::Unaddressable) => Poll::Ready(Err(Error::BadAddress)),
            }
        });
        sent.await?
    }

    /// Waits for one datagram; says how long it is and who sent it.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] when it is longer than `into`, [`Error::TimedOut`].
    pub async fn recv_from(&mut self, into: &mut [u8]) -> Result<(usize, SocketAddr), Error> {
        let handle = self.handle;
        let deadline = self.shared.clock.deadline(self.timeout);
        let received = self.shared.until(deadline, |inner, context| {
            let socket = inner.sockets.get_mut::<udp::Socket<'_>>(handle);
            match socket.recv() {
                Ok((datagram, from)) => Poll::Ready(copy(datagram, into, from.endpoint)),
                Err(RecvError::Exhausted | RecvError::Truncated) => {
                    socket.register_recv_waker(context.waker());
                    Poll::Pending
                }
            }
        });
        received.await?
    }
}

fn copy(
    datagram: &[u8],
    into: &mut [u8],
    from: smoltcp::wire::IpEndpoint,
) -> Result<(usize, SocketAddr), Error> {
    let len = datagram.len();
    let room = into.get_mut(..len).ok_or(Error::Truncated { len })?;
    room.copy_from_slice(datagram);
    Ok((len, from.into()))
}

impl Drop for UdpSocket {
    fn drop(&mut self) {
        self.shared.with(|inner| inner.remove(self.handle));
    }
}

fn uses_udp_port(socket: &Socket<'_>, port: u16) -> bool {
    matches!(socket, Socket::Udp(udp) if udp.endpoint().port == port)
}
