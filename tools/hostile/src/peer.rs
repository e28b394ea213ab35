//! Who answers on the network: one host that has an address, answers pings, and gives datagrams back.
//!
//! Ref: RFC 826 (ARP), RFC 791, RFC 792 (echo), RFC 768, RFC 862.

use alloc::vec::Vec;

/// Its hardware address.
pub const MAC: [u8; 6] = [0x52, 0x55, 0x0a, 0, 2, 2];
/// Its address.
pub const ADDRESS: [u8; 4] = [10, 0, 2, 2];
/// The port that gives datagrams back.
pub const ECHO: u16 = 7;

const ETHERNET: usize = 14;
const IP: usize = 20;
const PROTOCOL_ICMP: u8 = 1;
const PROTOCOL_UDP: u8 = 17;

/// What comes back for `frame`.
#[must_use]
pub fn answer(frame: &[u8]) -> Option<Vec<u8>> {
    let (ethernet, payload) = frame.split_first_chunk::<ETHERNET>()?;
    match ethernet {
        [.., 0x08, 0x06] => arp(ethernet, payload),
        [.., 0x08, 0x00] => ip(ethernet, payload),
        _ => None,
    }
}

/// The Ethernet header back to the sender of `ethernet`.
fn back(ethernet: &[u8; ETHERNET]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(ethernet.iter().skip(6).take(6));
    out.extend(MAC);
    out.extend(ethernet.iter().skip(12));
    out
}

fn arp(ethernet: &[u8; ETHERNET], packet: &[u8]) -> Option<Vec<u8>> {
    const REQUEST: [u8; 8] = [0, 1, 8, 0, 6, 4, 0, 1];
    let (head, rest) = packet.split_first_chunk::<8>()?;
    let (sender, rest) = rest.split_first_chunk::<10>()?;
    let target = rest.get(6..10)?;
    if *head != REQUEST || target != ADDRESS {
        return None;
    }
    let mut out = back(ethernet);
    out.extend([0, 1, 8, 0, 6, 4, 0, 2]);
    out.extend(MAC);
    out.extend(ADDRESS);
    out.extend(sender);
    Some(out)
}

fn ip(ethernet: &[u8; ETHERNET], packet: &[u8]) -> Option<Vec<u8>> {
    let (head, _) = packet.split_first_chunk::<IP>()?;
    let &[
        first,
        _,
        l0,
        l1,
        _,
        _,
        _,
        _,
        _,
        protocol,
        _,
        _,
        s0,
        s1,
        s2,
        s3,
        d0,
        d1,
        d2,
        d3,
    ] = head;
    let data = packet.get(IP..usize::from(u16::from_be_bytes([l0, l1])))?;
    if first != 0x45 || [d0, d1, d2, d3] != ADDRESS {
        return None;
    }
    let answer = match protocol {
        PROTOCOL_ICMP => ping(data),
        PROTOCOL_UDP => datagram(data, [s0, s1, s2, s3]),
        _ => None,
    }?;
    let len = u16::try_from(IP + answer.len()).ok()?.to_be_bytes();
    let mut out = back(ethernet);
    let mut header = [
        0x45, 0, len[0], len[1], 0, 0, 0, 0, 64, protocol, 0, 0, ADDRESS[0], ADDRESS[1],
        ADDRESS[2], ADDRESS[3], s0, s1, s2, s3,
    ];
    let [high, low] = checksum(&[&header]).to_be_bytes();
    (header[10], header[11]) = (high, low);
    out.extend(header);
    out.extend(answer);
    Some(out)
}

fn ping(data: &[u8]) -> Option<Vec<u8>> {
    let (&[kind, code, _, _], rest) = data.split_first_chunk::<4>()?;
    if (kind, code) != (8, 0) {
        return None;
    }
    let sum = checksum(&[&[0, 0, 0, 0], rest]).to_be_bytes();
    let mut out = Vec::from([0, 0, sum[0], sum[1]]);
    out.extend(rest);
    Some(out)
}

