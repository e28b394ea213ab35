//! What a host says of a frame is held against the frame, and what leaves is what it says it is.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a step that fails should fail its test"
)]

use std::{cell::RefCell, collections::VecDeque, rc::Rc};

use clock::Clock;
use frame::{Incoming, Offloads, OpenChecksum, Outgoing};
use net::{Config, Counters, FramePort, Stack};
use smoltcp::wire::{IpAddress, TcpPacket, UdpPacket};
use testkit::wire::{Advertisement, FakeClock};

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const TCP: u8 = 6;
const UDP: u8 = 17;
const SYN: u8 = 2;

/// Frames, and what the host says of them.
type Frames = VecDeque<(Vec<u8>, Incoming)>;

/// A port that gives what it was told to give.
#[derive(Clone, Default)]
struct Port {
    incoming: Rc<RefCell<Frames>>,
    sent: Rc<RefCell<Vec<Vec<u8>>>>,
    offloads: Offloads,
}

impl FramePort for Port {
    fn mac(&self) -> [u8; 6] {
        MAC
    }

    fn max_frame(&self) -> usize {
        1514
    }

    fn offloads(&self) -> Offloads {
        self.offloads
    }

    fn room(&mut self) -> usize {
        65_549
    }

    fn send(&mut self, parts: &[&[u8]], _: Outgoing) {
        self.sent.borrow_mut().push(parts.concat());
    }

    fn receive(&mut self, into: &mut [u8]) -> Option<Incoming> {
        let (frame, what) = self.incoming.borrow_mut().pop_front()?;
        into[..frame.len()].copy_from_slice(&frame);
        Some(what)
    }

    fn flush(&mut self) {}
}

/// What a stack counts that receives `frame`, of which the host says `what`.
fn counted(frame: &[u8], what: Incoming, offloads: Offloads) -> Counters {
    let port = Port {
        offloads,
        ..Port::default()
    };
    let what = Incoming {
        len: frame.len(),
        ..what
    };
    port.incoming.borrow_mut().push_back((frame.to_vec(), what));
    let mut config = Config::parse("10.0.0.1/24").unwrap();
    config.slaac = true;
    let clock = Rc::new(FakeClock::default());
    let stack = Stack::new(Box::new(port), Rc::clone(&clock) as _, [7; 32], &config).unwrap();
    let _ = stack.poll(clock.now());
    let counters = stack.counters();
    assert_eq!(counters.received, 1);
    counters
}

fn received(frame: &[u8], what: Incoming) -> Counters {
    counted(frame, what, Offloads::default())
}

fn passes(frame: &[u8], what: Incoming) -> bool {
    received(frame, what).dropped() == 0
}

fn open(start: usize, offset: u16) -> Incoming {
    let start = start as u16;
    Incoming {
        checksum: Some(OpenChecksum { start, offset }),
        ..Incoming::default()
    }
}

fn segments(size: u16) -> Incoming {
    Incoming {
        segment_size: Some(size),
        ..Incoming::default()
    }
}

