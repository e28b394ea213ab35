//! One connection: what both sides have said, and how much each may still send.
//!
//! The host is held to its word: it gets no more into our memory than we said that there is room for,
//! and cannot have taken what we never sent. A connection in which it tries ends; the others go on.
//!
//! Ref: virtio 1.2, 5.10.6.3 "Buffer Space Management".

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::task::Waker;
use core::time::Duration;

use clock::Instant;

use crate::StreamError;
use crate::attention::Attention;
use crate::vsock::packet::{Address, Header, Operation, SENDS_NO_MORE, TAKES_NO_MORE, narrow};

/// Bytes that are kept for the user of a connection.
pub(crate) const BUFFER: usize = 32 << 10;
/// The same, as the host is told.
pub(crate) const ROOM: u32 = 32 << 10;
/// How long the host may take to answer a request for a connection.
const CONNECTING: Duration = Duration::from_secs(5);
/// How long it may take nothing of what somebody writes.
const WRITING: Duration = Duration::from_secs(10);
/// How long it may take to confirm an end.
const CLOSING: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Connecting,
    Open,
    /// Our user has gone; the host has yet to confirm it.
    Closing,
    Ended(StreamError),
}

/// What is to be said to the host.
#[derive(Default)]
struct Owed {
    reset: bool,
    request: bool,
    response: bool,
    shutdown: bool,
    update: bool,
    ask: bool,
}

/// One connection.
pub(crate) struct Connection {
    pub(crate) port: u32,
    pub(crate) peer: Address,
    stage: Stage,
    /// What came and was not taken yet.
    input: VecDeque<u8>,
    /// Bytes that our user took, ever, and how many of them the host knows of.
    taken: u32,
    told: u32,
    /// Bytes sent, ever; how many of them the host's user took; how many it keeps at most.
    sent: u32,
    acknowledged: u32,
    room: u32,
    /// Whether the host said that it sends, or takes, nothing more.
    has_sent_all: bool,
    takes_no_more: bool,
    owed: Owed,
    /// Whether our user has gone.
    is_left: bool,
    /// Since when something is waited for.
    waiting: Option<Attention>,
    asked: bool,
    readers: Vec<Waker>,
    writers: Vec<Waker>,
}

impl Connection {
    /// A connection that we ask for.
    pub(crate) fn asked_for(port: u32, peer: Address, now: Instant) -> Self {
        let mut connection = Self::new(port, peer, Stage::Connecting);
        connection.owed.request = true;
        connection.waiting = Some(Attention::new(now));
        connection
    }

    /// A connection that the host asks for; `None` if it begins with a lie.
    pub(crate) fn offered(request: &Header) -> Option<Self> {
        let mut connection = Self::new(request.target.port, request.source, Stage::Open);
        connection.owed.response = true;
        connection.credit(request).then_some(connection)
    }

    fn new(port: u32, peer: Address, stage: Stage) -> Self {
        Self {
            port,
            peer,
            stage,
            input: VecDeque::with_capacity(BUFFER),
            taken: 0,
            told: 0,
            sent: 0,
            acknowledged: 0,
            room: 0,
            has_sent_all: false,
            takes_no_more: false,
            owed: Owed::default(),
            is_left: false,
            waiting: None,
            asked: false,
            readers: Vec::new(),
            writers: Vec::new(),
        }
    }

    /// Whether packets of the host can be for it.
    pub(crate) fn lives(&self) -> bool {
        !matches!(self.stage, Stage::Ended(_))
    }

    /// Whether nobody needs it any more.
    pub(crate) fn is_over(&self) -> bool {
        self.is_left && !self.lives() && !self.owed.reset
    }

    /// Takes a packet and its data. Says whether it made sense; if it did not, the connection has ended.
    pub(crate) fn hear(&mut self, header: &Header, data: &[u8], woken: &mut Vec<Waker>) -> bool {
        let good = self.take(header, data);
        if !good {
            self.end(StreamError::Broken);
            self.owed.reset = true;
        }
        woken.append(&mut self.readers);
        woken.append(&mut self.writers);
        good
    }

