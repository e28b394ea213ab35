//! A router that forwards what it is given, and has its own way with pings.

use std::net::Ipv4Addr;

use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol,
    EthernetRepr, Icmpv4Message, Icmpv4Packet, IpProtocol, Ipv4Packet,
};

use super::Responder;

/// What a router does with a ping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Answers as it should.
    Polite,
    /// Answers with a checksum that leaves the last eight bytes out, as lkvm's user network does.
    WrongChecksum,
    /// Answers nothing.
    Silent,
}

/// A router at 10.0.2.2 that tells its hardware address to everybody.
pub struct PoorRouter(pub Manner);

const MAC: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 2]);
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
/// The bytes that lkvm's sum leaves out.
const LEFT_OUT: usize = 8;

impl Responder for PoorRouter {
    fn answer(&mut self, frame: &[u8]) -> Vec<Vec<u8>> {
        let hardware = hardware_address(frame);
        hardware
            .or_else(|| echo(frame, self.0))
            .into_iter()
            .collect()
    }
}

/// The answer to a question for the router's hardware address.
fn hardware_address(frame: &[u8]) -> Option<Vec<u8>> {
    let ethernet = EthernetFrame::new_checked(frame).ok()?;
    if ethernet.ethertype() != EthernetProtocol::Arp {
        return None;
    }
    let packet = ArpPacket::new_checked(ethernet.payload()).ok()?;
    let ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Request,
        source_hardware_addr,
        source_protocol_addr,
        target_protocol_addr: ADDRESS,
        ..
    } = ArpRepr::parse(&packet).ok()?
    else {
        return None;
    };
    let reply = ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Reply,
        source_hardware_addr: MAC,
        source_protocol_addr: ADDRESS,
        target_hardware_addr: source_hardware_addr,
        target_protocol_addr: source_protocol_addr,
    };
    let mut frame = vec![0; 14 + reply.buffer_len()];
    let mut ethernet = EthernetFrame::new_unchecked(&mut frame[..]);
    EthernetRepr {
        src_addr: MAC,
        dst_addr: source_hardware_addr,
        ethertype: EthernetProtocol::Arp,
    }
    .emit(&mut ethernet);
    reply.emit(&mut ArpPacket::new_unchecked(ethernet.payload_mut()));
    Some(frame)
}

/// Whether `frame` is a ping over IPv4.
pub fn is_ping(frame: &[u8]) -> bool {
    echo(frame, Manner::Polite).is_some()
}

/// The answer to a ping, whoever is asked: the same frame the other way round.
pub fn echo(frame: &[u8], manner: Manner) -> Option<Vec<u8>> {
    let mut answer = frame.to_vec();
    let mut ethernet = EthernetFrame::new_checked(&mut answer[..]).ok()?;
    if ethernet.ethertype() != EthernetProtocol::Ipv4 {
        return None;
    }
    let (from, to) = (ethernet.src_addr(), ethernet.dst_addr());
    ethernet.set_src_addr(to);
    ethernet.set_dst_addr(from);
    let mut packet = Ipv4Packet::new_checked(ethernet.payload_mut()).ok()?;
    if packet.next_header() != IpProtocol::Icmp {
        return None;
    }
    let (from, to) = (packet.src_addr(), packet.dst_addr());
    packet.set_src_addr(to);
    packet.set_dst_addr(from);
    packet.fill_checksum();
    let mut message = Icmpv4Packet::new_checked(packet.payload_mut()).ok()?;
    if message.msg_type() != Icmpv4Message::EchoRequest || manner == Manner::Silent {
        return None;
    }
    message.set_msg_type(Icmpv4Message::EchoReply);
    message.fill_checksum();
    if manner == Manner::WrongChecksum {
        leave_out_the_end(packet.payload_mut());
    }
    Some(answer)
}

/// Sums `message` without its last bytes.
fn leave_out_the_end(message: &mut [u8]) {
    let end = message.len().saturating_sub(LEFT_OUT);
    Icmpv4Packet::new_unchecked(&mut message[..end]).fill_checksum();
}
