//! A socket device in small, and a host behind it that keeps to the rules until it is told not to.

use std::collections::VecDeque;

use super::{Personality, Ring};

const RECEIVE: usize = 0;
const TRANSMIT: usize = 1;
const EVENT: usize = 2;
const HEADER: usize = 44;

/// Operations of packets.
pub mod operation {
    /// A connection is asked for.
    pub const REQUEST: u16 = 1;
    /// It is granted.
    pub const RESPONSE: u16 = 2;
    /// There is none, or none any more.
    pub const RESET: u16 = 3;
    /// The sender takes or sends nothing more.
    pub const SHUTDOWN: u16 = 4;
    /// Data.
    pub const DATA: u16 = 5;
    /// The sender's room.
    pub const CREDIT_UPDATE: u16 = 6;
    /// The receiver's room is asked for.
    pub const CREDIT_REQUEST: u16 = 7;
}

/// A packet as it lies in a buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Number and port of the sender.
    pub source: (u64, u32),
    /// Number and port of the receiver.
    pub target: (u64, u32),
    /// Bytes that it says to have.
    pub len: u32,
    /// 1: a stream.
    pub kind: u16,
    /// What it says.
    pub operation: u16,
    /// Flags of a shutdown.
    pub flags: u32,
    /// Room of the sender.
    pub room: u32,
    /// Bytes that the sender has taken.
    pub taken: u32,
    /// What follows the header.
    pub data: Vec<u8>,
}

impl Packet {
    /// A packet of `operation` and `data` between two ends.
    pub fn new(source: (u64, u32), target: (u64, u32), operation: u16, data: &[u8]) -> Self {
        Self {
            source,
            target,
            len: data.len() as u32,
            kind: 1,
            operation,
            flags: 0,
            room: 0x1_0000,
            taken: 0,
            data: data.to_vec(),
        }
    }

    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = [self.source.0.to_le_bytes(), self.target.0.to_le_bytes()].concat();
        for word in [self.source.1, self.target.1, self.len] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(self.kind.to_le_bytes());
        bytes.extend(self.operation.to_le_bytes());
        for word in [self.flags, self.room, self.taken] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(&self.data);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        assert!(bytes.len() >= HEADER, "the driver sends whole headers");
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
        let half = |at: usize| u16::from_le_bytes(bytes[at..at + 2].try_into().expect("2 bytes"));
        let long = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
        Self {
            source: (long(0), word(16)),
            target: (long(8), word(20)),
            len: word(24),
            kind: half(28),
            operation: half(30),
            flags: word(32),
            room: word(36),
            taken: word(40),
            data: bytes[HEADER..].to_vec(),
        }
    }
}

/// Changes a packet of the host on its way.
pub type PacketLie = Box<dyn FnMut(&mut Packet)>;

/// A connection as the host has it.
#[derive(Clone, Debug)]
pub struct HostEnd {
    /// The host's end.
    pub own: (u64, u32),
    /// The driver's end.
    pub peer: (u64, u32),
    /// What the host has received.
    pub heard: Vec<u8>,
    /// Bytes sent by the host.
    pub sent: u32,
    /// What the driver last said of its room, and of what it has taken.
    pub credit: (u32, u32),
    /// What the host wants to send.
    pub says: VecDeque<u8>,
}

/// A socket device and its host.
pub struct FakeVsock {
    /// The number that the driver gets.
    pub cid: u64,
    /// Whether the number shows only after FEATURES_OK, as with lkvm.
    pub shy: bool,
    /// Ports at which the host listens.
    pub listens: Vec<u32>,
    /// Whether what is sent comes back.
    pub echo: bool,
    /// Whether the host takes what is sent.
    pub takes: bool,
    /// Bytes that the host keeps.
    pub room: u32,
    /// Packets on their way to the driver.
    pub incoming: VecDeque<Packet>,
    /// Packets of the driver.
    pub heard: Vec<Packet>,
    /// Its connections.
    pub ends: Vec<HostEnd>,
    /// What is changed on the way.
    pub lie: Option<PacketLie>,
    /// Events to come.
    pub events: VecDeque<Vec<u8>>,
    /// Whether it reports the bytes that it read, as lkvm does.
    pub counts_reads: bool,
    /// Whether it completes what is sent.
    pub completes: bool,
}

impl Default for FakeVsock {
    fn default() -> Self {
        Self {
            cid: 3,
            shy: false,
            listens: Vec::new(),
            echo: false,
            takes: true,
            room: 0x1_0000,
            incoming: VecDeque::new(),
            heard: Vec::new(),
            ends: Vec::new(),
            lie: None,
            events: VecDeque::new(),
            counts_reads: false,
            completes: true,
        }
    }
}

impl FakeVsock {
    /// A host that listens at `port` and gives back what it gets.
    pub fn echoing(port: u32) -> Self {
        Self {
            listens: vec![port],
            echo: true,
            ..Self::default()
        }
    }

