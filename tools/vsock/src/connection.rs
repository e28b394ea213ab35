//! One connection between a port of the host and one of the guest: what was said, and how much may still be sent.
//!
//! No sockets and no rings: bytes and packets go in and out.
//!
//! Ref: virtio 1.2, 5.10.6.3 "Buffer Space Management".

use std::collections::VecDeque;

use virtio::VsockAddress;
use virtio::vsock_packet::{Header, Operation, SENDS_NO_MORE, TAKES_NO_MORE, narrow};

/// The host's number.
pub const HOST: u64 = 2;
/// Bytes of the guest that are kept for a place of the host that does not take them.
const ROOM: u32 = 256 << 10;
/// Bytes of such a place that are kept for the guest.
const MOST_READ: usize = 64 << 10;

/// The two ports of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ends {
    /// The host's.
    pub host: u32,
    /// The guest's.
    pub guest: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The guest has not answered yet.
    Asking,
    /// The place of the host has not answered yet.
    Dialing,
    Open,
}

/// What came of a packet of the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It goes on.
    Fine,
    /// The guest has left in good order; what it sent is to be written still.
    Left,
    /// The guest has no such connection, or no more.
    Reset,
    /// It says what cannot be.
    Broken(&'static str),
}

/// What is to be said to the guest, besides data.
#[derive(Default)]
struct Owed {
    request: bool,
    response: bool,
    shutdown: bool,
    update: bool,
    ask: bool,
}

/// One connection.
pub struct Connection {
    ends: Ends,
    /// The guest's number.
    cid: u64,
    stage: Stage,
    /// What the guest sent and the place of the host has not taken.
    to_host: VecDeque<u8>,
    /// Bytes that it took, ever, and how many of them the guest knows of.
    taken: u32,
    told: u32,
    /// What the place of the host sent and the guest has not been sent.
    to_guest: VecDeque<u8>,
    /// Bytes that the guest was sent, ever; how many of them it took; how many it keeps at most.
    sent: u32,
    acknowledged: u32,
    room: u32,
    /// Who sends nothing more, and whether the guest takes nothing more.
    guest_is_silent: bool,
    guest_is_deaf: bool,
    host_is_silent: bool,
    owed: Owed,
    /// Whether the guest was asked for its room since it last told it.
    asked: bool,
}

impl Connection {
    /// A connection that the guest asks for.
    pub fn of_guest(request: &Header) -> Self {
        let ends = Ends {
            host: request.target.port,
            guest: request.source.port,
        };
        let mut connection = Self::new(ends, request.source.cid, Stage::Dialing);
        connection.room = request.room;
        connection.acknowledged = request.taken;
        connection.sent = request.taken;
        connection
    }

    /// A connection that the guest is asked for.
    pub fn to_guest(ends: Ends, cid: u64) -> Self {
        let mut connection = Self::new(ends, cid, Stage::Asking);
        connection.owed.request = true;
        connection
    }

    fn new(ends: Ends, cid: u64, stage: Stage) -> Self {
        Self {
            ends,
            cid,
            stage,
            to_host: VecDeque::new(),
            taken: 0,
            told: 0,
            to_guest: VecDeque::new(),
            sent: 0,
            acknowledged: 0,
            room: 0,
            guest_is_silent: false,
            guest_is_deaf: false,
            host_is_silent: false,
            owed: Owed::default(),
            asked: false,
        }
    }

    /// The place of the host is there.
    pub fn dialed(&mut self) {
        self.stage = Stage::Open;
        self.owed.response = true;
    }

    /// Whether both sides are there.
    pub fn is_open(&self) -> bool {
        self.stage == Stage::Open
    }

    /// Takes a packet of the guest.
    pub fn hear(&mut self, header: &Header, data: &[u8]) -> Heard {
        if header.operation == Operation::Reset {
            return Heard::Reset;
        }
        if !self.take_credit(header) {
            return Heard::Broken("it has taken what was never sent");
        }
        match (header.operation, self.stage) {
            (Operation::Response, Stage::Asking) => self.stage = Stage::Open,
            (Operation::Data, Stage::Open) if self.guest_is_silent => {
                return Heard::Broken("data after the end of data");
            }
            (Operation::Data, Stage::Open) => return self.keep(data),
            (Operation::Shutdown, _) => {
                self.guest_is_silent |= header.flags & SENDS_NO_MORE != 0;
                self.guest_is_deaf |= header.flags & TAKES_NO_MORE != 0;
                if self.guest_is_silent && self.guest_is_deaf {
                    return Heard::Left;
                }
            }
            (Operation::CreditUpdate, _) => {}
            (Operation::CreditRequest, _) => self.owed.update = true,
            _ => return Heard::Broken("a packet that has no place there"),
        }
        Heard::Fine
    }

    fn take_credit(&mut self, header: &Header) -> bool {
        let outstanding = self.sent.wrapping_sub(header.taken);
        if outstanding > self.sent.wrapping_sub(self.acknowledged) {
            return false;
        }
        self.acknowledged = header.taken;
        self.room = header.room;
        self.asked &= self.may_send() == 0;
        true
    }

