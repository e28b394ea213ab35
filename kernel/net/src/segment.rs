//! TCP segments: how long they may be, and where long ones are cut.
//!
//! smoltcp is told that the link carries packets of 64 KiB, because 0.14 drops what is to be cut
//! over IPv6 if it is longer than the link's own frames. What a peer is told of that, and what we
//! hear from it, is put right here: the maximum segment size of each SYN, in both directions.

use frame::{IpVersion, Segments};
use smoltcp::wire::IpProtocol;

use crate::layout::Layout;

/// Least bytes of a TCP header.
const TCP: usize = 20;

/// Bytes of payload of each segment over IPv6 that is cut: what fits the least packet that each
/// link carries. smoltcp does not look for longer ones that the path would carry, and does not say
/// over IPv6 where it wants a frame to be cut.
///
/// Ref: RFC 8200, 5 "Packet Size Issues".
pub(crate) const IPV6_SEGMENT: u16 = 1280 - 40 - 20;

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

/// What the first segment of a connection is told and tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Most bytes of an IP packet that the link carries.
    pub ip_mtu: usize,
    /// Whether segments over IPv6 are cut, and so have a size of their own.
    pub cuts_ipv6: bool,
}

impl Limits {
    /// Most bytes of payload of a segment that we receive, as our SYN tells it.
    fn received(self, ip: IpVersion) -> u16 {
        u16::try_from(self.ip_mtu.saturating_sub(headers(ip))).unwrap_or(u16::MAX)
    }

    /// Most bytes of payload of a segment that we send, whatever the peer takes.
    fn sent(self, ip: IpVersion) -> u16 {
        match ip {
            IpVersion::V6 if self.cuts_ipv6 => IPV6_SEGMENT,
            _ => self.received(ip),
        }
    }

    /// Makes our own SYN tell the truth of the link.
    pub fn tell(self, frame: &mut [u8], layout: &Layout) {
        let limit = self.received(layout.ip);
        if let Some(size) = announced(layout.payload_mut(frame)) {
            *size = limit.to_be_bytes();
        }
    }

    /// Lowers what a peer's SYN says it takes to what we send. A peer that takes less than each
    /// link of IPv6 carries makes no sense where we cut without asking: `Err`.
    pub fn hear(self, frame: &mut [u8], layout: &Layout) -> Result<(), ()> {
        let limit = self.sent(layout.ip);
        let Some(size) = announced(layout.payload_mut(frame)) else {
            return Ok(());
        };
        let peer = u16::from_be_bytes(*size);
        if peer > limit {
            *size = limit.to_be_bytes();
        }
        let too_small = limit == IPV6_SEGMENT && layout.ip == IpVersion::V6 && peer < limit;
        if too_small && self.cuts_ipv6 {
            Err(())
        } else {
            Ok(())
        }
    }

    /// Where the port has to cut a frame of ours: after each `size` bytes of payload, as smoltcp
    /// says over IPv4. `None` if there is nothing to cut.
    pub fn cut(self, frame: &[u8], layout: &Layout, size: Option<u16>) -> Option<Segments> {
        if layout.protocol != IpProtocol::Tcp {
            return None;
        }
        let size = match layout.ip {
            IpVersion::V4 => size?,
            IpVersion::V6 if self.cuts_ipv6 => IPV6_SEGMENT,
            IpVersion::V6 => return None,
        };
        let headers = layout.start + header_len(layout.payload(frame))?;
        let payload = layout.end.checked_sub(headers)?;
        let headers = u16::try_from(headers).ok()?;
        let ip = layout.ip;
        (payload > size.into()).then_some(Segments { ip, headers, size })
    }
}

/// Bytes of the headers of IP and TCP without options.
fn headers(ip: IpVersion) -> usize {
    match ip {
        IpVersion::V4 => 20 + TCP,
        IpVersion::V6 => 40 + TCP,
    }
}

/// Whether the frame asks for a connection: SYN, and nothing else.
pub(crate) fn opens(segment: &[u8]) -> bool {
    flags(segment) & (SYN | ACK | RST | FIN) == SYN
}

/// The port that the segment is for.
pub(crate) fn destination(segment: &[u8]) -> u16 {
    segment.get(2..4).map_or(0, |port| {
        port.iter()
            .fold(0, |number, byte| number << 8 | u16::from(*byte))
    })
}

fn flags(segment: &[u8]) -> u8 {
    segment.get(13).copied().unwrap_or(0)
}

/// The maximum segment size that a SYN announces, if this is one that does.
///
/// Ref: RFC 9293, 3.2 "Specific Option Definitions".
fn announced(segment: &mut [u8]) -> Option<&mut [u8; 2]> {
    if flags(segment) & SYN == 0 {
        return None;
    }
    let end = header_len(segment)?;
    let mut at = TCP;
    while at < end {
        match *segment.get(at..end)? {
            [0, ..] => return None,
            [1, ..] => at += 1,
            [2, 4, _, _, ..] => return segment.get_mut(at + 2..)?.first_chunk_mut(),
            [_, len, ..] if len >= 2 => at += usize::from(len),
            _ => return None,
        }
    }
    None
}

/// Bytes of the TCP header, options included, if the segment has as many.
pub(crate) fn header_len(segment: &[u8]) -> Option<usize> {
    let len = usize::from(*segment.get(12)? >> 4) * 4;
    (TCP..=segment.len()).contains(&len).then_some(len)
}
