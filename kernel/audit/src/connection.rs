//! The connection that a trace goes through, seen in frames.

use core::net::{IpAddr, SocketAddr};

use crate::Direction;

/// Bytes of an Ethernet header, and of an IPv6 header.
const ETHERNET: usize = 14;
const IPV6: usize = 40;
const TCP: u8 = 6;

/// Whether `frame`, which went or came as `direction` says, is one of a TCP connection with `peer`. Fragments and
/// extension headers are not looked through: our stack sends neither.
pub fn is_with(frame: &[u8], direction: Direction, peer: SocketAddr) -> bool {
    ends(frame).is_some_and(|(from, to)| match direction {
        Direction::Out => to == peer,
        Direction::In => from == peer,
    })
}

/// Both ends of the TCP connection that `frame` is of.
fn ends(frame: &[u8]) -> Option<(SocketAddr, SocketAddr)> {
    let packet = frame.get(ETHERNET..)?;
    let (from, to, segment): (IpAddr, IpAddr, &[u8]) = match frame.get(12..14)? {
        [0x08, 0x00] => {
            let [from, to] = [12, 16].map(|at| packet.get(at..at + 4)?.first_chunk::<4>());
            let header = usize::from(packet.first()? & 0xf) * 4;
            let is_tcp = *packet.get(9)? == TCP;
            let segment = packet.get(header..).filter(|_| is_tcp)?;
            ((*from?).into(), (*to?).into(), segment)
        }
        [0x86, 0xdd] => {
            let [from, to] = [8, 24].map(|at| packet.get(at..at + 16)?.first_chunk::<16>());
            let is_tcp = *packet.get(6)? == TCP;
            let segment = packet.get(IPV6..).filter(|_| is_tcp)?;
            ((*from?).into(), (*to?).into(), segment)
        }
        _ => return None,
    };
    let [a, b, c, d, ..] = *segment else {
        return None;
    };
    let port = |high, low| u16::from_be_bytes([high, low]);
    Some((
        SocketAddr::new(from, port(a, b)),
        SocketAddr::new(to, port(c, d)),
    ))
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// From 10.0.2.15:50000 to 10.0.2.2:4000, with `options` words of IP options.
    fn frame(options: u8, protocol: u8) -> Vec<u8> {
        let mut frame = Vec::from([0; 12]);
        frame.extend([
            0x08,
            0x00,
            0x45 + options,
            0,
            0,
            40,
            0,
            0,
            0,
            0,
            64,
            protocol,
            0,
            0,
        ]);
        frame.extend([10, 0, 2, 15, 10, 0, 2, 2]);
        frame.resize(ETHERNET + 20 + usize::from(options) * 4, 0);
        frame.extend([0xc3, 0x50, 0x0f, 0xa0, 0, 0]);
        frame
    }

    #[test]
    fn a_frame_is_known_by_the_end_that_it_goes_to_or_comes_from() {
        let [us, peer] = ["10.0.2.15:50000", "10.0.2.2:4000"].map(|text| text.parse().unwrap());
        for options in [0, 3] {
            let frame = frame(options, TCP);
            assert!(is_with(&frame, Direction::Out, peer));
            assert!(is_with(&frame, Direction::In, us));
            assert!(!is_with(&frame, Direction::In, peer));
        }
        assert!(!is_with(&frame(0, 17), Direction::Out, peer), "UDP");
    }

    #[test]
    fn ipv6_has_ends_too() {
        let mut frame = Vec::from([0; 12]);
        frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 20, TCP, 64]);
        frame.extend([0xfd; 16]);
        frame.extend([0xfe; 16]);
        frame.extend([0, 1, 0, 2]);
        let peer = SocketAddr::new([0xfefe; 8].into(), 2);
        assert!(is_with(&frame, Direction::Out, peer));
    }

    #[test]
    fn no_short_frame_is_one_of_a_connection() {
        let whole = frame(0, TCP);
        let peer = SocketAddr::from(([10, 0, 2, 2], 4000));
        for len in 0..ETHERNET + 24 {
            assert!(!is_with(&whole[..len], Direction::Out, peer), "{len}");
        }
    }
}
