//! An Ethernet in memory: a hub with ports, a clock that jumps, and bad luck on demand.

mod cutter;
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
pub use world::{FakeClock, Part, Responder, Turn, World};

/// How long a frame is on its way.
const LATENCY: Duration = Duration::from_micros(200);

/// Most bytes of a frame on this wire.
const MAX_FRAME: usize = 1514;

/// Most bytes of a frame that is cut.
const LONGEST_FRAME: usize = 14 + 65535;

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
    ends: Vec<End>,
}

/// Where frames wait for one port.
#[derive(Default)]
struct End {
    frames: VecDeque<(Instant, Vec<u8>, Incoming)>,
    /// Whether it takes frames as they were sent, uncut and with open checksums.
    takes_open: bool,
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
        state.ends.push(End::default());
        HubPort {
            hub: self.clone(),
            end: state.ends.len() - 1,
            mac: [2, 0, 0, 0, 0, last],
            max_frame: MAX_FRAME,
            offloads: Offloads::default(),
        }
    }

    /// Puts one frame on the wire, from nobody, to all ports.
    pub fn inject(&self, frame: &[u8]) {
        let what = Outgoing::default();
        self.0.borrow_mut().carry(usize::MAX, frame, what);
    }

    /// When the next frame arrives anywhere.
    fn next_arrival(&self) -> Option<Instant> {
        let state = self.0.borrow();
        let frames = state.ends.iter().flat_map(|end| &end.frames);
        frames.map(|(at, ..)| *at).min()
    }
}

impl State {
    fn carry(&mut self, from: usize, frame: &[u8], what: Outgoing) {
        let whole = Incoming {
            len: frame.len(),
            checksum: what.checksum,
            segment_size: what.segments.map(|segments| segments.size),
        };
        let pieces = cutter::finish(frame.to_vec(), what);
        for to in (0..self.ends.len()).filter(|to| *to != from) {
            if self.ends[to].takes_open {
                self.meet_luck(to, frame, whole);
                continue;
            }
            for piece in &pieces {
                let len = piece.len();
                let complete = Incoming {
                    len,
                    ..Incoming::default()
                };
                self.meet_luck(to, piece, complete);
            }
        }
    }

    fn meet_luck(&mut self, to: usize, frame: &[u8], what: Incoming) {
        if !self.happens(self.luck.lost) {
            self.deliver(to, frame, what);
            if self.happens(self.luck.doubled) {
                self.deliver(to, frame, what);
            }
        }
    }

    fn deliver(&mut self, to: usize, frame: &[u8], what: Incoming) {
        let late = if self.happens(self.luck.late) { 5 } else { 1 };
        let at = self.clock.now().after(LATENCY * late);
        self.ends[to].frames.push_back((at, frame.to_vec(), what));
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
    max_frame: usize,
    offloads: Offloads,
}

impl HubPort {
    /// Makes the port ask for partial checksums, and complete them as a device does.
    #[must_use]
    pub fn completing_checksums(mut self) -> Self {
        self.offloads.checksums = true;
        self
    }

    /// Makes the port cut long TCP frames as well.
    #[must_use]
    pub fn cutting_segments(self) -> Self {
        let mut port = self.completing_checksums();
        port.offloads.segments_v4 = true;
        port.offloads.segments_v6 = true;
        port.offloads.max_segment = LONGEST_FRAME;
        port
    }

    /// Makes the port receive frames as they were sent, with what the sender left open.
    #[must_use]
    pub fn taking_open_frames(self) -> Self {
        self.hub.0.borrow_mut().ends[self.end].takes_open = true;
        self
    }

    /// Makes the frames that the port sends uncut as long as an IP packet of `mtu` bytes.
    #[must_use]
    pub fn with_mtu(mut self, mtu: usize) -> Self {
        self.max_frame = 14 + mtu;
        self
    }

    /// Whether a frame has arrived.
    fn has_frame(&self) -> bool {
        let state = self.hub.0.borrow();
        let now = state.clock.now();
        state.ends[self.end]
            .frames
            .iter()
            .any(|(at, ..)| *at <= now)
    }
}

impl FramePort for HubPort {
    fn mac(&self) -> [u8; 6] {
        self.mac
    }

    fn max_frame(&self) -> usize {
        self.max_frame
    }

    fn offloads(&self) -> Offloads {
        self.offloads
    }

    fn room(&mut self) -> usize {
        self.max_frame.max(self.offloads.max_segment)
    }

    fn send(&mut self, parts: &[&[u8]], what: Outgoing) {
        let frame = parts.concat();
        let limit = match what.segments {
            None => self.max_frame,
            Some(segments) => {
                let segment = usize::from(segments.headers) + usize::from(segments.size);
                assert!(segment <= self.max_frame, "segments of {segment} bytes");
                self.offloads.max_segment
            }
        };
        assert!(frame.len() <= limit, "{} bytes", frame.len());
        let open = what.checksum.is_some() || what.segments.is_some();
        assert!(self.offloads.checksums || !open, "not agreed on");
        self.hub.0.borrow_mut().carry(self.end, &frame, what);
    }

    fn receive(&mut self, into: &mut [u8]) -> Option<Incoming> {
        let mut state = self.hub.0.borrow_mut();
        let now = state.clock.now();
        let queue = &mut state.ends[self.end].frames;
        let at = queue.iter().position(|(at, ..)| *at <= now)?;
        let (_, frame, what) = queue.remove(at)?;
        into[..frame.len()].copy_from_slice(&frame);
        Some(what)
    }

    fn flush(&mut self) {}
}
