//! The sending half of a device, and what both halves count.

use alloc::{boxed::Box, vec, vec::Vec};
use core::num::NonZeroUsize;

use frame::{Incoming, IpVersion, Outgoing};
use smoltcp::wire::{DHCP_CLIENT_PORT, DHCP_SERVER_PORT, IpProtocol, UdpPacket};

use crate::{
    Counters, FramePort, checksum,
    gate::Refusal,
    layout::{ETHERNET, Layout},
    segment::Limits,
    transaction::Transaction,
};

/// Most bytes of a frame that we send uncut: an Ethernet header and an MTU of 1500. A larger one
/// works only where each hop agrees.
const MAX_SENT_FRAME: usize = ETHERNET + 1500;

/// Most bytes of any frame: the largest IP packet.
pub(super) const MAX_FRAME: usize = ETHERNET + 65535;

/// Most frames taken from the port by one poll, so that a flood cannot starve the payload.
pub(crate) const RECEIVE_BUDGET: usize = 64;

/// Most frames sent by one poll.
pub(crate) const SEND_BUDGET: usize = 64;

/// The port, and the private buffer that frames are built in.
pub(super) struct Link {
    port: Box<dyn FramePort>,
    frame: Vec<u8>,
    max_sent: usize,
    leaves_checksums: bool,
    cuts_v4: Option<NonZeroUsize>,
    cuts_v6: Option<NonZeroUsize>,
    /// Room without which nothing is begun: nobody knows how long the next frame will be.
    needed: usize,
    pub(super) transaction: Transaction,
    to_receive: usize,
    to_send: usize,
    moved: bool,
    blocked: bool,
    pub(super) counters: Counters,
}

impl Link {
    /// Takes a buffer for the longest frame that `port` takes.
    pub fn new(port: Box<dyn FramePort>, transaction: Transaction) -> Self {
        let max_sent = port.max_frame().min(MAX_SENT_FRAME);
        let offloads = port.offloads();
        // A cut frame has checksums that nobody but the port can make.
        let longest = match offloads.checksums {
            true => offloads.max_segment.min(MAX_FRAME),
            false => 0,
        };
        let cuts = |does: bool| {
            let longest = NonZeroUsize::new(longest)?;
            (does && longest.get() > max_sent).then_some(longest)
        };
        let (cuts_v4, cuts_v6) = (cuts(offloads.segments_v4), cuts(offloads.segments_v6));
        let needed = cuts_v4.max(cuts_v6).map_or(max_sent, NonZeroUsize::get);
        Self {
            port,
            frame: vec![0; needed],
            max_sent,
            leaves_checksums: offloads.checksums,
            cuts_v4,
            cuts_v6,
            needed,
            transaction,
            to_receive: 0,
            to_send: 0,
            moved: false,
            blocked: false,
            counters: Counters::default(),
        }
    }

    /// Most bytes of a frame over each version of IP that the port cuts.
    pub fn cuts(&self) -> [Option<NonZeroUsize>; 2] {
        [self.cuts_v4, self.cuts_v6]
    }

    /// What the first segments of connections say.
    pub fn limits(&self) -> Limits {
        Limits {
            ip_mtu: self.ip_mtu(),
            cuts_ipv6: self.cuts_v6.is_some(),
        }
    }

    /// Most bytes of an IP packet that we send uncut.
    pub fn ip_mtu(&self) -> usize {
        self.max_sent.saturating_sub(ETHERNET)
    }

    /// Gives the budget of one poll.
    pub fn start_poll(&mut self) {
        self.to_receive = RECEIVE_BUDGET;
        self.to_send = SEND_BUDGET;
        self.blocked = false;
    }

    /// Rings the doorbell if anything was sent or received since the last call.
    pub fn flush(&mut self) {
        if core::mem::take(&mut self.moved) {
            self.port.flush();
        }
    }

