//! The network card.
//!
//! Receive buffers and transmit slots are leased when the device starts. A frame crosses the
//! boundary by one copy, and no byte of it is looked at before it is private.
//!
//! Long TCP frames go out whole where the card cuts them, in few large slots beside many small ones,
//! and come whole where [`Offload::All`] asks for that. What the header of a frame says is checked
//! against the frame and against what was agreed on; a frame of which it is not true is dropped and
//! counted. `MRG_RXBUF` is negotiated even without long frames: lkvm spreads a large frame over several
//! buffers whether the driver wants it or not, and its user-mode network sends TCP segments of
//! 64 KiB. It also leaves checksums open that nobody agreed on; they are filled in here.
//!
//! Ref: virtio 1.2, 5.1 "Network Device".

mod checksum;
mod header;
mod offload;
mod receive;
mod transmit;

use alloc::rc::Rc;

use bounce::{Pool, Spacing};
use frame::{Incoming, Offloads, Outgoing};

use crate::device::Device;
use crate::needs::{Want, divide};
pub use crate::net::offload::Offload;
use crate::net::receive::{Outcome, Receive};
use crate::net::transmit::Transmit;
use crate::queue::{Interrupts, Queue, RING_ALIGN, Usage, ring_bytes};
use crate::transport::MAX_QUEUE_SIZE;
use crate::{Bounced, Environment, Error, Features, Interrupt, Kind, Needs, Path, Transport};

/// Most bytes of a frame that is sent: 1500 and the Ethernet header. The device's own MTU is not
/// asked for.
pub const MAX_FRAME: usize = 1514;
/// Most bytes of a frame that is sent for the card to cut: the longest IP packet, in Ethernet.
pub const MAX_SEGMENT: usize = 14 + 65535;

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
    offloads: Offloads,
    counters: NetCounters,
    device: Device<P::World>,
}

impl<P: Path> Net<P> {
    /// Bytes that a card leases.
    pub fn needs(spacing: Spacing) -> Needs {
        // A pool that is too small for long frames gets a card without them.
        Needs {
            least: needs(Offload::None, spacing).least,
            wanted: needs(Offload::All, spacing).wanted,
        }
    }

    /// Resets the card, agrees on features, and gives it its receive buffers. The default of
    /// [`Offload`] is left to it, as far as it offers that and the pool has room.
    ///
    /// # Errors
    ///
    /// Any [`Error`]; the device is then reset.
    pub fn start(
        transport: Transport,
        pool: &Pool<P::World>,
        environment: Environment,
    ) -> Result<Self, Error> {
        Self::start_with(transport, pool, environment, Offload::default())
    }

    /// The same, with no more left to the card than `offload` says.
    ///
    /// # Errors
    ///
    /// As for [`Self::start`].
    pub fn start_with(
        transport: Transport,
        pool: &Pool<P::World>,
        environment: Environment,
        offload: Offload,
    ) -> Result<Self, Error> {
        let device = Device::new(transport, Kind::Net, pool)?;
        let least = |offload| needs(offload, pool.spacing()).least;
        let offload = offload.within(pool.left(), [least(Offload::All), least(Offload::Tx)]);
        let wanted = |offered| offload.features(offered);
        let features = device.transport().negotiate(wanted, environment)?;
        let mac = read_mac(device.transport(), features)?;
        let queue =
            |index, least, interrupts| Queue::start(&device, index, least, features, interrupts);
        let receive = queue(RECEIVE_QUEUE, 1, Interrupts::Wanted)?;
        let least = transmit::least(features);
        let transmit = queue(TRANSMIT_QUEUE, least, Interrupts::Silent)?;
        let sizes = [receive.size(), transmit.size()];
        let [buffers, small, large] = divide(pool, slots(sizes, features))?;
        let mut receive = Receive::start(&device, receive, buffers, features)?;
        let transmit = Transmit::start(&device, transmit, [small, large], features)?;
        device.transport().driver_ok()?;
        receive.notify()?;
        Ok(Self {
            receive,
            transmit,
            mac,
            offloads: offload::offloads(features),
            counters: NetCounters::default(),
            device,
        })
    }