    fn keep(&mut self, data: &[u8]) -> Heard {
        if data.len() > (ROOM as usize).saturating_sub(self.to_host.len()) {
            return Heard::Broken("more than there is room for");
        }
        self.to_host.extend(data);
        Heard::Fine
    }

    /// What the place of the host is to take, as far as it lies in one piece.
    pub fn for_host(&self) -> &[u8] {
        self.to_host.as_slices().0
    }

    /// Takes all of that out: the guest has gone.
    pub fn take_rest(&mut self) -> VecDeque<u8> {
        std::mem::take(&mut self.to_host)
    }

    /// The place of the host took `count` bytes.
    pub fn note_taken(&mut self, count: usize) {
        let count = count.min(self.to_host.len());
        self.to_host.drain(..count);
        self.taken = self.taken.wrapping_add(narrow(count));
        // Half of the room is worth a packet.
        self.owed.update |= self.taken.wrapping_sub(self.told) >= ROOM / 2;
    }

    /// Whether the place of the host is to hear that the guest sends nothing more.
    pub fn host_hears_the_end(&self) -> bool {
        self.guest_is_silent && self.to_host.is_empty()
    }

    /// Bytes that may be read from the place of the host now.
    pub fn wants(&self) -> usize {
        let is_wanted = self.is_open() && !self.host_is_silent && !self.guest_is_deaf;
        match is_wanted && self.to_guest.is_empty() {
            true => MOST_READ,
            false => 0,
        }
    }

    /// The place of the host sent this.
    pub fn send(&mut self, bytes: &[u8]) {
        self.to_guest.extend(bytes);
    }

    /// The place of the host sends nothing more.
    pub fn host_ended(&mut self) {
        self.host_is_silent = true;
        self.owed.shutdown = true;
    }

    fn may_send(&self) -> usize {
        let outstanding = self.sent.wrapping_sub(self.acknowledged);
        self.room.saturating_sub(outstanding) as usize
    }

    /// Whether there is something to say to the guest. Asks for its room, once, where that is what is missing.
    pub fn has_news(&mut self) -> bool {
        let is_stuck = self.is_open() && !self.to_guest.is_empty() && self.may_send() == 0;
        if is_stuck && !self.guest_is_deaf && !std::mem::replace(&mut self.asked, true) {
            self.owed.ask = true;
        }
        self.owes().is_some() || self.may_send_data()
    }

    fn may_send_data(&self) -> bool {
        self.is_open() && !self.guest_is_deaf && !self.to_guest.is_empty() && self.may_send() != 0
    }

    /// What is owed and comes before data, and what comes after.
    fn owes(&self) -> Option<(Operation, u32)> {
        let owed = &self.owed;
        let ends = owed.shutdown && self.to_guest.is_empty();
        let said = [
            (owed.request, Operation::Request, 0),
            (owed.response, Operation::Response, 0),
            (owed.update, Operation::CreditUpdate, 0),
            (owed.ask, Operation::CreditRequest, 0),
            (ends, Operation::Shutdown, SENDS_NO_MORE),
        ];
        let first = said.into_iter().find(|(is_owed, _, _)| *is_owed)?;
        Some((first.1, first.2))
    }

    /// The next packet for the guest, with `most` bytes of data. It is said once [`Self::note_said`] is called.
    pub fn packet(&self, most: usize) -> Option<(Header, Vec<u8>)> {
        if let Some((operation, flags)) = self.owes() {
            return Some((self.header(operation, flags, 0), Vec::new()));
        }
        if !self.may_send_data() {
            return None;
        }
        let len = self.to_guest.len().min(self.may_send()).min(most);
        let data: Vec<u8> = self.to_guest.iter().copied().take(len).collect();
        (len != 0).then(|| (self.header(Operation::Data, 0, len), data))
    }

    /// The guest has been told what [`Self::packet`] gave.
    pub fn note_said(&mut self, said: &Header) {
        let owed = &mut self.owed;
        match said.operation {
            Operation::Request => owed.request = false,
            Operation::Response => owed.response = false,
            Operation::CreditUpdate => owed.update = false,
            Operation::CreditRequest => owed.ask = false,
            Operation::Shutdown => owed.shutdown = false,
            Operation::Reset => {}
            Operation::Data => {
                self.sent = self.sent.wrapping_add(said.len);
                let len = self.to_guest.len().min(said.len as usize);
                self.to_guest.drain(..len);
            }
        }
        self.told = said.taken;
    }

    /// Our half of the connection is over: the packet that says so.
    pub fn reset(&self) -> Header {
        self.header(Operation::Reset, 0, 0)
    }

    fn header(&self, operation: Operation, flags: u32, len: usize) -> Header {
        let Ends { host, guest } = self.ends;
        Header {
            source: VsockAddress {
                cid: HOST,
                port: host,
            },
            target: VsockAddress {
                cid: self.cid,
                port: guest,
            },
            len: narrow(len),
            operation,
            flags,
            room: ROOM,
            taken: self.taken,
        }
    }
}

#[cfg(test)]
mod tests;
