//! A frame port as smoltcp wants to see it.

use alloc::{boxed::Box, vec, vec::Vec};

use clock::Instant;
use frame::{Incoming, Outgoing};
use smoltcp::phy::{self, Checksum, DeviceCapabilities, Medium};

use crate::{
    Counters, FramePort, checksum,
    gate::{Gate, Refusal},
    time,
    witness::Witness,
};

/// Most bytes of a frame that we send: an Ethernet header and an MTU of 1500. A larger one works
/// only where each hop agrees.
const MAX_SENT_FRAME: usize = 14 + 1500;

/// Most bytes of a frame that we take room for: the largest IP packet, whatever the port sends.
/// lkvm's user-mode network sends TCP segments as long as the window that it sees.
const MAX_RECEIVED_FRAME: usize = 14 + 65535;

/// Most frames taken from the port by one poll, so that a flood cannot starve the payload.
pub(crate) const RECEIVE_BUDGET: usize = 64;

/// Most frames sent by one poll.
pub(crate) const SEND_BUDGET: usize = 64;

/// The port, a private buffer for each direction, and what guards them.
pub(crate) struct Device {
    received: Vec<u8>,
    injected: Option<Vec<u8>>,
    gate: Gate,
    witness: Witness,
    link: Link,
}

/// The sending half, and the counts of both.
struct Link {
    port: Box<dyn FramePort>,
    frame: Vec<u8>,
    max_sent: usize,
    partial_checksums: bool,
    to_receive: usize,
    to_send: usize,
    moved: bool,
    blocked: bool,
    counters: Counters,
}

impl Device {
    /// Takes the buffers that `port` needs: one received frame, one frame to send.
    pub fn new(port: Box<dyn FramePort>) -> Self {
        let max_sent = port.max_frame().min(MAX_SENT_FRAME);
        let partial_checksums = port.offloads().checksums;
        Self {
            received: vec![0; MAX_RECEIVED_FRAME],
            injected: None,
            gate: Gate::default(),
            witness: Witness::default(),
            link: Link {
                port,
                frame: vec![0; max_sent],
                max_sent,
                partial_checksums,
                to_receive: 0,
                to_send: 0,
                moved: false,
                blocked: false,
                counters: Counters::default(),
            },
        }
    }

    /// Gives the budget of one poll.
    pub fn start_poll(&mut self) {
        self.link.to_receive = RECEIVE_BUDGET;
        self.link.to_send = SEND_BUDGET;
        self.link.blocked = false;
    }

    /// Rings the doorbell if anything was sent or received since the last call.
    pub fn flush(&mut self) {
        if core::mem::take(&mut self.link.moved) {
            self.link.port.flush();
        }
    }

    /// Whether a budget ran out, so that there may be more to do at once.
    pub fn budget_spent(&self) -> bool {
        self.link.to_receive == 0 || self.link.to_send == 0
    }

    /// Whether the port had no room in this poll.
    pub fn blocked(&self) -> bool {
        self.link.blocked
    }

    /// Makes the stack see `frame` next, as if it had been received.
    pub fn inject(&mut self, frame: Vec<u8>) {
        self.injected = Some(frame);
    }

    /// Who was heard.
    pub fn witness(&mut self) -> &mut Witness {
        &mut self.witness
    }

    /// What was counted so far.
    pub fn counters(&self) -> Counters {
        self.link.counters
    }

    /// Most bytes of an IP packet that we send.
    pub fn ip_mtu(&self) -> usize {
        self.link.max_sent.saturating_sub(14)
    }

