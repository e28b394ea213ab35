//! An Ethernet in memory: a hub with ports, a clock that jumps, and bad luck on demand.

mod dhcp;
mod poor_router;
mod router;
mod world;

use std::{cell::RefCell, collections::VecDeque, rc::Rc, time::Duration};

use clock::{Clock, Instant};
use frame::{Incoming, Offloads, Outgoing};
use net::FramePort;

pub use dhcp::{DhcpServer, Offer, Refuses};
pub use poor_router::{Manner, PoorRouter, echo, is_ping};
pub use router::Advertisement;
pub use world::{FakeClock, Responder, World};

/// How long a frame is on its way.
const LATENCY: Duration = Duration::from_micros(200);

/// Most bytes of a frame on this wire.
const MAX_FRAME: usize = 1514;

/// What happens to frames, each in parts of a thousand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Luck {
    /// Frames that vanish.
    pub lost: u32,
    /// Frames that arrive twice.
    pub doubled: u32,
    /// Frames that arrive later than those behind them.
    pub late: u32,
}

/// A hub: what one port sends, all others receive.
#[derive(Clone)]
pub struct Hub(Rc<RefCell<State>>);

struct State {
    clock: Rc<FakeClock>,
    luck: Luck,
    random: u32,
    ends: Vec<VecDeque<(Instant, Vec<u8>)>>,
}

impl Hub {
    /// A hub without bad luck.
    pub fn new(clock: Rc<FakeClock>) -> Self {
        Self(Rc::new(RefCell::new(State {
            clock,
            luck: Luck::default(),
            random: 0x9e37_79b9,
            ends: Vec::new(),
        })))
    }

    /// Changes the luck of all frames from now on.
    pub fn set_luck(&self, luck: Luck) {
        self.0.borrow_mut().luck = luck;
    }

    /// A new port with the address `02:00:00:00:00:LAST`.
    pub fn port(&self, last: u8) -> HubPort {
        let mut state = self.0.borrow_mut();
        state.ends.push(VecDeque::new());
        HubPort {
            hub: self.clone(),
            end: state.ends.len() - 1,
            mac: [2, 0, 0, 0, 0, last],
            checksums_sent: false,
        }
    }

    /// Puts one frame on the wire, from nobody, to all ports.
    pub fn inject(&self, frame: &[u8]) {
        self.0.borrow_mut().carry(usize::MAX, frame);
    }

    /// When the next frame arrives anywhere.
    fn next_arrival(&self) -> Option<Instant> {
        let state = self.0.borrow();
        state.ends.iter().flatten().map(|(at, _)| *at).min()
    }
}

impl State {
    fn carry(&mut self, from: usize, frame: &[u8]) {
        for to in 0..self.ends.len() {
            if to != from && !self.happens(self.luck.lost) {
                self.deliver(to, frame);
                if self.happens(self.luck.doubled) {
                    self.deliver(to, frame);
                }
            }
        }
    }

    fn deliver(&mut self, to: usize, frame: &[u8]) {
        let late = if self.happens(self.luck.late) { 5 } else { 1 };
        let at = self.clock.now().after(LATENCY * late);
        self.ends[to].push_back((at, frame.to_vec()));
    }

    /// Ref: Marsaglia, "Xorshift RNGs", 2003.
    fn happens(&mut self, of_a_thousand: u32) -> bool {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        self.random % 1000 < of_a_thousand
    }
}

/// One port of a [`Hub`].
pub struct HubPort {
    hub: Hub,
    end: usize,
    mac: [u8; 6],
    checksums_sent: bool,
}

impl HubPort {
    /// Makes the port ask for partial checksums, and complete them as a device does.
    #[must_use]
    pub fn completing_checksums(mut self) -> Self {
        self.checksums_sent = true;
        self
    }

    /// Whether a frame has arrived.
    fn has_frame(&self) -> bool {
        let state = self.hub.0.borrow();
        let now = state.clock.now();
        state.ends[self.end].iter().any(|(at, _)| *at <= now)
    }
}

impl FramePort for HubPort {
    fn mac(&self) -> [u8; 6] {
        self.mac
    }

    fn max_frame(&self) -> usize {
        MAX_FRAME
    }

    fn offloads(&self) -> Offloads {
        Offloads {
            checksums: self.checksums_sent,
            ..Offloads::default()
        }
    }

    fn room(&mut self) -> usize {
        MAX_FRAME
    }

    fn send(&mut self, parts: &[&[u8]], _: Outgoing) {
        let mut frame = parts.concat();
        assert!(frame.len() <= MAX_FRAME, "{} bytes", frame.len());
        if self.checksums_sent {
            complete_checksum(&mut frame);
        }
        self.hub.0.borrow_mut().carry(self.end, &frame);
    }

    fn receive(&mut self, into: &mut [u8]) -> Option<Incoming> {
        let mut state = self.hub.0.borrow_mut();
        let now = state.clock.now();
        let queue = &mut state.ends[self.end];
        let at = queue.iter().position(|(at, _)| *at <= now)?;
        let (_, frame) = queue.remove(at)?;
        into[..frame.len()].copy_from_slice(&frame);
        Some(Incoming {
            len: frame.len(),
            ..Incoming::default()
        })
    }

    fn flush(&mut self) {}
}

/// Sums a TCP or UDP segment over the partial sum that is there, as a device does.
fn complete_checksum(frame: &mut [u8]) {
    let (protocol, segment) = match frame[12..14] {
        [8, 0] => (frame[23], 14 + 20),
        [0x86, 0xdd] => (frame[20], 14 + 40),
        _ => return,
    };
    let field = match protocol {
        6 => segment + 16,
        17 => segment + 6,
        _ => return,
    };
    let mut sum: u32 = frame[segment..]
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low)))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    frame[field..field + 2].copy_from_slice(&(!(sum as u16)).to_be_bytes());
}
