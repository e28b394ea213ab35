//! The half of a checksum that stays ours when the device fills in the rest.

use smoltcp::wire::{
    EthernetFrame, EthernetProtocol, IpAddress, IpProtocol, Ipv4Packet, Ipv6Packet, TcpPacket,
    UdpPacket, checksum,
};

use frame::OpenChecksum;

/// Writes the sum of the pseudo-header into the checksum field of a TCP or UDP frame of our own, and
/// says where that is. Leaves any other frame alone.
///
/// Ref: virtio 1.2, 5.1.6.2 "Packet Transmission": the device adds the sum of the rest.
pub(crate) fn fill_partial(frame: &mut [u8]) -> Option<OpenChecksum> {
    let frame_len = frame.len();
    let mut ethernet = EthernetFrame::new_checked(frame).ok()?;
    let (offset, segment_len) = match ethernet.ethertype() {
        EthernetProtocol::Ipv4 => fill_ipv4(ethernet.payload_mut())?,
        EthernetProtocol::Ipv6 => fill_ipv6(ethernet.payload_mut())?,
        _ => return None,
    };
    // What we send has no padding behind its segment.
    let start = u16::try_from(frame_len.checked_sub(segment_len)?).ok()?;
    Some(OpenChecksum { start, offset })
}

fn fill_ipv4(packet: &mut [u8]) -> Option<(u16, usize)> {
    let mut packet = Ipv4Packet::new_checked(packet).ok()?;
    let (from, to) = (packet.src_addr().into(), packet.dst_addr().into());
    let protocol = packet.next_header();
    fill_segment(protocol, from, to, packet.payload_mut())
}

fn fill_ipv6(packet: &mut [u8]) -> Option<(u16, usize)> {
    let mut packet = Ipv6Packet::new_checked(packet).ok()?;
    let (from, to) = (packet.src_addr().into(), packet.dst_addr().into());
    let protocol = packet.next_header();
    fill_segment(protocol, from, to, packet.payload_mut())
}

/// Says where in the segment its checksum is, and how long it is.
fn fill_segment(
    protocol: IpProtocol,
    from: IpAddress,
    to: IpAddress,
    segment: &mut [u8],
) -> Option<(u16, usize)> {
    let len = segment.len();
    let sum = checksum::pseudo_header(&from, &to, protocol, u32::try_from(len).ok()?);
    match protocol {
        IpProtocol::Tcp => {
            TcpPacket::new_checked(segment).ok()?.set_checksum(sum);
            Some((16, len))
        }
        IpProtocol::Udp => {
            UdpPacket::new_checked(segment).ok()?.set_checksum(sum);
            Some((6, len))
        }
        _ => None,
    }
}
