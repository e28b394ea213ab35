//! Streams to the host and from it, without a network.
//!
//! Packets lie in the buffers of two queues; a third tells of changes. What each side may send is
//! counted on both, and what the host says of its counts is checked against what was sent.
//!
//! Ref: virtio 1.2, 5.10 "Socket Device".

mod connection;
pub mod packet;
mod stream;
mod table;

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec;
use core::cell::RefCell;
use core::task::{Context, Poll, Waker};

use bounce::{Pool, Shared, Spacing, World};
use clock::Instant;

use crate::device::Device;
use crate::lanes::{Inbound, Outbound, Shape};
use crate::queue::ring_bytes;
pub use crate::vsock::packet::Address as VsockAddress;
use crate::vsock::packet::{HEADER, Header, Operation};
pub use crate::vsock::stream::{VsockListener, VsockStream};
pub use crate::vsock::table::MAX_CONNECTIONS;
use crate::vsock::table::{Id, Table};
use crate::{Environment, Error, Features, Interrupt, Kind, Needs, StreamError, Transport};

const RECEIVE_QUEUE: u16 = 0;
const TRANSMIT_QUEUE: u16 = 1;
const EVENT_QUEUE: u16 = 2;
/// Bytes of a packet with its header, in either direction.
const PACKET: usize = 4096;
const PACKETS_IN: Shape = Shape::short(16, PACKET);
const PACKETS_OUT: Shape = Shape::short(16, PACKET);
const EVENTS: Shape = Shape::short(4, 64);
/// Why any number will do.
const OURS: &str = "what the host calls us; it says so in each packet";
/// The host has forgotten all connections.
const TRANSPORT_RESET: u32 = 0;

/// What the device did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VsockCounters {
    /// Bytes of data sent.
    pub sent: u64,
    /// Bytes of data received.
    pub received: u64,
    /// Packets that mean nothing, are for nobody, or say what cannot be.
    pub refused: u64,
    /// Doorbells rung.
    pub doorbells: u64,
}

/// A socket device that is running.
///
/// A device that breaks the rules is reset, and every connection ends with an error;
/// [`Self::take_failure`] says why, once.
pub struct Vsock<W: World = Shared> {
    state: RefCell<State<W>>,
    device: Device<W>,
}

struct State<W: World> {
    table: Table,
    input: Inbound<W>,
    output: Outbound<W>,
    events: Inbound<W>,
    /// Our own number.
    cid: u64,
    /// A packet while it is looked at.
    packet: Box<[u8]>,
    counters: VsockCounters,
}

impl<W: World> Vsock<W> {
    /// Bytes that a device leases.
    pub fn needs(spacing: Spacing) -> Needs {
        let shapes = [PACKETS_IN, PACKETS_OUT, EVENTS];
        let bytes = shapes.map(|shape| shape.bytes(ring_bytes(), spacing));
        Needs::exactly(bytes.iter().sum())
    }

    /// Resets the device, agrees on features, and gives it its buffers.
    ///
    /// # Errors
    ///
    /// Any [`Error`]; the device is then reset.
    pub fn start(
        transport: Transport,
        pool: &Pool<W>,
        environment: Environment,
    ) -> Result<Self, Error> {
        let device = Device::new(transport, Kind::Vsock, pool)?;
        let features = device.negotiate(|_| Features::default(), environment)?;
        let mut state = State {
            table: Table::default(),
            input: Inbound::start(&device, RECEIVE_QUEUE, PACKETS_IN, features)?,
            output: Outbound::start(&device, TRANSMIT_QUEUE, PACKETS_OUT, features)?,
            events: Inbound::start(&device, EVENT_QUEUE, EVENTS, features)?,
            cid: read_cid(device.transport())?,
            packet: vec![0; PACKET].into_boxed_slice(),
            counters: VsockCounters::default(),
        };
        state.lend_all()?;
        device.transport().driver_ok()?;
        state.notify()?;
        Ok(Self {
            state: RefCell::new(state),
            device,
        })
    }

    /// Starts a device anew that had failed. Does nothing while it runs. Every connection has ended; whoever
    /// listens goes on, and our number may be another one.
    ///
    /// # Errors
    ///
    /// [`Error::ResetTimedOut`] if the device does not confirm a reset: then its memory stays leased, and this
    /// can be tried again. Otherwise as for [`Self::start`].
    pub fn restart(&self) -> Result<(), Error> {
        let set_up = |features| self.state.borrow_mut().restart(&self.device, features);
        match self.device.restart(set_up)? {
            true => self.with(State::notify),
            false => Ok(()),
        }
    }

    /// Our own number, as the host gave it.
    pub fn cid(&self) -> u64 {
        self.state.borrow().cid
    }

    /// Looks at packets and completions, wakes tasks, tells the device of what it has not seen, and says
    /// when to call again at the latest; `None` while nobody waits.
    pub fn poll(&self) -> Option<Instant> {
        let now = self.now();
        let transport = self.device.transport();
        self.with(|state| state.drive(transport, now))
            .ok()
            .flatten()
    }