    /// Copies the next frame that may pass into `self.received`; says its length.
    fn next_frame(&mut self, now: Instant) -> Option<usize> {
        if let Some(frame) = self.injected.take() {
            self.received
                .get_mut(..frame.len())?
                .copy_from_slice(&frame);
            return Some(frame.len());
        }
        while self.link.to_receive > 0 {
            let Incoming { len, .. } = self.link.port.receive(&mut self.received)?;
            self.link.to_receive -= 1;
            self.link.moved = true;
            self.link.counters.received += 1;
            self.link.counters.received_bytes += len as u64;
            let Some(frame) = self.received.get(..len) else {
                self.link.counters.bad_length += 1;
                continue;
            };
            match self.gate.check(frame, now) {
                Ok(()) => {
                    self.witness.look(frame);
                    return Some(len);
                }
                Err(refusal) => self.link.count(refusal),
            }
        }
        None
    }
}

impl Link {
    fn count(&mut self, refusal: Refusal) {
        match refusal {
            Refusal::Length => self.counters.bad_length += 1,
            Refusal::Header => self.counters.bad_header += 1,
            Refusal::Lease => self.counters.bad_lease += 1,
            Refusal::ExcessNak => self.counters.excess_naks += 1,
            Refusal::Router => self.counters.bad_router += 1,
        }
    }

    /// Says whether one more frame may be sent in this poll.
    fn has_room(&mut self) -> bool {
        if self.to_send == 0 {
            return false;
        }
        if self.port.room() < self.max_sent {
            self.blocked = true;
            self.counters.back_pressure += 1;
            return false;
        }
        true
    }

    fn send(&mut self, len: usize) {
        let Some(frame) = self.frame.get_mut(..len) else {
            return;
        };
        if len > self.max_sent || self.port.room() < self.max_sent {
            self.counters.replies_dropped += 1;
            return;
        }
        let checksum = match self.partial_checksums {
            true => checksum::fill_partial(frame),
            false => None,
        };
        let segments = None;
        self.port.send(&[frame], Outgoing { checksum, segments });
        self.moved = true;
        self.to_send = self.to_send.saturating_sub(1);
        self.counters.sent += 1;
        self.counters.sent_bytes += len as u64;
    }
}

impl phy::Device for Device {
    type RxToken<'a> = RxToken<'a>;
    type TxToken<'a> = TxToken<'a>;

    /// Frames are received even when none can be sent: a host that withholds room must not make
    /// us deaf. The reply is dropped then, and counted.
    fn receive(&mut self, now: smoltcp::time::Instant) -> Option<(RxToken<'_>, TxToken<'_>)> {
        let len = self.next_frame(time::from_smoltcp(now))?;
        let frame = self.received.get(..len)?;
        Some((RxToken(frame), TxToken(&mut self.link)))
    }

    fn transmit(&mut self, _: smoltcp::time::Instant) -> Option<TxToken<'_>> {
        self.link.has_room().then_some(TxToken(&mut self.link))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = self.link.max_sent;
        // Received checksums are always verified: the sum that a hostile host «verified» is worth
        // nothing, and a sum is cheap.
        if self.link.partial_checksums {
            capabilities.checksum.tcp = Checksum::Rx;
            capabilities.checksum.udp = Checksum::Rx;
        }
        capabilities
    }
}

/// A received frame, already in private memory.
pub(crate) struct RxToken<'a>(&'a [u8]);

impl phy::RxToken for RxToken<'_> {
    fn consume<R, F>(self, f: F) -> R
    where
        F: FnOnce(&[u8]) -> R,
    {
        f(self.0)
    }
}

/// The right to send one frame. It holds nothing: room is taken when it is used.
pub(crate) struct TxToken<'a>(&'a mut Link);

impl phy::TxToken for TxToken<'_> {
    fn consume<R, F>(self, len: usize, f: F) -> R
    where
        F: FnOnce(&mut [u8]) -> R,
    {
        // smoltcp keeps to the MTU, so this grows nothing; if it ever does not, the frame is built
        // and then dropped by `send`.
        if self.0.frame.len() < len {
            self.0.frame.resize(len, 0);
        }
        let (frame, _) = self.0.frame.split_at_mut(len);
        let result = f(frame);
        self.0.send(len);
        result
    }
}