fn datagram(data: &[u8], from: [u8; 4]) -> Option<Vec<u8>> {
    let (&[s0, s1, d0, d1, l0, l1, _, _], _) = data.split_first_chunk::<8>()?;
    let data = data.get(8..usize::from(u16::from_be_bytes([l0, l1])))?;
    if u16::from_be_bytes([d0, d1]) != ECHO {
        return None;
    }
    let head = [d0, d1, s0, s1, l0, l1, 0, 0];
    let pseudo = [0, PROTOCOL_UDP, l0, l1];
    let sum = match checksum(&[&ADDRESS, &from, &pseudo, &head, data]) {
        0 => 0xffff,
        sum => sum,
    };
    let mut out = Vec::from(head);
    let [high, low] = sum.to_be_bytes();
    if let Some([a, b]) = out.get_mut(6..8) {
        (*a, *b) = (high, low);
    }
    out.extend(data);
    Some(out)
}

/// Ref: RFC 1071. All parts but the last have an even length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0u32;
    for pair in parts.iter().flat_map(|part| part.chunks(2)) {
        let high = u32::from(pair.first().copied().unwrap_or(0));
        let low = u32::from(pair.get(1).copied().unwrap_or(0));
        sum += high << 8 | low;
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let [_, _, high, low] = sum.to_be_bytes();
    !u16::from_be_bytes([high, low])
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENDER: [u8; 6] = [2, 0, 0, 0, 0, 1];

    fn frame(kind: [u8; 2], payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::from([0xff; 6]);
        frame.extend(SENDER);
        frame.extend(kind);
        frame.extend(payload);
        frame
    }

    fn packet(protocol: u8, data: &[u8]) -> Vec<u8> {
        let [high, low] = u16::try_from(20 + data.len()).unwrap().to_be_bytes();
        let mut packet = Vec::from([0x45, 0, high, low, 0, 0, 0, 0, 64, protocol, 0, 0]);
        packet.extend([10, 0, 2, 15]);
        packet.extend(ADDRESS);
        packet.extend(data);
        packet
    }

    #[test]
    fn it_says_where_it_is() {
        let mut request = Vec::from([0, 1, 8, 0, 6, 4, 0, 1]);
        request.extend(SENDER);
        request.extend([10, 0, 2, 15]);
        request.extend([0; 6]);
        request.extend(ADDRESS);
        let reply = answer(&frame([8, 6], &request)).unwrap();
        assert_eq!(reply[..12], [&SENDER[..], &MAC].concat());
        assert_eq!(reply[14..22], [0, 1, 8, 0, 6, 4, 0, 2]);
        assert_eq!(reply[22..28], MAC);
        assert_eq!(reply[32..38], SENDER);
    }

    #[test]
    fn datagrams_come_back_with_good_checksums() {
        let mut data = Vec::from([0x12, 0x34, 0, 7, 0, 11, 0, 0]);
        data.extend(b"abc");
        let reply = answer(&frame([8, 0], &packet(17, &data))).unwrap();
        assert_eq!(checksum(&[&reply[14..34]]), 0);
        let pseudo = [0, 17, 0, 11];
        let whole = [&ADDRESS[..], &[10, 0, 2, 15], &pseudo, &reply[34..]];
        assert_eq!(checksum(&whole), 0);
        assert_eq!(reply[34..38], [0, 7, 0x12, 0x34]);
        assert_eq!(&reply[42..], b"abc");
    }

    #[test]
    fn pings_are_answered_and_nonsense_is_not() {
        let reply = answer(&frame([8, 0], &packet(1, &[8, 0, 0, 0, 1, 2, 0, 3, 9]))).unwrap();
        assert_eq!(reply[34], 0);
        assert_eq!(checksum(&[&reply[34..]]), 0);
        let whole = frame([8, 0], &packet(17, &[0, 1, 0, 7, 0, 8, 0, 0]));
        for len in 0..whole.len() {
            assert_eq!(answer(&whole[..len]), None, "{len}");
        }
        assert!(answer(&whole).is_some());
    }
}
