//! Echo requests.

use alloc::vec;
use core::{net::IpAddr, task::Poll, time::Duration};

use clock::Instant;
use smoltcp::{
    iface::SocketHandle,
    phy::ChecksumCapabilities,
    socket::icmp::{Endpoint, PacketBuffer, PacketMetadata, Socket},
    wire::{Icmpv4Packet, Icmpv4Repr, Icmpv6Packet, Icmpv6Repr, IpAddress},
};

use crate::{
    Error,
    stack::{Inner, Shared},
    witness::Echo,
};

/// What travels with the request, and must come back.
const PAYLOAD: &[u8] = b"airlock echo request";

/// Bytes of an ICMP echo header.
const HEADER: usize = 8;

/// Why no good echo came back.
pub(crate) enum PingError {
    /// One came whose checksum is wrong.
    BrokenEcho,
    /// Anything else.
    Other(Error),
}

impl From<Error> for PingError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// Asks `host` for an echo; says how long the answer took.
pub(crate) async fn ask(
    shared: &Shared,
    host: IpAddr,
    deadline: Instant,
) -> Result<Duration, PingError> {
    let ping = Ping::open(shared, host)?;
    let started = shared.clock.now();
    shared.with(|inner| ping.ask(inner))?;
    let answer = shared
        .until(deadline, |inner, context| {
            if inner.witness().saw_broken(ping.echo(), context.waker()) {
                return Poll::Ready(Err(PingError::BrokenEcho));
            }
            let socket = inner.sockets.get_mut::<Socket<'_>>(ping.handle);
            while let Ok((message, from)) = socket.recv() {
                if from == IpAddress::from(host) && ping.is_answer(message) {
                    return Poll::Ready(Ok(()));
                }
            }
            socket.register_recv_waker(context.waker());
            Poll::Pending
        })
        .await?;
    answer.map(|()| shared.clock.now().since(started))
}

/// One request, and the socket that waits for its answer.
struct Ping<'a> {
    shared: &'a Shared,
    handle: SocketHandle,
    host: IpAddr,
    ident: u16,
    seq_no: u16,
}

impl<'a> Ping<'a> {
    fn open(shared: &'a Shared, host: IpAddr) -> Result<Self, Error> {
        let buffer = || PacketBuffer::new(vec![PacketMetadata::EMPTY; 4], vec![0; 2048]);
        let mut socket = Socket::new(buffer(), buffer());
        shared.with(|inner| {
            if host.is_unspecified() || !inner.reaches(host) {
                return Err(Error::Unreachable);
            }
            let (ident, seq_no) = (inner.random_u16(), inner.random_u16());
            socket
                .bind(Endpoint::Ident(ident))
                .map_err(|_| Error::InUse)?;
            let handle = inner.add(socket)?;
            Ok(Self {
                shared,
                handle,
                host,
                ident,
                seq_no,
            })
        })
    }

    fn ask(&self, inner: &mut Inner) -> Result<(), Error> {
        let host = IpAddress::from(self.host);
        let from = inner
            .iface
            .get_source_address(&host)
            .ok_or(Error::Unreachable)?;
        let socket = inner.sockets.get_mut::<Socket<'_>>(self.handle);
        let buffer = socket
            .send(HEADER + PAYLOAD.len(), host)
            .map_err(|_| Error::BadAddress)?;
        self.emit(from, host, buffer);
        inner.notify();
        Ok(())
    }

    fn emit(&self, from: IpAddress, to: IpAddress, buffer: &mut [u8]) {
        let (ident, seq_no, data) = (self.ident, self.seq_no, PAYLOAD);
        let sums = ChecksumCapabilities::default();
        match (from, to) {
            (IpAddress::Ipv6(from), IpAddress::Ipv6(to)) => {
                let mut packet = Icmpv6Packet::new_unchecked(buffer);
                Icmpv6Repr::EchoRequest {
                    ident,
                    seq_no,
                    data,
                }
                .emit(&from, &to, &mut packet, &sums);
            }
            _ => {
                let mut packet = Icmpv4Packet::new_unchecked(buffer);
                Icmpv4Repr::EchoRequest {
                    ident,
                    seq_no,
                    data,
                }
                .emit(&mut packet, &sums);
            }
        }
    }

    /// What an answer to this request looks like from outside.
    fn echo(&self) -> Echo {
        Echo {
            host: self.host,
            ident: self.ident,
        }
    }

    /// The stack has verified the checksum and the identifier of `message`.
    fn is_answer(&self, message: &[u8]) -> bool {
        if self.host.is_ipv4() {
            Icmpv4Packet::new_checked(message)
                .is_ok_and(|packet| packet.echo_seq_no() == self.seq_no && packet.data() == PAYLOAD)
        } else {
            Icmpv6Packet::new_checked(message).is_ok_and(|packet| {
                packet.echo_seq_no() == self.seq_no && packet.payload() == PAYLOAD
            })
        }
    }
}

impl Drop for Ping<'_> {
    fn drop(&mut self) {
        self.shared.with(|inner| inner.remove(self.handle));
    }
}
