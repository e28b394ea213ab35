//! What a received frame must be before the stack sees it.
//!
//! smoltcp drops what is malformed. This drops what is well-formed and would still do harm:
//! fragments (the stack is built without reassembly, and would read each as a whole packet), DHCP
//! leases that make no sense, and router advertisements that smoltcp 0.14 answers with a panic.
//! The same parsers are used here and there, so both see the same packet.

mod lease;
mod router;

use clock::Instant;
use smoltcp::wire::{
    DHCP_CLIENT_PORT, DHCP_SERVER_PORT, EthernetFrame, EthernetProtocol, IpProtocol, Ipv4Packet,
    Ipv6Packet, UdpPacket,
};

use lease::NakLimit;

/// Why a frame was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Shorter than an Ethernet header.
    Length,
    /// A malformed, fragmented or anonymous packet.
    Header,
    /// A lease that makes no sense.
    Lease,
    /// One refusal of a lease too many.
    ExcessNak,
    /// A router advertisement that makes no sense.
    Router,
}

/// The checks of received frames.
#[derive(Default)]
pub(crate) struct Gate {
    naks: NakLimit,
}

impl Gate {
    /// Says whether the stack may see `frame`.
    pub fn check(&mut self, frame: &[u8], now: Instant) -> Result<(), Refusal> {
        let ethernet = EthernetFrame::new_checked(frame).map_err(|_| Refusal::Length)?;
        match ethernet.ethertype() {
            EthernetProtocol::Ipv4 => self.check_ipv4(ethernet.payload(), now),
            EthernetProtocol::Ipv6 => check_ipv6(ethernet.payload()),
            _ => Ok(()),
        }
    }

    fn check_ipv4(&mut self, packet: &[u8], now: Instant) -> Result<(), Refusal> {
        let packet = Ipv4Packet::new_checked(packet).map_err(|_| Refusal::Header)?;
        let fragment = packet.more_frags() || packet.frag_offset() != 0;
        if fragment || packet.src_addr().is_unspecified() {
            return Err(Refusal::Header);
        }
        if packet.next_header() != IpProtocol::Udp {
            return Ok(());
        }
        let udp = UdpPacket::new_checked(packet.payload()).map_err(|_| Refusal::Header)?;
        if udp.src_port() == DHCP_SERVER_PORT && udp.dst_port() == DHCP_CLIENT_PORT {
            return self.naks.check(udp.payload(), now);
        }
        Ok(())
    }
}

fn check_ipv6(packet: &[u8]) -> Result<(), Refusal> {
    let packet = Ipv6Packet::new_checked(packet).map_err(|_| Refusal::Header)?;
    match packet.next_header() {
        IpProtocol::Icmpv6 => router::check(packet.payload()),
        // Only multicast routers need hop-by-hop options, and behind them an advertisement could
        // hide from the check above.
        IpProtocol::HopByHop => Err(Refusal::Header),
        _ => Ok(()),
    }
}
