//! What a received frame must be before the stack sees it.
//!
//! smoltcp drops what is malformed. This drops what is well-formed and would still do harm:
//! fragments (the stack is built without reassembly, and would read each as a whole packet), DHCP
//! leases that make no sense, and router advertisements that smoltcp 0.14 answers with a panic.
//! Checksums of TCP and UDP are verified here, and what the host says of offloads is held against
//! the headers. The same parsers are used here and there, so both see the same packet.

mod lease;
mod router;

use clock::Instant;
use frame::{Incoming, IpVersion, OpenChecksum};
use smoltcp::wire::{DHCP_CLIENT_PORT, DHCP_SERVER_PORT, IpProtocol, Ipv4Packet, UdpPacket};

use crate::{
    checksum,
    layout::{ETHERNET, Layout},
    segment::{self, Limits},
    transaction::Transaction,
};

use lease::NakLimit;

/// Why a frame was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Shorter than an Ethernet header, or longer than our buffer.
    Length,
    /// A malformed, fragmented or anonymous packet.
    Header,
    /// A TCP or UDP checksum that is wrong.
    Checksum,
    /// What the host says it left open does not fit the headers.
    Offload,
    /// A lease that makes no sense.
    Lease,
    /// A DHCP answer to somebody else.
    Stranger,
    /// One refusal of a lease too many.
    ExcessNak,
    /// A router advertisement that makes no sense.
    Router,
}

/// What is known of a frame that may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    /// Nothing of interest.
    Frame,
    /// It asks for a connection to this port.
    Opening(u16),
}

/// The checks of received frames.
pub(crate) struct Gate {
    naks: NakLimit,
    limits: Limits,
}

impl Gate {
    /// A gate to a link with these limits.
    pub fn new(limits: Limits) -> Self {
        let naks = NakLimit::default();
        Self { naks, limits }
    }

    /// Says whether the stack may see `frame`, of which the host says `what`. Changes numbers of it
    /// that mean something else to the stack.
    pub fn check(
        &mut self,
        frame: &mut [u8],
        what: &Incoming,
        transaction: &Transaction,
        now: Instant,
    ) -> Result<Pass, Refusal> {
        if frame.len() < ETHERNET {
            return Err(Refusal::Length);
        }
        let Some(layout) = Layout::of(frame).map_err(|_| Refusal::Header)? else {
            let plain = what.checksum.is_none() && what.segment_size.is_none();
            return plain.then_some(Pass::Frame).ok_or(Refusal::Offload);
        };
        check_ip(frame, &layout)?;
        check_offload(frame, &layout, what)?;
        match (layout.ip, layout.protocol) {
            (_, IpProtocol::Tcp) => return self.check_tcp(frame, &layout),
            (IpVersion::V4, IpProtocol::Udp) => {
                self.check_udp(layout.payload_mut(frame), transaction, now)?;
            }
            (IpVersion::V6, IpProtocol::Icmpv6) => router::check(layout.payload(frame))?,
            _ => {}
        }
        Ok(Pass::Frame)
    }

    fn check_tcp(&self, frame: &mut [u8], layout: &Layout) -> Result<Pass, Refusal> {
        let heard = self.limits.hear(frame, layout);
        heard.map_err(|_| Refusal::Header)?;
        let segment = layout.payload(frame);
        if segment::opens(segment) {
            return Ok(Pass::Opening(segment::destination(segment)));
        }
        Ok(Pass::Frame)
    }

    fn check_udp(
        &mut self,
        datagram: &mut [u8],
        transaction: &Transaction,
        now: Instant,
    ) -> Result<(), Refusal> {
        let mut udp = UdpPacket::new_checked(datagram).map_err(|_| Refusal::Header)?;
        if udp.src_port() == DHCP_SERVER_PORT && udp.dst_port() == DHCP_CLIENT_PORT {
            if !transaction.enter(udp.payload_mut()) {
                return Err(Refusal::Stranger);
            }
            return self.naks.check(udp.payload_mut(), now);
        }
        Ok(())
    }
}

fn check_ip(frame: &[u8], layout: &Layout) -> Result<(), Refusal> {
    let bad = match layout.ip {
        IpVersion::V4 => {
            let packet = Ipv4Packet::new_unchecked(frame.get(ETHERNET..).unwrap_or_default());
            let fragment = packet.more_frags() || packet.frag_offset() != 0;
            fragment || packet.src_addr().is_unspecified()
        }
        // Only multicast routers need hop-by-hop options, and behind them an advertisement could
        // hide from the check below.
        IpVersion::V6 => layout.protocol == IpProtocol::HopByHop,
    };
    if bad { Err(Refusal::Header) } else { Ok(()) }
}

/// A checksum that was never there is one of TCP or UDP, at its place: then the sender is this host
/// itself, and there is nothing to verify. Any other is verified, whoever says that he did so already.
fn check_offload(frame: &[u8], layout: &Layout, what: &Incoming) -> Result<(), Refusal> {
    let is_tcp = layout.protocol == IpProtocol::Tcp;
    if what.segment_size.is_some() && !is_tcp {
        return Err(Refusal::Offload);
    }
    match what.checksum {
        None if checksum::is_right(frame, layout) => Ok(()),
        None => Err(Refusal::Checksum),
        Some(OpenChecksum { start, offset }) => {
            let there = layout.checksum_offset() == Some(offset);
            let fits = there && usize::from(start) == layout.start;
            fits.then_some(()).ok_or(Refusal::Offload)
        }
    }
}
