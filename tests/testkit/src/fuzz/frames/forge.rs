//! Frames that get far: the right addresses, numbers and checksums around anything.

use super::{MAC, PEER};

const OURS_V4: [u8; 4] = [10, 0, 0, 1];
const PEER_V4: [u8; 4] = [10, 0, 0, 2];
const PEER_V6: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
const ALL_NODES: [u8; 16] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// What the stack has sent, as far as an answer must know it.
#[derive(Default)]
pub(super) struct Seen {
    /// The last TCP segment: both ports, sequence and acknowledgement numbers.
    tcp: [u8; 12],
    /// The last question about a name: port and identifier.
    dns: [u8; 4],
    /// The transaction of the last DHCP message.
    dhcp: [u8; 4],
}

impl Seen {
    /// Looks at a frame that the stack sent; gives the honest answer to an ARP request.
    pub fn look(&mut self, frame: &[u8]) -> Option<Vec<u8>> {
        match (&frame[12..14], frame.get(23), frame.get(36..38)) {
            ([8, 6], ..) if frame[21] == 1 => return Some(arp_reply(frame)),
            ([8, 0], Some(6), _) => self.tcp.copy_from_slice(&frame[34..46]),
            ([8, 0], Some(17), Some([0, 53])) => {
                self.dns = [frame[34], frame[35], frame[42], frame[43]];
            }
            ([8, 0], Some(17), Some([0, 67])) => self.dhcp.copy_from_slice(&frame[46..50]),
            _ => {}
        }
        None
    }
}

fn arp_reply(request: &[u8]) -> Vec<u8> {
    let mut reply = [&MAC[..], &PEER, &request[12..21], &[2], &PEER].concat();
    reply.extend(&request[38..42]);
    reply.extend(&request[22..32]);
    reply
}

/// Makes a frame of `kind` out of `body`.
pub(super) fn forge(kind: u8, body: &[u8], seen: &Seen) -> Vec<u8> {
    match kind % 8 {
        0 => body.to_vec(),
        1 => [&MAC[..], &PEER, body].concat(),
        2 => ipv4(6, OURS_V4, &tcp(body, seen)),
        3 => ipv4(17, [255; 4], &dhcp(body, seen)),
        4 => icmpv6(body),
        5 => ipv4(17, OURS_V4, &dns(body, seen)),
        _ => ipv4(kind / 8, OURS_V4, body),
    }
}

/// An answer to the last segment: numbers a little off, any flags and window, any rest.
fn tcp(body: &[u8], seen: &Seen) -> Vec<u8> {
    let [seq_off, ack_off, flags, window, options, rest @ ..] = body else {
        return tcp(&[0, 1, 0x12, 9, 0], seen);
    };
    let number = |at: usize| u32::from_be_bytes(seen.tcp[at..at + 4].try_into().expect("4 bytes"));
    let shift = |number: u32, by: u8| number.wrapping_add_signed(i32::from(by.cast_signed()));
    let words = usize::from(options % 11).min(rest.len() / 4);
    let to_listener = *window == 255;
    let mut segment = [&seen.tcp[2..4], &seen.tcp[0..2]].concat();
    if to_listener {
        segment.copy_from_slice(&[0x99, 0x99, 0, 80]);
    }
    segment.extend(shift(number(8), *seq_off).to_be_bytes());
    segment.extend(shift(number(4), *ack_off).to_be_bytes());
    segment.extend([(5 + words as u8) << 4, *flags, *window, 0, 0, 0, 0, 0]);
    segment.extend(rest);
    segment
}