    /// The interrupt of the device, to be acknowledged when it is raised.
    pub fn interrupt(&self) -> Rc<Interrupt> {
        Rc::clone(self.device.transport().interrupt())
    }

    /// What the device did so far.
    pub fn counters(&self) -> VsockCounters {
        let state = self.state.borrow();
        let rung = state.input.lane.rung() + state.output.lane.rung() + state.events.lane.rung();
        VsockCounters {
            refused: state.counters.refused + state.table.refused,
            doorbells: rung,
            ..state.counters
        }
    }

    /// Why the device was stopped; `None` while it runs.
    pub fn failure(&self) -> Option<Error> {
        self.device.failure()
    }

    /// Why the device was stopped, the first time this is asked after it happened.
    pub fn take_failure(&self) -> Option<Error> {
        self.device.take_failure()
    }

    fn now(&self) -> Instant {
        self.device.transport().clock().now()
    }

    fn connect(&self, peer: VsockAddress) -> Result<Id, StreamError> {
        let now = self.now();
        self.with(|state| Ok(state.table.connect(peer, now)))?
    }

    fn listen(&self, port: u32) -> Result<Id, StreamError> {
        self.with(|state| Ok(state.table.listen(port)))?
            .ok_or(StreamError::InUse)
    }

    /// Also of a device that has failed: it may be started anew, and has room for others then.
    fn leave(&self, id: Id) {
        let now = self.now();
        self.state.borrow_mut().table.leave(id, now);
    }

    /// Also of a device that has failed.
    fn stop_listening(&self, id: Id) {
        let now = self.now();
        self.state.borrow_mut().table.stop_listening(id, now);
    }

    fn poll_opened(&self, id: Id, context: &Context<'_>) -> Poll<Result<(), StreamError>> {
        let opened = self.with(|state| {
            let Some(connection) = state.table.get(id) else {
                return Ok(Some(Err(StreamError::Reset)));
            };
            let opened = connection.opened();
            if opened.is_none() {
                connection.wait_to_read(context.waker());
            }
            Ok(opened)
        });
        flat(opened)
    }

    fn poll_accept(&self, id: Id, context: &Context<'_>) -> Poll<Result<Id, StreamError>> {
        let accepted = self.with(|state| Ok(state.table.accept(id, context.waker()).map(Ok)));
        flat(accepted)
    }

    fn poll_read(
        &self,
        id: Id,
        into: &mut [u8],
        context: &Context<'_>,
    ) -> Poll<Result<usize, StreamError>> {
        if into.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let read = self.with(|state| {
            let Some(connection) = state.table.get(id) else {
                return Ok(Some(Err(StreamError::Reset)));
            };
            let read = connection.read(into);
            if read.is_none() {
                connection.wait_to_read(context.waker());
            }
            Ok(read)
        });
        flat(read)
    }

    fn poll_write(
        &self,
        id: Id,
        from: &[u8],
        context: &Context<'_>,
    ) -> Poll<Result<usize, StreamError>> {
        if from.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let now = self.now();
        let written = self.with(|state| {
            let written = state.write(id, from)?;
            let Some(connection) = state.table.get(id) else {
                return Ok(Some(Err(StreamError::Reset)));
            };
            if written != 0 {
                return Ok(Some(Ok(written)));
            }
            if let Some(why) = connection.why_closed() {
                return Ok(Some(Err(why)));
            }
            if connection.take_timeout(now) {
                return Ok(Some(Err(StreamError::TimedOut)));
            }
            connection.wait_to_write(context.waker(), now);
            Ok(None)
        });
        flat(written)
    }

    /// Runs `work` on the state of a device that runs, then wakes the tasks that it found. An error ends
    /// the device.
    fn with<T>(&self, work: impl FnOnce(&mut State<W>) -> Result<T, Error>) -> Result<T, Error> {
        let mut state = self.state.borrow_mut();
        let result = self.device.run(|| work(&mut state));
        if let Err(error) = &result {
            state.table.cut_all(StreamError::Device(*error));
            state.table.wake_listeners();
        }
        let woken = core::mem::take(&mut state.table.woken);
        drop(state);
        woken.into_iter().for_each(Waker::wake);
        result
    }
}

impl<W: World> State<W> {
    /// Sets everything up anew, after a reset.
    fn restart(&mut self, device: &Device<W>, features: Features) -> Result<(), Error> {
        self.input.restart(device, features)?;
        self.output.restart(device, features)?;
        self.events.restart(device, features)?;
        self.cid = read_cid(device.transport())?;
        self.lend_all()
    }

    /// Lends every buffer. For once.
    fn lend_all(&mut self) -> Result<(), Error> {
        self.input.lend_all()?;
        self.events.lend_all()
    }

    /// Tells the device of the buffers that it has.
    fn notify(&mut self) -> Result<(), Error> {
        self.input.lane.notify()?;
        self.events.lane.notify()
    }

