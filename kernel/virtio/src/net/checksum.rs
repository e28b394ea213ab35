//! Checksums that one side leaves to the other. All bytes here are private.

use crate::net::header::OpenChecksum;

const ETHERNET: usize = 14;
const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];
const TCP: u8 = 6;
const UDP: u8 = 17;
const IPV6_HEADER: usize = 40;

/// Where the checksum of `frame` is, if it is TCP or UDP in one piece.
pub(crate) fn find(frame: &[u8]) -> Option<OpenChecksum> {
    let ethertype = frame.get(12..ETHERNET)?;
    let (protocol, header) = if ethertype == IPV4 {
        find_ipv4(frame.get(ETHERNET..)?)?
    } else if ethertype == IPV6 {
        (*frame.get(ETHERNET + 6)?, IPV6_HEADER)
    } else {
        return None;
    };
    let offset = match protocol {
        TCP => 16,
        UDP => 6,
        _ => return None,
    };
    let start = ETHERNET + header;
    let end = start + usize::from(offset) + 2;
    let start = u16::try_from(start).ok().filter(|_| end <= frame.len())?;
    Some(OpenChecksum { start, offset })
}

/// Protocol and header length of an IPv4 packet that is not a fragment.
fn find_ipv4(packet: &[u8]) -> Option<(u8, usize)> {
    let header = usize::from(*packet.first()? & 0xf) * 4;
    let [high, low] = *packet.get(6..8)?.first_chunk()?;
    let is_fragment = u16::from_be_bytes([high, low]) & 0x3fff != 0;
    (header >= 20 && !is_fragment).then_some((*packet.get(9)?, header))
}

/// Fills the checksum in that a host left open; `None` if it would lie outside the frame.
pub(crate) fn complete(frame: &mut [u8], open: OpenChecksum) -> Option<()> {
    let start = usize::from(open.start);
    let at = start + usize::from(open.offset);
    let sum = sum(frame.get(start..)?);
    let field = frame.get_mut(at..at + 2)?;
    // A UDP checksum of 0 means «none», so its equal is sent.
    let value = if sum == u16::MAX { sum } else { !sum };
    field.copy_from_slice(&value.to_be_bytes());
    Some(())
}

/// The one's complement sum of `bytes`, which are at most 64 KiB.
///
/// Ref: RFC 1071.
fn sum(bytes: &[u8]) -> u16 {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let last = rest.first().map_or(0, |b| u64::from(*b) << 8);
    let words = pairs
        .iter()
        .map(|pair| u64::from(u16::from_be_bytes(*pair)));
    let mut sum = words.sum::<u64>() + last;
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec;
    use std::vec::Vec;

    use super::*;

    fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; 34];
        frame[12..14].copy_from_slice(&IPV4);
        frame[14] = 0x45;
        frame[23] = protocol;
        frame.extend_from_slice(payload);
        frame
    }

    #[test]
    fn the_checksum_of_tcp_and_udp_is_found() {
        let tcp = find(&ipv4(TCP, &[0; 20])).unwrap();
        assert_eq!(
            tcp,
            OpenChecksum {
                start: 34,
                offset: 16
            }
        );
        let udp = find(&ipv4(UDP, &[0; 8])).unwrap();
        assert_eq!(
            udp,
            OpenChecksum {
                start: 34,
                offset: 6
            }
        );
        let mut six = vec![0; 14 + 40 + 8];
        six[12..14].copy_from_slice(&IPV6);
        six[20] = UDP;
        assert_eq!(
            find(&six),
            Some(OpenChecksum {
                start: 54,
                offset: 6
            })
        );
    }

    #[test]
    fn fragments_other_protocols_and_stumps_have_none() {
        assert_eq!(find(&ipv4(1, &[0; 20])), None);
        assert_eq!(find(&ipv4(TCP, &[0; 10])), None);
        let mut fragment = ipv4(TCP, &[0; 20]);
        fragment[21] = 1;
        assert_eq!(find(&fragment), None);
        for len in 0..34 {
            assert_eq!(find(&ipv4(TCP, &[])[..len]), None);
        }
    }

    #[test]
    fn an_open_checksum_is_filled_in() {
        // Pseudo-header sum 0x1234 in the field, data 0x0001: the whole sums to 0xffff after.
        let mut frame = vec![0xee, 0xee, 0x12, 0x34, 0x00, 0x01, 0x7f];
        complete(
            &mut frame,
            OpenChecksum {
                start: 2,
                offset: 0,
            },
        )
        .unwrap();
        let rest = 0x0001 + 0x7f00;
        assert_eq!(frame[2..4], (!(0x1234_u16 + rest)).to_be_bytes());
    }

    #[test]
    fn a_checksum_outside_the_frame_is_refused() {
        let mut frame = [0; 20];
        for (start, offset) in [(21, 0), (0, 19), (19, 0), (u16::MAX, u16::MAX)] {
            assert_eq!(complete(&mut frame, OpenChecksum { start, offset }), None);
        }
    }
}