fn udp(from: u16, to: [u8; 2], payload: &[u8]) -> Vec<u8> {
    let len = 8 + payload.len() as u16;
    let mut datagram = from.to_be_bytes().to_vec();
    datagram.extend(to);
    datagram.extend(len.to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(payload);
    datagram
}

/// The ports and the identifier of a question that was answered so: the last one's.
pub(super) fn dns_answer(message: &[u8], seen: &Seen) -> Vec<u8> {
    let message = [&seen.dns[2..4], message].concat();
    ipv4(17, OURS_V4, &udp(53, [seen.dns[0], seen.dns[1]], &message))
}

/// A DHCP message that answers the last one: the fixed part, and then any options.
pub(super) fn dhcp_answer(host: u8, options: &[u8], seen: &Seen) -> Vec<u8> {
    let mut message = vec![0; 236];
    message[..4].copy_from_slice(&[2, 1, 6, 0]);
    message[4..8].copy_from_slice(&seen.dhcp);
    message[16..20].copy_from_slice(&[10, 0, 0, host]);
    message[28..34].copy_from_slice(&MAC);
    message.extend([0x63, 0x82, 0x53, 0x63]);
    message.extend(options);
    ipv4(17, [255; 4], &udp(67, [0, 68], &message))
}

/// An ICMP message for us.
pub(super) fn icmpv4(message: &[u8]) -> Vec<u8> {
    ipv4(1, OURS_V4, message)
}

/// An IPv6 packet for all nodes whose first header is `next`. What follows the extension headers has the
/// right checksum if it is an ICMPv6 message, a segment or a datagram.
pub(super) fn ipv6(next: u8, extensions: &[u8], last: u8, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    let len = body.len() as u32;
    let pseudo = [
        &PEER_V6[..],
        &ALL_NODES,
        &len.to_be_bytes(),
        &[0, 0, 0, last],
    ]
    .concat();
    fix(&mut body, last, &pseudo);
    let whole = (extensions.len() + body.len()) as u16;
    let mut header = [0x60, 0, 0, 0, 0, 0, next, 255].to_vec();
    header[4..6].copy_from_slice(&whole.to_be_bytes());
    let ethernet = [&MAC[..], &PEER, &[0x86, 0xdd]].concat();
    [
        &ethernet,
        &header,
        &PEER_V6[..],
        &ALL_NODES,
        extensions,
        &body,
    ]
    .concat()
}

/// A DHCP answer to the last question, with an address and options that `body` says.
fn dhcp(body: &[u8], seen: &Seen) -> Vec<u8> {
    let (kind, body) = body.split_first().unwrap_or((&2, &[]));
    let (host, options) = body.split_first().unwrap_or((&1, &[]));
    let mut message = vec![0; 236];
    message[..4].copy_from_slice(&[2, 1, 6, 0]);
    message[4..8].copy_from_slice(&seen.dhcp);
    message[16..20].copy_from_slice(&[10, 0, 0, *host]);
    message[28..34].copy_from_slice(&MAC);
    message.extend([0x63, 0x82, 0x53, 0x63, 53, 1, *kind, 54, 4, 10, 0, 0, 2]);
    if kind & 0x80 == 0 {
        message.extend([1, 4, 255, 255, 255, 0]);
    }
    message.extend(options);
    message.push(255);
    udp(67, [0, 68], &message)
}

/// A DNS answer to the last question: any counts and records behind the right question.
fn dns(body: &[u8], seen: &Seen) -> Vec<u8> {
    let (counts, records) = body.split_at(body.len().min(2));
    let mut message = seen.dns[2..4].to_vec();
    message.extend([0x81, 0x80, 0, 1, 0]);
    message.extend(counts);
    message.resize(12, 0);
    message.extend(b"\x04good\x07example\x00\x00\x01\x00\x01");
    message.extend(records);
    udp(53, [seen.dns[0], seen.dns[1]], &message)
}

/// An IPv4 packet to `to` with a right header checksum, and right ones inside where they are.
fn ipv4(protocol: u8, to: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut payload = payload.to_vec();
    let len = payload.len() as u16;
    let pseudo = [&PEER_V4[..], &to, &[0, protocol], &len.to_be_bytes()].concat();
    fix(&mut payload, protocol, &pseudo);
    let mut header = [0x45, 0, 0, 0, 0, 1, 0, 0, 64, protocol, 0, 0].to_vec();
    header[2..4].copy_from_slice(&(20 + len).to_be_bytes());
    header.extend(PEER_V4);
    header.extend(to);
    let sum = !sum(&header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    [&MAC[..], &PEER, &[8, 0], &header, &payload].concat()
}

/// An ICMPv6 message to all nodes from a neighbour, as routers send them.
fn icmpv6(body: &[u8]) -> Vec<u8> {
    let mut message = body.to_vec();
    message.resize(message.len().max(8), 0);
    let len = message.len() as u16;
    let pseudo = [&PEER_V6[..], &ALL_NODES, &len.to_be_bytes(), &[0, 58]].concat();
    fix(&mut message, 58, &pseudo);
    let mut header = [0x60, 0, 0, 0, 0, 0, 58, 255].to_vec();
    header[4..6].copy_from_slice(&len.to_be_bytes());
    [
        &MAC[..],
        &PEER,
        &[0x86, 0xdd],
        &header,
        &PEER_V6,
        &ALL_NODES,
        &message,
    ]
    .concat()
}

/// Writes the right checksum into `payload`, if it has room for one.
fn fix(payload: &mut [u8], protocol: u8, pseudo: &[u8]) {
    let (at, pseudo) = match protocol {
        1 => (2, &[][..]),
        6 => (16, pseudo),
        17 => (6, pseudo),
        58 => (2, pseudo),
        _ => return,
    };
    if payload.len() < at + 2 {
        return;
    }
    payload[at..at + 2].fill(0);
    let sum = !sum(&[pseudo, payload].concat());
    payload[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}

/// Ref: RFC 1071.
fn sum(bytes: &[u8]) -> u16 {
    let pairs = bytes.chunks(2);
    let mut sum: u32 = pairs
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}