    /// Brings everything up to date, and says when to look again.
    fn drive(&mut self, transport: &Transport, now: Instant) -> Result<Option<Instant>, Error> {
        self.hear_events(transport)?;
        self.hear()?;
        let next = self.table.look(now);
        self.say()?;
        self.wake_writers()?;
        self.output.lane.notify()?;
        self.input.lane.notify()?;
        Ok(next)
    }

    /// Takes packets, no more than there are buffers.
    fn hear(&mut self) -> Result<(), Error> {
        for _ in 0..self.input.lane.count() {
            if !self.input.has_some()? {
                break;
            }
            let taken = self.input.take(&mut self.packet)?;
            let Some((header, data)) = self.packet.get(..taken).and_then(<[u8]>::split_first_chunk)
            else {
                self.counters.refused += 1;
                continue;
            };
            let header = Header::from_bytes(header).filter(|header| header.target.cid == self.cid);
            let data = header.and_then(|header| data.get(..usize::try_from(header.len).ok()?));
            match (header, data) {
                (Some(header), Some(data)) => {
                    self.counters.received += data.len() as u64;
                    self.table.hear(&header, data);
                }
                _ => self.counters.refused += 1,
            }
        }
        Ok(())
    }

    /// Takes news of the device, no more than there are buffers.
    fn hear_events(&mut self, transport: &Transport) -> Result<(), Error> {
        for _ in 0..self.events.lane.count() {
            if !self.events.has_some()? {
                break;
            }
            let mut event = [0; 4];
            let taken = self.events.take(&mut event)?;
            self.events.skip_all()?;
            if taken == event.len() && u32::from_le_bytes(event) == TRANSPORT_RESET {
                self.table.cut_all(StreamError::Reset);
                self.cid = read_cid(transport)?;
            } else {
                self.counters.refused += 1;
            }
        }
        self.events.lane.notify()
    }

    /// Says what is owed, as far as there is room for it.
    fn say(&mut self) -> Result<(), Error> {
        self.output.reclaim()?;
        while let Some(stray) = self.table.strays.front() {
            if !self.output.send(&[&stray.to_bytes()])? {
                return Ok(());
            }
            self.table.strays.pop_front();
        }
        for (_, connection) in &mut self.table.connections {
            while let Some((operation, flags)) = connection.owed() {
                let header = connection.header(self.cid, operation, flags, 0);
                if !self.output.send(&[&header.to_bytes()])? {
                    return Ok(());
                }
                connection.note_said(operation);
            }
        }
        Ok(())
    }

    /// Sends as much of `from` as the host and the queue have room for.
    fn write(&mut self, id: Id, from: &[u8]) -> Result<usize, Error> {
        let mut written = 0;
        let Some(connection) = self.table.get(id).filter(|connection| connection.is_open()) else {
            return Ok(0);
        };
        let may_send = from.len().min(connection.may_send());
        // An answer to a request comes before data.
        let is_answered = connection
            .owed()
            .is_none_or(|(said, _)| said != Operation::Response);
        let most = self.output.lane.each() - HEADER;
        for piece in from.get(..may_send).unwrap_or_default().chunks(most) {
            if !is_answered || self.output.room() == 0 && !self.output.reclaim()? {
                break;
            }
            let header = connection.header(self.cid, Operation::Data, 0, piece.len());
            self.output.send(&[&header.to_bytes(), piece])?;
            connection.note_sent(piece.len());
            written += piece.len();
        }
        self.counters.sent += written as u64;
        Ok(written)
    }

    /// Wakes who can write now, and asks for an interrupt if slots are what is missing.
    fn wake_writers(&mut self) -> Result<(), Error> {
        let mut connections = self.table.connections.iter_mut();
        if connections.all(|(_, connection)| connection.writers().is_empty()) {
            return Ok(());
        }
        if self.output.room() == 0 && !self.output.reclaim_or_ask()? {
            return Ok(());
        }
        for (_, connection) in &mut self.table.connections {
            if connection.is_open() && connection.may_send() != 0 {
                self.table.woken.append(connection.writers());
            }
        }
        Ok(())
    }
}

/// Reads our own number.
///
/// Ref: virtio 1.2, 5.10.4 "Device configuration layout".
fn read_cid(transport: &Transport) -> Result<u64, Error> {
    let (low, high) = transport.config(|config| {
        let (low, high) = (config.read32(0)?, config.read32(4)?);
        Ok((low.any_value(OURS), high.any_value(OURS)))
    })?;
    Ok(u64::from(high) << 32 | u64::from(low))
}

/// What a task is told: the result, the error of the device, or to wait.
fn flat<T>(result: Result<Option<Result<T, StreamError>>, Error>) -> Poll<Result<T, StreamError>> {
    match result {
        Ok(Some(result)) => Poll::Ready(result),
        Ok(None) => Poll::Pending,
        Err(error) => Poll::Ready(Err(error.into())),
    }
}
