//! Where things are in a frame.

use copies::{ones_complement_add, ones_complement_sum};
use frame::IpVersion;
use smoltcp::wire::{EthernetFrame, EthernetProtocol, IpProtocol, Ipv4Packet, Ipv6Packet};

/// Bytes of an Ethernet header.
pub(crate) const ETHERNET: usize = 14;

/// Bytes of an IPv6 header.
const IPV6: usize = 40;

/// The frame is shorter than its headers say, or no header at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Where the payload of an IP packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub ip: IpVersion,
    pub protocol: IpProtocol,
    /// First byte of the payload, counted from the start of the frame.
    pub start: usize,
    /// First byte behind it. What follows is padding.
    pub end: usize,
}

impl Layout {
    /// Looks into `frame`; `None` if what it carries is not IP.
    pub fn of(frame: &[u8]) -> Result<Option<Self>, Malformed> {
        let ethernet = EthernetFrame::new_checked(frame).map_err(|_| Malformed)?;
        match ethernet.ethertype() {
            EthernetProtocol::Ipv4 => Self::of_ipv4(ethernet.payload()).map(Some),
            EthernetProtocol::Ipv6 => Self::of_ipv6(ethernet.payload()).map(Some),
            _ => Ok(None),
        }
    }

    fn of_ipv4(packet: &[u8]) -> Result<Self, Malformed> {
        let packet = Ipv4Packet::new_checked(packet).map_err(|_| Malformed)?;
        Ok(Self {
            ip: IpVersion::V4,
            protocol: packet.next_header(),
            start: ETHERNET + usize::from(packet.header_len()),
            end: ETHERNET + usize::from(packet.total_len()),
        })
    }

    fn of_ipv6(packet: &[u8]) -> Result<Self, Malformed> {
        let packet = Ipv6Packet::new_checked(packet).map_err(|_| Malformed)?;
        Ok(Self {
            ip: IpVersion::V6,
            protocol: packet.next_header(),
            start: ETHERNET + IPV6,
            end: ETHERNET + packet.total_len(),
        })
    }

    /// The payload.
    pub fn payload<'a>(&self, frame: &'a [u8]) -> &'a [u8] {
        frame.get(self.start..self.end).unwrap_or_default()
    }

    /// The payload, to be changed.
    pub fn payload_mut<'a>(&self, frame: &'a mut [u8]) -> &'a mut [u8] {
        frame.get_mut(self.start..self.end).unwrap_or_default()
    }

    /// From the start of the payload to its checksum, if it is TCP or UDP and as long as that.
    pub fn checksum_offset(&self) -> Option<u16> {
        let (offset, least) = match self.protocol {
            IpProtocol::Tcp => (16, 20),
            IpProtocol::Udp => (6, 8),
            _ => return None,
        };
        (self.end - self.start >= least).then_some(offset)
    }

    /// The sum of the header that is summed and not sent.
    ///
    /// Ref: RFC 9293, 3.1 "Header Format"; RFC 8200, 8.1 "Upper-Layer Checksums".
    pub fn pseudo_sum(&self, frame: &[u8]) -> u16 {
        // Both addresses, in front of the payload or of the options of an IPv4 header.
        let addresses = match self.ip {
            IpVersion::V4 => ETHERNET + 12..ETHERNET + 20,
            IpVersion::V6 => ETHERNET + 8..ETHERNET + 40,
        };
        let addresses = ones_complement_sum(frame.get(addresses).unwrap_or_default());
        let len = self.end - self.start;
        let len = ones_complement_sum(&u32::try_from(len).unwrap_or(0).to_be_bytes());
        let sum = ones_complement_add(addresses, len);
        ones_complement_add(sum, u16::from(u8::from(self.protocol)))
    }
}
