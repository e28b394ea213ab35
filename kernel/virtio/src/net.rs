//! The network card.
//!
//! Receive buffers and transmit slots are leased when the device starts. A frame crosses the
//! boundary by one copy, and no byte of it is looked at before it is private.
//!
//! `MRG_RXBUF` is negotiated, for one reason: lkvm spreads a large frame over several buffers
//! whether the driver wants it or not, and its user-mode network sends TCP segments of 64 KiB.
//! Frames are put together in the caller's buffer, and those that do not fit are dropped and
//! counted. Offloads of received frames are not negotiated; a host that leaves a checksum open all
//! the same gets it filled in here.
//!
//! Ref: virtio 1.2, 5.1 "Network Device".

mod checksum;
mod header;
mod receive;
mod transmit;

use alloc::rc::Rc;

use bounce::{Pool, Spacing};

use crate::device::Device;
use crate::needs;
use crate::net::receive::{Outcome, Receive};
use crate::net::transmit::Transmit;
use crate::queue::{Interrupts, Queue, RING_ALIGN, ring_bytes};
use crate::transport::MAX_QUEUE_SIZE;
use crate::{Bounced, Environment, Error, Features, Interrupt, Kind, Needs, Path, Transport};

/// Most bytes of a frame that is sent: 1500 and the Ethernet header. The device's own MTU is not
/// asked for.
pub const MAX_FRAME: usize = 1514;
/// Fewest bytes of a frame: an Ethernet header.
const MIN_FRAME: usize = 14;

const RECEIVE_QUEUE: u16 = 0;
const TRANSMIT_QUEUE: u16 = 1;

/// What the card did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetCounters {
    /// Frames handed to the device.
    pub sent: u64,
    /// Frames received and delivered.
    pub received: u64,
    /// Frames received and not delivered: too short, too long, or damaged.
    pub dropped: u64,
    /// Doorbells rung, for both directions.
    pub doorbells: u64,
}

/// A network card that is running. Its methods are those of `net::FramePort`.
///
/// A card that breaks the rules is reset and stays silent; [`Self::take_failure`] says why, once.
pub struct Net<P: Path = Bounced> {
    receive: Receive<P::World>,
    transmit: Transmit<P::World>,
    mac: [u8; 6],
    checksums: bool,
    counters: NetCounters,
    device: Device<P::World>,
}

impl<P: Path> Net<P> {
    /// Bytes that a card leases.
    pub fn needs(spacing: Spacing) -> Needs {
        let rings = spacing.bytes(2, ring_bytes(), RING_ALIGN);
        let slots = [
            receive::buffers(MAX_QUEUE_SIZE),
            transmit::slots(MAX_QUEUE_SIZE),
        ];
        Needs::of(rings, &slots, spacing)
    }

    /// Resets the card, agrees on features, and gives it its receive buffers.
    ///
    /// # Errors
    ///
    /// Any [`Error`]; the device is then reset.
    pub fn start(
        transport: Transport,
        pool: &Pool<P::World>,
        environment: Environment,
    ) -> Result<Self, Error> {
        if transport.kind() != Kind::Net {
            return Err(Error::WrongKind);
        }
        let device = Device::new(transport, pool);
        let wanted = Features::NET_CSUM | Features::NET_MAC | Features::NET_MRG_RXBUF;
        let features = device.transport().negotiate(wanted, environment)?;
        let mac = read_mac(device.transport(), features)?;
        let queue = |index, interrupts| Queue::start(&device, index, 1, features, interrupts);
        let receive = queue(RECEIVE_QUEUE, Interrupts::Wanted)?;
        let transmit = queue(TRANSMIT_QUEUE, Interrupts::Silent)?;
        let slots = [
            receive::buffers(receive.size()),
            transmit::slots(transmit.size()),
        ];
        let [buffers, slots] = needs::divide(pool, slots)?;
        let mut receive = Receive::start(&device, receive, buffers, features)?;
        let transmit = Transmit::start(&device, transmit, slots)?;
        device.transport().driver_ok()?;
        receive.notify()?;
        Ok(Self {
            receive,
            transmit,
            mac,
            checksums: features.contains(Features::NET_CSUM),
            counters: NetCounters::default(),
            device,
        })
    }

