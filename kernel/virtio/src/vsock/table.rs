//! All connections, and who listens where.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::task::Waker;

use clock::Instant;

use crate::StreamError;
use crate::vsock::connection::Connection;
use crate::vsock::packet::{Address, Header, Operation};

/// Most connections at a time.
pub const MAX_CONNECTIONS: usize = 32;
/// Connections of a listener that nobody has accepted yet.
const BACKLOG: usize = 4;
/// Packets to nobody that are answered, at a time.
const ANSWERS: usize = 16;
/// First of the ports that connections of ours come from.
const FIRST_PORT: u32 = 0x4000;

/// What a connection is called. It is used once.
pub(crate) type Id = u64;

/// Somebody who listens.
struct Listener {
    id: Id,
    port: u32,
    /// Connections that nobody has accepted yet.
    offered: VecDeque<Id>,
    waiting: Vec<Waker>,
}

/// All connections, and who listens where.
#[derive(Default)]
pub(crate) struct Table {
    pub(crate) connections: Vec<(Id, Connection)>,
    listeners: Vec<Listener>,
    /// Resets that are owed to nobody's peers.
    pub(crate) strays: VecDeque<Header>,
    next_id: Id,
    next_port: u32,
    /// Packets that mean nothing, or say what cannot be.
    pub(crate) refused: u64,
    pub(crate) woken: Vec<Waker>,
}

impl Table {
    fn new_id(&mut self) -> Id {
        self.next_id += 1;
        self.next_id
    }

    pub(crate) fn get(&mut self, id: Id) -> Option<&mut Connection> {
        let found = self.connections.iter_mut().find(|(own, _)| *own == id);
        found.map(|(_, connection)| connection)
    }

    /// Asks for a connection.
    pub(crate) fn connect(&mut self, peer: Address, now: Instant) -> Result<Id, StreamError> {
        if self.connections.len() >= MAX_CONNECTIONS {
            return Err(StreamError::TooMany);
        }
        let port = self.free_port();
        let id = self.new_id();
        let connection = Connection::asked_for(port, peer, now);
        self.connections.push((id, connection));
        Ok(id)
    }

    /// A port of ours that no connection has: there are more ports than connections.
    fn free_port(&mut self) -> u32 {
        loop {
            let port = FIRST_PORT.wrapping_add(self.next_port);
            self.next_port = (self.next_port + 1) % 0x4000_0000;
            if self.connections.iter().all(|(_, other)| other.port != port) {
                return port;
            }
        }
    }

    /// Listens at `port`; `None` if somebody does already.
    pub(crate) fn listen(&mut self, port: u32) -> Option<Id> {
        if self.listeners.iter().any(|other| other.port == port) {
            return None;
        }
        let id = self.new_id();
        self.listeners.push(Listener {
            id,
            port,
            offered: VecDeque::new(),
            waiting: Vec::new(),
        });
        Some(id)
    }

    /// Accepts a connection at listener `id`, or has `waker` wait for one.
    pub(crate) fn accept(&mut self, id: Id, waker: &Waker) -> Option<Id> {
        let listener = self.listeners.iter_mut().find(|one| one.id == id)?;
        while let Some(offered) = listener.offered.pop_front() {
            let mut connections = self.connections.iter();
            if connections.any(|(id, connection)| *id == offered && connection.lives()) {
                return Some(offered);
            }
            // The host has given it up by now, and nobody else knows of it.
            self.connections.retain(|(id, _)| *id != offered);
        }
        crate::waiters::join(&mut listener.waiting, waker);
        None
    }

    /// Listens no more. Connections that nobody accepted end.
    pub(crate) fn stop_listening(&mut self, id: Id, now: Instant) {
        let offered = self.listeners.iter_mut().filter(|one| one.id == id);
        let offered: Vec<Id> = offered.flat_map(|one| one.offered.drain(..)).collect();
        self.listeners.retain(|one| one.id != id);
        for id in offered {
            self.leave(id, now);
        }
    }

    /// The user of connection `id` has gone.
    pub(crate) fn leave(&mut self, id: Id, now: Instant) {
        if let Some(connection) = self.get(id) {
            connection.leave(now);
        }
    }

    /// Takes a packet for us.
    pub(crate) fn hear(&mut self, header: &Header, data: &[u8]) {
        let (peer, port) = (header.source, header.target.port);
        let mut connections = self.connections.iter_mut();
        let known = connections.find(|(_, c)| c.lives() && c.peer == peer && c.port == port);
        if let Some((_, connection)) = known {
            if !connection.hear(header, data, &mut self.woken) {
                self.refused += 1;
            }
            return;
        }
        match header.operation {
            Operation::Reset => {}
            Operation::Request if self.offer(header) => {}
            _ => self.answer_stray(header),
        }
    }

    /// Takes a connection that the host asks for, if somebody listens and there is room.
    fn offer(&mut self, request: &Header) -> bool {
        let id = self.next_id + 1;
        let is_full = self.connections.len() >= MAX_CONNECTIONS;
        let mut listeners = self.listeners.iter_mut();
        let listener = listeners.find(|one| one.port == request.target.port);
        let listener = listener.filter(|one| one.offered.len() < BACKLOG && !is_full);
        let (Some(listener), Some(connection)) = (listener, Connection::offered(request)) else {
            return false;
        };
        listener.offered.push_back(id);
        self.woken.append(&mut listener.waiting);
        self.next_id = id;
        self.connections.push((id, connection));
        true
    }

    /// Notes that the sender of a packet to nobody is to be told so, if there is room.
    fn answer_stray(&mut self, header: &Header) {
        self.refused += 1;
        if self.strays.len() < ANSWERS {
            self.strays.push_back(header.refusal());
        }
    }

    /// Looks at the time, and forgets what is over; says when to look again.
    pub(crate) fn look(&mut self, now: Instant) -> Option<Instant> {
        let woken = &mut self.woken;
        let connections = self.connections.iter_mut();
        let next = connections.filter_map(|(_, connection)| connection.look(now, woken));
        let next = next.min();
        self.connections
            .retain(|(_, connection)| !connection.is_over());
        next
    }

    /// Ends every connection without a word.
    pub(crate) fn cut_all(&mut self, why: StreamError) {
        for (_, connection) in &mut self.connections {
            connection.cut(why, &mut self.woken);
        }
        self.strays.clear();
    }

    /// Wakes whoever waits for a connection.
    pub(crate) fn wake_listeners(&mut self) {
        for listener in &mut self.listeners {
            self.woken.append(&mut listener.waiting);
        }
    }
}