    /// The address of the card, latched when it was started.
    pub fn mac(&self) -> [u8; 6] {
        self.mac
    }

    /// Most bytes of a frame that is sent and not cut.
    pub fn max_frame(&self) -> usize {
        MAX_FRAME
    }

    /// What the card does with frames that are sent.
    pub fn offloads(&self) -> Offloads {
        self.offloads
    }

    /// Bytes of the longest frame that there is room for now. Where that is not the longest ever, the
    /// device is told of what it has not seen, and a device that takes nothing for too long ends.
    pub fn room(&mut self) -> usize {
        let room = self.device.run(|| self.transmit.room(&self.device));
        room.unwrap_or(0)
    }

    /// Queues the frame that `parts` make up, by one copy, and leaves to the card what `what` says.
    /// Does nothing when there is no room, when the frame is too long, or when `what` does not fit it
    /// or was not agreed on.
    pub fn send(&mut self, parts: &[&[u8]], what: Outgoing) {
        let Self {
            device, transmit, ..
        } = self;
        if device.run(|| transmit.send(device, parts, what)) == Ok(true) {
            self.counters.sent += 1;
        }
    }

    /// Copies the next frame into `into`, once, and says what is known of it; `None` if there is none
    /// now. Looks at no more frames than there are buffers.
    pub fn receive(&mut self, into: &mut [u8]) -> Option<Incoming> {
        for _ in 0..self.receive.buffers() {
            match self.device.run(|| self.receive.next(into)).ok()? {
                Outcome::Nothing => return None,
                Outcome::Dropped => self.counters.dropped += 1,
                Outcome::Frame(incoming) => {
                    self.counters.received += 1;
                    return Some(incoming);
                }
            }
        }
        None
    }

    /// Tells the device about everything queued since the last call: at most one doorbell for each
    /// direction.
    pub fn flush(&mut self) {
        let Self {
            device,
            transmit,
            receive,
            ..
        } = self;
        // What failed is told by `take_failure`.
        let _ = device.run(|| transmit.notify().and_then(|()| receive.notify()));
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

    /// What the card has of its queues: that of frames that come, and that of frames that go.
    pub fn usage(&self) -> [Usage; 2] {
        [self.receive.usage(), self.transmit.usage()]
    }

    /// Why the card was stopped; `None` while it runs.
    pub fn failure(&self) -> Option<Error> {
        self.device.failure()
    }

    /// Why the card was stopped, the first time this is asked after it happened.
    pub fn take_failure(&self) -> Option<Error> {
        self.device.take_failure()
    }
}

/// What a card with `offload` needs, if it offers everything.
fn needs(offload: Offload, spacing: Spacing) -> Needs {
    let rings = spacing.bytes(2, ring_bytes(), RING_ALIGN);
    let features = offload.features(Features::EVERY_NET);
    Needs::of(rings, &slots([MAX_QUEUE_SIZE; 2], features), spacing)
}

/// Buffers, small slots and large slots for queues of `sizes` entries.
fn slots([receive, transmit]: [u16; 2], features: Features) -> [Want; 3] {
    let [small, large] = transmit::slots(transmit, features);
    [receive::buffers(receive, features), small, large]
}

/// Reads the address: six bytes at the start of the configuration.
///
/// Ref: virtio 1.2, 5.1.4 "Device configuration layout".
fn read_mac(transport: &Transport, features: Features) -> Result<[u8; 6], Error> {
    const CHECKED_BELOW: &str = "an address of nobody or of many is refused";
    if let Some(bit) = Features::NET_MAC.lowest_missing(features) {
        return Err(Error::MissingFeature { bit });
    }
    let (low, high) = transport.config(|config| {
        let low = config.read32(0)?.any_value(CHECKED_BELOW);
        Ok((low, config.read16(4)?.any_value(CHECKED_BELOW)))
    })?;
    let ([a, b, c, d], [e, f]) = (low.to_le_bytes(), high.to_le_bytes());
    let mac = [a, b, c, d, e, f];
    let is_group = a & 1 != 0;
    if is_group || mac == [0; 6] {
        return Err(Error::BadMac);
    }
    Ok(mac)
}
