//! The half of a checksum that stays ours when the device fills in the rest.

use smoltcp::wire::{
    EthernetFrame, EthernetProtocol, IpAddress, IpProtocol, Ipv4Packet, Ipv6Packet, TcpPacket,
    UdpPacket, checksum,
};

/// Writes the sum of the pseudo-header into the checksum field of a TCP or UDP frame of our own.
/// Leaves any other frame alone.
///
/// Ref: virtio 1.2, 5.1.6.2 "Packet Transmission": the device adds the sum of the rest.
pub(crate) fn fill_partial(frame: &mut [u8]) {
    let Ok(mut ethernet) = EthernetFrame::new_checked(frame) else {
        return;
    };
    match ethernet.ethertype() {
        EthernetProtocol::Ipv4 => fill_ipv4(ethernet.payload_mut()),
        EthernetProtocol::Ipv6 => fill_ipv6(ethernet.payload_mut()),
        _ => {}
    }
}

fn fill_ipv4(packet: &mut [u8]) {
    let Ok(mut packet) = Ipv4Packet::new_checked(packet) else {
        return;
    };
    let (from, to) = (packet.src_addr().into(), packet.dst_addr().into());
    let protocol = packet.next_header();
    fill_segment(protocol, from, to, packet.payload_mut());
}

fn fill_ipv6(packet: &mut [u8]) {
    let Ok(mut packet) = Ipv6Packet::new_checked(packet) else {
        return;
    };
    let (from, to) = (packet.src_addr().into(), packet.dst_addr().into());
    let protocol = packet.next_header();
    fill_segment(protocol, from, to, packet.payload_mut());
}

fn fill_segment(protocol: IpProtocol, from: IpAddress, to: IpAddress, segment: &mut [u8]) {
    let Ok(len) = u32::try_from(segment.len()) else {
        return;
    };
    let sum = checksum::pseudo_header(&from, &to, protocol, len);
    match protocol {
        IpProtocol::Tcp => {
            if let Ok(mut tcp) = TcpPacket::new_checked(segment) {
                tcp.set_checksum(sum);
            }
        }
        IpProtocol::Udp => {
            if let Ok(mut udp) = UdpPacket::new_checked(segment) {
                udp.set_checksum(sum);
            }
        }
        _ => {}
    }
}
