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

/// The least that a peer can take: what is left, for TCP and its payload, of the packet that each module
/// forwards whole. Without it, one byte of each segment would be enough to have ours sent one by one.
///
/// Ref: RFC 791, 3.2 "Discussion": 68 octets, 20 of them the header.
const LEAST_SEGMENT: u16 = 68 - 20;

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

    /// Brings what a peer's SYN says it takes to what we send, and to what makes sense. A peer that takes
    /// less than each link of IPv6 carries makes none where we cut without asking: `Err`.
    pub fn hear(self, frame: &mut [u8], layout: &Layout) -> Result<(), ()> {
        let limit = self.sent(layout.ip);
        let Some(size) = announced(layout.payload_mut(frame)) else {
            return Ok(());
        };
        let peer = u16::from_be_bytes(*size);
        *size = peer.clamp(LEAST_SEGMENT.min(limit), limit).to_be_bytes();
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

#[cfg(test)]
mod tests {
    use super::*;

    extern crate alloc;
    use alloc::vec::Vec;

    /// A SYN over IPv4 that announces `size`.
    fn syn(size: u16) -> Vec<u8> {
        let mut frame = [0; 12].to_vec();
        frame.extend([8, 0, 0x45, 0, 0, 44, 0, 0, 0, 0, 64, 6, 0, 0]);
        frame.extend([10, 0, 2, 2, 10, 0, 2, 15]);
        frame.extend([
            0,
            80,
            0,
            81,
            0,
            0,
            0,
            1,
            0,
            0,
            0,
            0,
            6 << 4,
            SYN,
            1,
            0,
            0,
            0,
            0,
            0,
        ]);
        frame.extend([2, 4]);
        frame.extend(size.to_be_bytes());
        frame
    }

    #[test]
    fn what_a_peer_takes_is_brought_between_the_least_and_what_we_send() {
        let limits = Limits {
            ip_mtu: 1500,
            cuts_ipv6: true,
        };
        for (said, heard) in [
            (0, 48),
            (1, 48),
            (47, 48),
            (48, 48),
            (536, 536),
            (1460, 1460),
            (65535, 1460),
        ] {
            let mut frame = syn(said);
            let layout = Layout::of(&frame).ok().flatten().unwrap();
            assert_eq!(limits.hear(&mut frame, &layout), Ok(()));
            assert_eq!(frame.last_chunk(), Some(&u16::to_be_bytes(heard)), "{said}");
        }
    }
}