    fn take(&mut self, header: &Header, data: &[u8]) -> bool {
        if header.operation == Operation::Reset {
            self.end(match self.stage {
                Stage::Connecting => StreamError::Refused,
                _ => StreamError::Reset,
            });
            return true;
        }
        if !self.credit(header) {
            return false;
        }
        match (header.operation, self.stage) {
            (Operation::Response, Stage::Connecting) => {
                self.stage = Stage::Open;
                self.waiting = None;
            }
            (Operation::Data, Stage::Open) if !self.has_sent_all => return self.keep(data),
            // What is on its way to a user that has gone.
            (Operation::Data, Stage::Closing) => {}
            (Operation::Shutdown, Stage::Open | Stage::Closing) => {
                self.has_sent_all |= header.flags & SENDS_NO_MORE != 0;
                self.takes_no_more |= header.flags & TAKES_NO_MORE != 0;
                if self.has_sent_all && self.takes_no_more && self.stage == Stage::Closing {
                    self.end(StreamError::Reset);
                    self.owed.reset = true;
                }
            }
            (Operation::CreditUpdate, Stage::Open | Stage::Closing) => {}
            (Operation::CreditRequest, Stage::Open | Stage::Closing) => self.owed.update = true,
            _ => return false,
        }
        true
    }

    /// Takes what the host says of its room; `false` if it cannot be.
    fn credit(&mut self, header: &Header) -> bool {
        let outstanding = self.sent.wrapping_sub(header.taken);
        if outstanding > self.sent.wrapping_sub(self.acknowledged) {
            return false;
        }
        // Room alone is no reason to wait on: it can come and go for ever, and what is sent into it counts by itself.
        if header.taken != self.acknowledged {
            self.waiting = self.waiting.filter(|_| self.stage != Stage::Open);
        }
        self.acknowledged = header.taken;
        self.room = header.room;
        self.asked &= self.may_send() == 0;
        true
    }

    /// Keeps data for our user; `false` if there is no room that the host was told of.
    fn keep(&mut self, data: &[u8]) -> bool {
        if data.len() > BUFFER.saturating_sub(self.input.len()) {
            return false;
        }
        self.input.extend(data);
        true
    }

    fn end(&mut self, why: StreamError) {
        if self.lives() {
            self.stage = Stage::Ended(why);
            self.owed = Owed::default();
            self.waiting = None;
        }
    }

    /// Ends it without a word: the host has forgotten it, or the device has failed.
    pub(crate) fn cut(&mut self, why: StreamError, woken: &mut Vec<Waker>) {
        self.end(why);
        woken.append(&mut self.readers);
        woken.append(&mut self.writers);
    }

    /// Whether there is a connection; `None` while the host has not answered.
    pub(crate) fn opened(&self) -> Option<Result<(), StreamError>> {
        match self.stage {
            Stage::Connecting => None,
            Stage::Open | Stage::Closing => Some(Ok(())),
            Stage::Ended(why) => Some(Err(why)),
        }
    }

    /// Gives out what came; `None` while there is nothing, 0 at the end.
    pub(crate) fn read(&mut self, into: &mut [u8]) -> Option<Result<usize, StreamError>> {
        if self.input.is_empty() {
            return match self.stage {
                _ if self.has_sent_all => Some(Ok(0)),
                Stage::Ended(why) => Some(Err(why)),
                _ => None,
            };
        }
        let count = into.len().min(self.input.len());
        let bytes = into.iter_mut().zip(self.input.drain(..count));
        bytes.for_each(|(to, from)| *to = from);
        self.taken = self.taken.wrapping_add(narrow(count));
        // Half of the room is worth a packet.
        let untold = self.taken.wrapping_sub(self.told);
        self.owed.update |= untold >= ROOM / 2 && self.stage == Stage::Open;
        Some(Ok(count))
    }

    /// Bytes that may be sent now.
    pub(crate) fn may_send(&self) -> usize {
        let outstanding = self.sent.wrapping_sub(self.acknowledged);
        let room = self.room.saturating_sub(outstanding);
        usize::try_from(room).unwrap_or(usize::MAX)
    }

    /// Why nothing can be written any more, if that is so.
    pub(crate) fn why_closed(&self) -> Option<StreamError> {
        match self.stage {
            Stage::Ended(why) => Some(why),
            _ if self.takes_no_more => Some(StreamError::Reset),
            _ => None,
        }
    }

