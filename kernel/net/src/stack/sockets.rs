//! Which sockets there are, and how they go.

use core::time::Duration;

use chacha20::rand_core::Rng;
use clock::Instant;
use smoltcp::{
    iface::SocketHandle,
    socket::{Socket, tcp},
};

use super::Inner;
use crate::Error;

/// Most sockets open at once, those of the stack itself included.
const MAX_SOCKETS: usize = 64;

/// How long a dropped connection may take to say so to its peer.
const FAREWELL: Duration = Duration::from_secs(1);

/// First port number for connections that we open.
///
/// Ref: RFC 6335, 6 "Port Number Ranges".
const FIRST_DYNAMIC_PORT: u16 = 49152;

impl Inner {
    /// Adds `socket`, which must be removed by [`Self::remove`] or [`Self::leave`].
    pub fn add<T: smoltcp::socket::AnySocket<'static>>(
        &mut self,
        socket: T,
    ) -> Result<SocketHandle, Error> {
        if self.open >= MAX_SOCKETS {
            return Err(Error::TooManySockets);
        }
        self.open += 1;
        Ok(self.sockets.add(socket))
    }

    /// Removes a socket that nobody needs to hear about.
    pub fn remove(&mut self, handle: SocketHandle) {
        self.sockets.remove(handle);
        self.open -= 1;
    }

    /// Removes a TCP socket as soon as its peer was told.
    pub fn leave(&mut self, handle: SocketHandle, now: Instant) {
        let socket = self.tcp(handle);
        let silent = matches!(socket.state(), tcp::State::TimeWait | tcp::State::Listen);
        if silent || socket.remote_endpoint().is_none() {
            self.remove(handle);
            return;
        }
        socket.abort();
        self.leaving.push((handle, now.after(FAREWELL)));
        self.notify();
    }

    pub fn tcp(&mut self, handle: SocketHandle) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(handle)
    }

    /// Whether somebody waits for a connection to `port`.
    pub(super) fn is_listening(&self, port: u16) -> bool {
        self.sockets.iter().any(|(_, socket)| match socket {
            Socket::Tcp(tcp) => tcp.is_listening() && tcp.listen_endpoint().port == port,
            _ => false,
        })
    }

    /// A random number, for identifiers that must not be guessed easily.
    pub fn random_u16(&mut self) -> u16 {
        let [low, high, ..] = self.random.next_u32().to_le_bytes();
        u16::from_le_bytes([low, high])
    }

    /// A random dynamic port that `taken` does not know.
    pub fn dynamic_port(
        &mut self,
        taken: impl Fn(&smoltcp::socket::Socket<'_>, u16) -> bool,
    ) -> u16 {
        let mut port = FIRST_DYNAMIC_PORT;
        // There are far more ports than sockets: a second round is rare, a tenth never comes.
        for _ in 0..10 {
            port = FIRST_DYNAMIC_PORT | self.random_u16();
            if !self.sockets.iter().any(|(_, socket)| taken(socket, port)) {
                break;
            }
        }
        port
    }

    /// Removes the sockets that their owner dropped, once their peer knows or need not know.
    pub(super) fn bury(&mut self, now: Instant) {
        let sockets = &mut self.sockets;
        let before = self.leaving.len();
        self.leaving.retain(|&(handle, until)| {
            let told = sockets
                .get::<tcp::Socket<'_>>(handle)
                .remote_endpoint()
                .is_none();
            let gone = told || now >= until;
            if gone {
                sockets.remove(handle);
            }
            !gone
        });
        self.open -= before - self.leaving.len();
    }
}