/// A frame over IPv4 or IPv6 to us, with a payload whose checksum is not yet there.
fn packet(v6: bool, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = [&MAC[..], &[2, 0, 0, 0, 0, 2]].concat();
    if v6 {
        frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
        frame.extend((payload.len() as u16).to_be_bytes());
        frame.extend([protocol, 64]);
        frame.extend([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
        frame.extend([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe, 0, 0, 1]);
    } else {
        frame.extend([8, 0, 0x45, 0]);
        frame.extend((20 + payload.len() as u16).to_be_bytes());
        frame.extend([0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1]);
        let sum = smoltcp::wire::checksum::data(&frame[14..34]);
        frame[24..26].copy_from_slice(&(!sum).to_be_bytes());
    }
    frame.extend(payload);
    frame
}

fn start(v6: bool) -> usize {
    if v6 { 54 } else { 34 }
}

fn addresses(frame: &[u8], v6: bool) -> (IpAddress, IpAddress) {
    let v4 = |at: usize| IpAddress::v4(frame[at], frame[at + 1], frame[at + 2], frame[at + 3]);
    let long = |at: usize| {
        let octets: [u8; 16] = frame[at..at + 16].try_into().unwrap();
        IpAddress::from(std::net::Ipv6Addr::from(octets))
    };
    match v6 {
        false => (v4(26), v4(30)),
        true => (long(22), long(38)),
    }
}

/// A TCP segment with `flags`, options and a payload of 99 bytes, with a right checksum.
fn tcp(v6: bool, flags: u8, options: &[u8]) -> Vec<u8> {
    let words = (5 + options.len() / 4) as u8;
    let mut segment = vec![
        0x30,
        0x39,
        0,
        80,
        0,
        0,
        0,
        1,
        0,
        0,
        0,
        0,
        words << 4,
        flags,
        16,
        0,
    ];
    segment.extend([0; 4]);
    segment.extend(options);
    segment.extend([0x5a; 99]);
    let mut frame = packet(v6, TCP, &segment);
    let (from, to) = addresses(&frame, v6);
    let mut tcp = TcpPacket::new_unchecked(&mut frame[start(v6)..]);
    tcp.fill_checksum(&from, &to);
    frame
}

/// A datagram of 30 bytes with a right checksum.
fn udp(v6: bool) -> Vec<u8> {
    let mut datagram = vec![0x30, 0x39, 0, 7, 0, 38, 0, 0];
    datagram.extend([0x5a; 30]);
    let mut frame = packet(v6, UDP, &datagram);
    let (from, to) = addresses(&frame, v6);
    let mut udp = UdpPacket::new_unchecked(&mut frame[start(v6)..]);
    udp.fill_checksum(&from, &to);
    frame
}

#[test]
fn a_wrong_checksum_is_dropped_wherever_the_bit_is() {
    for v6 in [false, true] {
        for frame in [tcp(v6, SYN, &[]), udp(v6)] {
            assert!(passes(&frame, Incoming::default()));
            for at in (start(v6)..frame.len()).step_by(7) {
                let mut wrong = frame.clone();
                wrong[at] ^= 1;
                let counters = received(&wrong, Incoming::default());
                // The length of a datagram is looked at first.
                let dropped = counters.bad_checksum + counters.bad_header;
                assert_eq!(dropped, 1, "byte {at}");
            }
            let mut padded = frame.clone();
            padded.extend([0xff; 5]);
            assert!(
                passes(&padded, Incoming::default()),
                "padding is not summed"
            );
        }
    }
}

#[test]
fn only_a_datagram_over_ipv4_may_be_without_a_checksum() {
    for (v6, may) in [(false, true), (true, false)] {
        let mut datagram = udp(v6);
        datagram[start(v6) + 6..start(v6) + 8].fill(0);
        assert_eq!(passes(&datagram, Incoming::default()), may);
        let mut segment = tcp(v6, SYN, &[]);
        segment[start(v6) + 16..start(v6) + 18].fill(0);
        assert!(!passes(&segment, Incoming::default()));
    }
}

#[test]
fn a_checksum_that_was_never_there_is_believed_at_its_place_alone() {
    for v6 in [false, true] {
        for (mut frame, place) in [(tcp(v6, SYN, &[]), 16), (udp(v6), 6)] {
            let start = start(v6);
            frame[start + usize::from(place)] ^= 0x55;
            assert!(passes(&frame, open(start, place)));
            let lies = [
                open(start - 1, place),
                open(start + 1, place),
                open(start, 22 - place),
                open(start, place + 1),
                open(0, 0),
                open(14, place),
                open(usize::from(u16::MAX), u16::MAX),
            ];
            for lie in lies {
                assert_eq!(received(&frame, lie).bad_offload, 1, "{lie:?}");
            }
        }
    }
}

#[test]
fn what_has_no_such_checksum_cannot_have_left_it_open() {
    let echo = packet(false, 1, &[8, 0, 0xf7, 0xfd, 0, 1, 0, 1]);
    assert!(passes(&echo, Incoming::default()));
    for offset in [2, 6, 16] {
        assert_eq!(received(&echo, open(34, offset)).bad_offload, 1);
    }
    let mut arp = [&[0xff; 6][..], &[2, 0, 0, 0, 0, 2], &[8, 6]].concat();
    arp.extend([0; 28]);
    assert!(passes(&arp, Incoming::default()));
    assert_eq!(received(&arp, open(34, 16)).bad_offload, 1);
    assert_eq!(received(&arp, segments(1000)).bad_offload, 1);
    let stump = packet(false, TCP, &[0; 19]);
    assert_eq!(received(&stump, open(34, 16)).bad_offload, 1);
}

#[test]
fn segments_are_of_tcp_and_have_their_checksum_verified_too() {
    for v6 in [false, true] {
        let frame = tcp(v6, 0x10, &[]);
        for size in [1, 1000, u16::MAX] {
            assert!(passes(&frame, segments(size)));
            assert_eq!(received(&udp(v6), segments(size)).bad_offload, 1);
        }
        let mut wrong = frame;
        wrong[60] ^= 1;
        assert_eq!(received(&wrong, segments(1000)).bad_checksum, 1);
    }
}

#[test]
fn nobody_connects_from_no_address() {
    let mut frame = tcp(false, SYN, &[]);
    frame[26..30].fill(0);
    frame[24..26].fill(0);
    let sum = smoltcp::wire::checksum::data(&frame[14..34]);
    frame[24..26].copy_from_slice(&(!sum).to_be_bytes());
    let (from, to) = addresses(&frame, false);
    TcpPacket::new_unchecked(&mut frame[34..]).fill_checksum(&from, &to);
    let counters = received(&frame, Incoming::default());
    assert_eq!((counters.bad_header, counters.dropped()), (1, 1));
}

#[test]
fn an_advertisement_does_not_hide_behind_a_hop_by_hop_header() {
    // smoltcp panics on this prefix.
    let lie = Advertisement {
        prefix_len: 129,
        ..Advertisement::default()
    };
    let mut frame = lie.frame();
    assert_eq!(received(&frame, Incoming::default()).bad_router, 1);
    // Next header: ICMPv6, then six bytes of padding.
    frame.splice(54..54, [58, 0, 1, 4, 0, 0, 0, 0]);
    frame[20] = 0;
    let len = u16::from_be_bytes([frame[18], frame[19]]) + 8;
    frame[18..20].copy_from_slice(&len.to_be_bytes());
    let counters = received(&frame, Incoming::default());
    assert_eq!((counters.bad_header, counters.dropped()), (1, 1));
}

#[test]
fn a_peer_that_takes_less_than_each_link_of_ipv6_carries_is_not_heard_where_we_cut() {
    let cutting = Offloads {
        checksums: true,
        segments_v4: true,
        segments_v6: true,
        max_segment: 65_549,
    };
    let syn = |size: u16, v6| {
        let [high, low] = size.to_be_bytes();
        tcp(v6, SYN, &[1, 1, 1, 1, 2, 4, high, low])
    };
    let dropped =
        |size, v6, offloads| counted(&syn(size, v6), Incoming::default(), offloads).bad_header == 1;
    assert!(dropped(1219, true, cutting));
    assert!(!dropped(1220, true, cutting));
    assert!(!dropped(536, false, cutting));
    assert!(!dropped(536, true, Offloads::default()));
}

#[test]
fn options_that_make_no_sense_harm_nobody() {
    let options: [[u8; 4]; 8] = [
        [2, 3, 0, 0],
        [2, 0, 0, 0],
        [3, 1, 0, 0],
        [3, 255, 0, 0],
        [1, 1, 1, 2],
        [0, 2, 4, 0],
        [254, 4, 0, 0],
        [2, 4, 0, 0],
    ];
    for option in options {
        assert!(
            passes(&tcp(false, SYN, &option), Incoming::default()),
            "{option:?}"
        );
    }
    for words in [0, 4, 15] {
        let mut frame = tcp(false, SYN, &[]);
        frame.truncate(34 + 30);
        frame[16..18].copy_from_slice(&50_u16.to_be_bytes());
        frame[46] = words << 4;
        // Whatever it is, it is no panic.
        let _ = received(&frame, open(34, 16));
    }
}