    /// Whether it is open for data of ours.
    pub(crate) fn is_open(&self) -> bool {
        self.stage == Stage::Open && !self.takes_no_more
    }

    /// Notes that `count` bytes were sent.
    pub(crate) fn note_sent(&mut self, count: usize) {
        self.sent = self.sent.wrapping_add(narrow(count));
        self.waiting = None;
        self.told = self.taken;
    }

    pub(crate) fn wait_to_read(&mut self, waker: &Waker) {
        crate::waiters::join(&mut self.readers, waker);
    }

    /// Waits for room. Where the host has none, it is asked once.
    pub(crate) fn wait_to_write(&mut self, waker: &Waker, now: Instant) {
        crate::waiters::join(&mut self.writers, waker);
        self.waiting.get_or_insert(Attention::new(now));
        if self.stage == Stage::Open && !core::mem::replace(&mut self.asked, true) {
            self.owed.ask = true;
        }
    }

    /// Whether who waits to write has waited for too long. It counts anew after that.
    pub(crate) fn take_timeout(&mut self, now: Instant) -> bool {
        let late = |waiting: &mut Attention| waiting.look(now) >= WRITING;
        self.stage == Stage::Open && self.waiting.take_if(late).is_some()
    }

    /// Who waits to write.
    pub(crate) fn writers(&mut self) -> &mut Vec<Waker> {
        &mut self.writers
    }

    /// Our user has gone. The host hears of it, and has a moment to confirm it.
    pub(crate) fn leave(&mut self, now: Instant) {
        self.is_left = true;
        match self.stage {
            Stage::Open => {
                self.stage = Stage::Closing;
                self.owed.shutdown = true;
                self.owed.ask = false;
                self.waiting = Some(Attention::new(now));
            }
            Stage::Connecting => {
                let was_sent = !self.owed.request;
                self.end(StreamError::Reset);
                self.owed.reset = was_sent;
            }
            Stage::Closing | Stage::Ended(_) => {}
        }
    }

    /// Looks at the time; says when to look again.
    pub(crate) fn look(&mut self, now: Instant, woken: &mut Vec<Waker>) -> Option<Instant> {
        let limit = match self.stage {
            Stage::Connecting => CONNECTING,
            Stage::Open => WRITING,
            Stage::Closing => CLOSING,
            Stage::Ended(_) => return None,
        };
        let waiting = self.waiting.as_mut()?;
        if waiting.look(now) < limit {
            return Some(waiting.next_look(limit));
        }
        if self.stage != Stage::Open {
            self.end(StreamError::TimedOut);
            self.owed.reset = true;
            woken.append(&mut self.readers);
        }
        woken.append(&mut self.writers);
        None
    }

    /// What is to be said to the host, the most important first.
    pub(crate) fn owed(&self) -> Option<(Operation, u32)> {
        let owed = &self.owed;
        let said = [
            (owed.reset, Operation::Reset, 0),
            (owed.request, Operation::Request, 0),
            (owed.response, Operation::Response, 0),
            (
                owed.shutdown,
                Operation::Shutdown,
                SENDS_NO_MORE | TAKES_NO_MORE,
            ),
            (owed.update, Operation::CreditUpdate, 0),
            (owed.ask, Operation::CreditRequest, 0),
        ];
        let first = said.into_iter().find(|(is_owed, _, _)| *is_owed)?;
        Some((first.1, first.2))
    }

    /// Notes that `operation` was said.
    pub(crate) fn note_said(&mut self, operation: Operation) {
        let owed = &mut self.owed;
        match operation {
            Operation::Reset => owed.reset = false,
            Operation::Request => owed.request = false,
            Operation::Response => owed.response = false,
            Operation::Shutdown => owed.shutdown = false,
            Operation::CreditUpdate => owed.update = false,
            Operation::CreditRequest => owed.ask = false,
            Operation::Data => {}
        }
        self.told = self.taken;
    }

    /// The header of a packet of it.
    pub(crate) fn header(&self, cid: u64, operation: Operation, flags: u32, len: usize) -> Header {
        Header {
            source: Address {
                cid,
                port: self.port,
            },
            target: self.peer,
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