    /// The address of the card, latched when it was started.
    pub fn mac(&self) -> [u8; 6] {
        self.mac
    }

    /// Most bytes of a frame that is sent.
    pub fn max_frame(&self) -> usize {
        MAX_FRAME
    }

    /// Whether the device fills in TCP and UDP checksums of frames that are sent.
    pub fn checksums_sent(&self) -> bool {
        self.checksums
    }

    /// Whether there is room for one frame. If not, the device is told of what it has not seen,
    /// and a device that takes nothing for too long ends.
    pub fn can_send(&mut self) -> bool {
        self.device.check();
        if self.device.failure().is_some() {
            return false;
        }
        let room = self.transmit.has_room(&self.device);
        self.settle(room).unwrap_or(false)
    }

    /// Queues `frame`, by one copy. Does nothing when there is no room, or the frame is longer than
    /// [`MAX_FRAME`].
    pub fn send(&mut self, frame: &[u8]) {
        if self.device.failure().is_some() || frame.len() > MAX_FRAME {
            return;
        }
        let queued = self.transmit.send(&self.device, frame, self.checksums);
        if self.settle(queued) == Some(true) {
            self.counters.sent += 1;
        }
    }

    /// Copies the next frame into `into`, once, and says how long it is; `None` if there is none
    /// now. Looks at no more frames than there are buffers.
    pub fn receive(&mut self, into: &mut [u8]) -> Option<usize> {
        self.device.check();
        for _ in 0..self.receive.buffers() {
            if self.device.failure().is_some() {
                return None;
            }
            let outcome = self.receive.next(into);
            match self.settle(outcome)? {
                Outcome::Nothing => return None,
                Outcome::Dropped => self.counters.dropped += 1,
                Outcome::Frame(len) => {
                    self.counters.received += 1;
                    return Some(len);
                }
            }
        }
        None
    }

    /// Tells the device about everything queued since the last call: at most one doorbell for each
    /// direction.
    pub fn flush(&mut self) {
        if self.device.failure().is_none() {
            let told = self.transmit.notify().and_then(|()| self.receive.notify());
            self.settle(told);
        }
    }

    /// The interrupt of the card, to be acknowledged when it is raised.
    pub fn interrupt(&self) -> Rc<Interrupt> {
        Rc::clone(self.device.transport().interrupt())
    }

    /// What the card did so far.
    pub fn counters(&self) -> NetCounters {
        NetCounters {
            doorbells: self.receive.rung() + self.transmit.rung(),
            ..self.counters
        }
    }

    /// Why the card was stopped; `None` while it runs.
    pub fn failure(&self) -> Option<Error> {
        self.device.failure()
    }

    /// Why the card was stopped, the first time this is asked after it happened.
    pub fn take_failure(&self) -> Option<Error> {
        self.device.take_failure()
    }

    /// The value of `result`, or the end of the device.
    fn settle<T>(&self, result: Result<T, Error>) -> Option<T> {
        result.inspect_err(|error| self.device.fail(*error)).ok()
    }
}

/// Reads the address: six bytes at the start of the configuration.
///
/// Ref: virtio 1.2, 5.1.4 "Device configuration layout".
fn read_mac(transport: &Transport, features: Features) -> Result<[u8; 6], Error> {
    if let Some(bit) = Features::NET_MAC.lowest_missing(features) {
        return Err(Error::MissingFeature { bit });
    }
    let (low, high) = transport.config(|config| Ok((config.read32(0)?, config.read16(4)?)))?;
    let ([a, b, c, d], [e, f]) = (low.to_le_bytes(), high.to_le_bytes());
    let mac = [a, b, c, d, e, f];
    let is_group = a & 1 != 0;
    if is_group || mac == [0; 6] {
        return Err(Error::BadMac);
    }
    Ok(mac)
}