    /// The host asks for a connection to `port` of the driver.
    pub fn connect(&mut self, own: u32, port: u32) {
        let (own, peer) = ((2, own), (self.cid, port));
        self.open(own, peer);
        self.reply(operation::REQUEST, own, peer, &[]);
    }

    /// Operations of the driver's packets, in order.
    pub fn operations(&self) -> Vec<u16> {
        self.heard.iter().map(|packet| packet.operation).collect()
    }

    fn open(&mut self, own: (u64, u32), peer: (u64, u32)) {
        self.ends.push(HostEnd {
            own,
            peer,
            heard: Vec::new(),
            sent: 0,
            credit: (0, 0),
            says: VecDeque::new(),
        });
    }

    fn reply(&mut self, operation: u16, own: (u64, u32), peer: (u64, u32), data: &[u8]) {
        let mut packet = Packet::new(own, peer, operation, data);
        packet.room = self.room;
        let end = self
            .ends
            .iter_mut()
            .find(|e| e.own == own && e.peer == peer);
        if let Some(end) = end {
            packet.taken = if self.takes {
                end.heard.len() as u32
            } else {
                0
            };
            end.sent = end.sent.wrapping_add(data.len() as u32);
        }
        if let Some(lie) = &mut self.lie {
            lie(&mut packet);
        }
        self.incoming.push_back(packet);
    }

    fn answer(&mut self, packet: &Packet) {
        let (own, peer) = (packet.target, packet.source);
        let end = self
            .ends
            .iter_mut()
            .find(|e| e.own == own && e.peer == peer);
        let Some(end) = end else {
            return match packet.operation {
                operation::REQUEST if self.listens.contains(&own.1) => {
                    self.open(own, peer);
                    self.ends.last_mut().expect("opened").credit = (packet.room, packet.taken);
                    self.reply(operation::RESPONSE, own, peer, &[]);
                }
                operation::RESET => {}
                _ => self.reply(operation::RESET, own, peer, &[]),
            };
        };
        end.credit = (packet.room, packet.taken);
        match packet.operation {
            operation::DATA => {
                assert_eq!(
                    packet.len as usize,
                    packet.data.len(),
                    "the driver says the truth"
                );
                end.heard.extend(&packet.data);
                if self.echo {
                    end.says.extend(&packet.data);
                } else if self.takes {
                    self.reply(operation::CREDIT_UPDATE, own, peer, &[]);
                }
            }
            operation::CREDIT_REQUEST if self.takes => {
                self.reply(operation::CREDIT_UPDATE, own, peer, &[]);
            }
            operation::SHUTDOWN => {
                self.reply(operation::RESET, own, peer, &[]);
                self.ends.retain(|e| e.own != own || e.peer != peer);
            }
            operation::RESET => self.ends.retain(|e| e.own != own || e.peer != peer),
            _ => {}
        }
    }

    /// Sends what the driver has room for.
    fn speak(&mut self) {
        for index in 0..self.ends.len() {
            let end = &mut self.ends[index];
            let (room, taken) = end.credit;
            let free = room.saturating_sub(end.sent.wrapping_sub(taken)) as usize;
            let count = end.says.len().min(free).min(4096 - HEADER);
            if count != 0 {
                let data: Vec<u8> = end.says.drain(..count).collect();
                let (own, peer) = (end.own, end.peer);
                self.reply(operation::DATA, own, peer, &data);
            }
        }
    }

    fn deliver(&mut self, ring: &mut Ring<'_>) {
        self.speak();
        while !self.incoming.is_empty() && ring.available() {
            let packet = self.incoming.pop_front().expect("not empty");
            let chain = ring.take().expect("available");
            let written = ring.write(&chain, &packet.to_bytes());
            ring.complete(&chain, written as u32);
            self.speak();
        }
    }

    fn listen(&mut self, ring: &mut Ring<'_>) {
        while self.completes
            && let Some(chain) = ring.take()
        {
            let bytes = ring.read(&chain);
            let len = if self.counts_reads { bytes.len() } else { 0 };
            ring.complete(&chain, len as u32);
            let packet = Packet::from_bytes(&bytes);
            self.answer(&packet);
            self.heard.push(packet);
        }
    }
}

impl Personality for FakeVsock {
    fn kind(&self) -> u16 {
        19
    }

    fn class(&self) -> u32 {
        0x02_8000
    }

    fn features(&self) -> u64 {
        0
    }

    fn queues(&self) -> usize {
        3
    }

    fn config(&self, at: u64, ready: bool) -> u8 {
        match at {
            0..8 if ready || !self.shy => self.cid.to_le_bytes()[at as usize],
            _ => 0,
        }
    }

    fn process(&mut self, index: usize, ring: &mut Ring<'_>) {
        match index {
            RECEIVE => self.deliver(ring),
            TRANSMIT => self.listen(ring),
            EVENT => {
                while !self.events.is_empty() && ring.available() {
                    let event = self.events.pop_front().expect("not empty");
                    let chain = ring.take().expect("available");
                    let written = ring.write(&chain, &event);
                    ring.complete(&chain, written as u32);
                }
            }
            _ => {}
        }
    }
}