    /// Whether a budget ran out, so that there may be more to do at once.
    pub fn budget_spent(&self) -> bool {
        self.to_receive == 0 || self.to_send == 0
    }

    /// Whether the port had no room in this poll.
    pub fn blocked(&self) -> bool {
        self.blocked
    }

    /// The next frame, if there is one and the budget is not spent.
    pub fn receive(&mut self, into: &mut [u8]) -> Option<Incoming> {
        if self.to_receive == 0 {
            return None;
        }
        let what = self.port.receive(into)?;
        self.to_receive -= 1;
        self.moved = true;
        self.counters.received += 1;
        self.counters.received_bytes += what.len as u64;
        Some(what)
    }

    /// Counts a frame that may not pass.
    pub fn count(&mut self, refusal: Refusal) {
        let counter = match refusal {
            Refusal::Length => &mut self.counters.bad_length,
            Refusal::Header => &mut self.counters.bad_header,
            Refusal::Checksum => &mut self.counters.bad_checksum,
            Refusal::Offload => &mut self.counters.bad_offload,
            Refusal::Lease => &mut self.counters.bad_lease,
            Refusal::Stranger => &mut self.counters.strangers,
            Refusal::ExcessNak => &mut self.counters.excess_naks,
            Refusal::Router => &mut self.counters.bad_router,
        };
        *counter += 1;
    }

    /// Says whether one more frame may be sent in this poll.
    pub fn has_room(&mut self) -> bool {
        if self.to_send == 0 {
            return false;
        }
        if self.port.room() < self.needed {
            self.blocked = true;
            self.counters.back_pressure += 1;
            return false;
        }
        true
    }

    /// The buffer for a frame of `len` bytes.
    pub fn buffer(&mut self, len: usize) -> &mut [u8] {
        // smoltcp keeps to what it was told, so this grows nothing; if it ever does not, the frame
        // is built and then dropped by `send`.
        if self.frame.len() < len {
            self.frame.resize(len, 0);
        }
        self.frame.get_mut(..len).unwrap_or_default()
    }

    /// Sends the first `len` bytes of the buffer, cut after each `size` bytes of payload.
    pub fn send(&mut self, len: usize, size: Option<u16>) {
        let limits = self.limits();
        let Some(frame) = self.frame.get_mut(..len) else {
            return;
        };
        let mut what = Outgoing::default();
        if let Ok(Some(layout)) = Layout::of(frame) {
            finish(frame, &layout, limits, &mut self.transaction);
            what.segments = limits.cut(frame, &layout, size);
            if self.leaves_checksums {
                what.checksum = checksum::leave_open(frame, &layout);
            } else {
                checksum::fill(frame, &layout);
            }
        }
        let longest = match what.segments.map(|segments| segments.ip) {
            None => Some(self.max_sent),
            Some(IpVersion::V4) => self.cuts_v4.map(NonZeroUsize::get),
            Some(IpVersion::V6) => self.cuts_v6.map(NonZeroUsize::get),
        };
        if longest.is_none_or(|longest| len > longest) || self.port.room() < len {
            self.counters.replies_dropped += 1;
            return;
        }
        self.port.send(&[frame], what);
        self.moved = true;
        self.to_send = self.to_send.saturating_sub(1);
        self.counters.sent += 1;
        self.counters.sent_bytes += len as u64;
    }
}

/// Writes what smoltcp does not know or should not choose.
fn finish(frame: &mut [u8], layout: &Layout, limits: Limits, transaction: &mut Transaction) {
    match layout.protocol {
        IpProtocol::Tcp => limits.tell(frame, layout),
        IpProtocol::Udp => {
            let Ok(mut udp) = UdpPacket::new_checked(layout.payload_mut(frame)) else {
                return;
            };
            if (udp.src_port(), udp.dst_port()) == (DHCP_CLIENT_PORT, DHCP_SERVER_PORT) {
                transaction.leave(udp.payload_mut());
            }
        }
        _ => {}
    }
}
