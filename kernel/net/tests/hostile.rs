//! Ports and peers that mean harm.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a step that fails should fail its test"
)]

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    net::SocketAddr,
    rc::Rc,
    time::Duration,
};

use clock::{Clock, Instant};
use embassy_futures::join::join;
use embedded_io_async::{Read, Write};
use frame::{Incoming, Outgoing};
use net::{Config, Error, FramePort, Stack, StartError, TcpBuffers};
use testkit::wire::{FakeClock, World};

const SECOND: Duration = Duration::from_secs(1);
const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// What a test gives to a port and sees of it.
#[derive(Default)]
struct Line {
    incoming: RefCell<VecDeque<Vec<u8>>>,
    /// A frame that arrives again and again.
    flood: RefCell<Option<Vec<u8>>>,
    outgoing: RefCell<Vec<Vec<u8>>>,
    taken: Cell<usize>,
    doorbells: Cell<usize>,
    full: Cell<bool>,
    /// What the port says about the length of frames, when that is a lie.
    claimed: Cell<Option<usize>>,
}

struct Port {
    line: Rc<Line>,
    mac: [u8; 6],
    max_frame: usize,
}

impl Port {
    fn on(line: &Rc<Line>) -> Box<Self> {
        Box::new(Self {
            line: Rc::clone(line),
            mac: MAC,
            max_frame: 1514,
        })
    }
}

impl FramePort for Port {
    fn mac(&self) -> [u8; 6] {
        self.mac
    }

    fn max_frame(&self) -> usize {
        self.max_frame
    }

    fn room(&mut self) -> usize {
        if self.line.full.get() {
            0
        } else {
            self.max_frame
        }
    }

    fn send(&mut self, parts: &[&[u8]], _: Outgoing) {
        assert!(!self.line.full.get(), "a frame without room");
        self.line.outgoing.borrow_mut().push(parts.concat());
    }

    fn receive(&mut self, into: &mut [u8]) -> Option<Incoming> {
        let frame = self.line.incoming.borrow_mut().pop_front();
        let frame = frame.or_else(|| self.line.flood.borrow().clone())?;
        self.line.taken.set(self.line.taken.get() + 1);
        let len = frame.len().min(into.len());
        into[..len].copy_from_slice(&frame[..len]);
        Some(Incoming {
            len: self.line.claimed.get().unwrap_or(frame.len()),
            ..Incoming::default()
        })
    }

    fn flush(&mut self) {
        self.line.doorbells.set(self.line.doorbells.get() + 1);
    }
}

fn start(line: &Rc<Line>, config: &Config) -> (Stack, Rc<FakeClock>) {
    let clock = Rc::new(FakeClock::default());
    let stack = Stack::new(Port::on(line), Rc::clone(&clock) as _, [7; 32], config);
    (stack.unwrap(), clock)
}

fn quiet(ip: &str) -> Config {
    Config {
        slaac: false,
        ..Config::parse(ip).unwrap()
    }
}

/// An IPv4 packet for 10.0.0.1 from 10.0.0.2, with a right header checksum.
fn ipv4(protocol: u8, fragment: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = [&MAC[..], &[2, 0, 0, 0, 0, 2, 8, 0]].concat();
    let len = u16::try_from(20 + payload.len()).unwrap();
    frame.extend([0x45, 0]);
    frame.extend(len.to_be_bytes());
    frame.extend([0, 1]);
    frame.extend(fragment.to_be_bytes());
    frame.extend([64, protocol, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1]);
    let sum: u32 = frame[14..34]
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]))
        .sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
    frame.extend(payload);
    frame
}

/// An echo request with a right checksum.
const ECHO: [u8; 8] = [8, 0, 0xf7, 0xfd, 0, 1, 0, 1];

#[test]
fn a_flood_of_frames_leaves_time_for_others() {
    let line = Rc::new(Line::default());
    *line.flood.borrow_mut() = Some(ipv4(1, 0, &ECHO));
    let (stack, clock) = start(&line, &quiet("10.0.0.1/24"));
    for poll in 1..=10 {
        let now = clock.now();
        assert_eq!(stack.poll(now), Some(now), "there is more to do at once");
        assert_eq!(line.taken.get(), poll * 64);
        assert!(line.doorbells.get() <= poll);
    }
    assert_eq!(stack.counters().accepted(), 640);
}

#[test]
fn a_payload_makes_progress_under_a_flood() {
    let world = World::default();
    let client = world.host(1, "10.0.0.1/24");
    let server = world.host(2, "10.0.0.2/24");
    let flood = ipv4(1, 0, &ECHO);
    let serve = async {
        let mut socket = server.tcp_socket(TcpBuffers::default()).unwrap();
        socket.accept(80, SECOND).await.unwrap();
        socket.write_all(&[7; 100_000]).await.unwrap();
        socket.close().await.unwrap();
    };
    let fetch = async {
        let to: SocketAddr = "10.0.0.2:80".parse().unwrap();
        let mut socket = client.connect(to).await.unwrap();
        let mut part = [0; 4096];
        let mut all = 0;
        loop {
            for _ in 0..500 {
                world.hub.inject(&flood);
            }
            match socket.read(&mut part).await.unwrap() {
                0 => break all,
                len => all += len,
            }
        }
    };
    assert_eq!(world.run(20 * SECOND, join(serve, fetch)).1, 100_000);
}

#[test]
fn the_doorbell_rings_once_for_many_frames_and_never_for_none() {
    let line = Rc::new(Line::default());
    let (stack, clock) = start(&line, &quiet("10.0.0.1/24"));
    stack.poll(clock.now());
    assert_eq!(line.doorbells.get(), 0);
    answer_arp(&line, &stack, &clock);
    let before = (line.outgoing.borrow().len(), line.doorbells.get());
    line.incoming
        .borrow_mut()
        .extend(std::iter::repeat_n(ipv4(1, 0, &ECHO), 20));
    stack.poll(clock.now());
    assert_eq!(line.outgoing.borrow().len(), before.0 + 20);
    assert_eq!(line.doorbells.get(), before.1 + 1);
}

/// Makes the stack know the hardware address of 10.0.0.2.
fn answer_arp(line: &Line, stack: &Stack, clock: &FakeClock) {
    let mut frame = [&MAC[..], &[2, 0, 0, 0, 0, 2, 8, 6]].concat();
    frame.extend([0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 2, 10, 0, 0, 2]);
    frame.extend([0, 0, 0, 0, 0, 0, 10, 0, 0, 1]);
    line.incoming.borrow_mut().push_back(frame);
    stack.poll(clock.now());
}

#[test]
fn a_full_port_is_waited_for_and_not_asked_without_end() {
    let line = Rc::new(Line::default());
    let (stack, clock) = start(&line, &Config::default());
    line.full.set(true);
    let mut polls = 0;
    let end = clock.deadline(SECOND);
    while let Some(next) = stack.poll(clock.now()) {
        assert!(next > clock.now());
        clock.advance_to(next);
        polls += 1;
        if next > end {
            break;
        }
    }
    assert!(polls <= 1001, "{polls} polls in a second");
    assert!(stack.counters().back_pressure > 0);
    line.full.set(false);
    stack.poll(clock.now());
    assert!(!line.outgoing.borrow().is_empty());
}

#[test]
fn a_port_without_room_does_not_make_us_deaf() {
    let line = Rc::new(Line::default());
    let (stack, clock) = start(&line, &quiet("10.0.0.1/24"));
    answer_arp(&line, &stack, &clock);
    line.full.set(true);
    line.incoming
        .borrow_mut()
        .extend(std::iter::repeat_n(ipv4(1, 0, &ECHO), 5));
    stack.poll(clock.now());
    assert!(line.incoming.borrow().is_empty());
    assert_eq!(stack.counters().replies_dropped, 5);
}

#[test]
fn frames_that_are_dropped_are_counted_by_reason() {
    let line = Rc::new(Line::default());
    let (stack, clock) = start(&line, &quiet("10.0.0.1/24"));
    let whole = ipv4(1, 0, &ECHO);
    let mut cut = ipv4(1, 0, &ECHO);
    cut.truncate(30);
    line.incoming.borrow_mut().extend([
        vec![],
        vec![0; 13],
        ipv4(1, 0x2000, &ECHO),
        ipv4(1, 1, &ECHO),
        cut,
        whole,
    ]);
    stack.poll(clock.now());
    let counters = stack.counters();
    assert_eq!((counters.bad_length, counters.bad_header), (2, 3));
    assert_eq!((counters.received, counters.accepted()), (6, 1));
}

#[test]
fn a_port_that_lies_about_lengths_loses_its_frames() {
    for claimed in [65550, usize::MAX] {
        let line = Rc::new(Line::default());
        let (stack, clock) = start(&line, &quiet("10.0.0.1/24"));
        line.incoming.borrow_mut().push_back(vec![0; 60]);
        line.claimed.set(Some(claimed));
        stack.poll(clock.now());
        assert_eq!(stack.counters().bad_length, 1, "{claimed}");
    }
}

#[test]
fn a_received_frame_may_be_longer_than_those_we_send() {
    let world = World::default();
    let line = Rc::new(Line::default());
    let network = world
        .stack_beside(Port::on(&line), &quiet("10.0.0.1/24"))
        .network();
    let mut socket = network.udp_socket(7).unwrap();
    // From port 9, without a checksum.
    let mut datagram = [0, 9, 0, 7, 0, 0, 0, 0].to_vec();
    datagram[4..6].copy_from_slice(&10_008u16.to_be_bytes());
    datagram.resize(10_008, 7);
    line.incoming.borrow_mut().push_back(ipv4(17, 0, &datagram));
    let mut into = vec![0; 20_000];
    let received = world.run(SECOND, socket.recv_from(&mut into));
    assert_eq!(received, Ok((10_000, "10.0.0.2:9".parse().unwrap())));
    assert!(into[..10_000].iter().all(|byte| *byte == 7));
}

#[test]
fn ports_that_cannot_be_driven_are_refused() {
    let refusal = |mac, max_frame| {
        let line = Rc::default();
        let port = Box::new(Port {
            line,
            mac,
            max_frame,
        });
        let clock = Rc::new(FakeClock::default());
        Stack::new(port, clock, [0; 32], &Config::default()).err()
    };
    for mac in [[0; 6], [0xff; 6], [1, 0, 0, 0, 0, 1]] {
        assert_eq!(refusal(mac, 1514), Some(StartError::BadMac { mac }));
    }
    for max_frame in [0, 67, 1293] {
        let error = StartError::SmallFrames { max_frame };
        assert_eq!(refusal(MAC, max_frame), Some(error));
    }
    assert_eq!(refusal(MAC, 1294), None);
    assert_eq!(refusal(MAC, usize::MAX), None);
}

#[test]
fn a_flood_of_neighbours_does_not_hide_the_real_one() {
    let world = World::default();
    let client = world.host(1, "10.0.0.1/8");
    let _server = world.host(2, "10.0.0.2/8");
    for at in 0..10_000u16 {
        let [high, low] = at.to_be_bytes();
        let mut frame = [&MAC[..], &[2, 0, 0, 9, high, low, 8, 6]].concat();
        frame.extend([0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 9, high, low]);
        frame.extend([10, 9, high, low, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1]);
        world.hub.inject(&frame);
    }
    let ping = client.ping("10.0.0.2".parse().unwrap(), 5 * SECOND);
    assert!(world.run(6 * SECOND, ping).is_ok());
}

#[test]
fn a_flood_of_connections_leaves_the_listener_alive() {
    let world = World::default();
    let client = world.host(1, "10.0.0.1/24");
    let server = world.host(2, "10.0.0.2/24");
    let to: SocketAddr = "10.0.0.2:80".parse().unwrap();
    let serve = async {
        let mut socket = server.tcp_socket(TcpBuffers::default()).unwrap();
        socket.set_timeout(2 * SECOND);
        socket.accept(80, 30 * SECOND).await
    };
    let attack = async {
        // A peer that starts to connect and is never heard of again, then an honest one.
        let _ = client
            .within(Duration::from_micros(700), client.connect(to))
            .await;
        world.hub.set_luck(testkit::wire::Luck {
            lost: 1000,
            ..Default::default()
        });
        client.sleep(5 * SECOND).await;
        world.hub.set_luck(testkit::wire::Luck::default());
        client.connect(to).await
    };
    let (accepted, connected) = world.run(40 * SECOND, join(serve, attack));
    assert!(connected.is_ok());
    assert!(accepted.is_ok());
}

#[test]
fn time_that_stands_still_is_survived() {
    let line = Rc::new(Line::default());
    let (stack, _) = start(&line, &Config::default());
    let now = Instant::from_nanos(0);
    for _ in 0..1000 {
        stack.poll(now);
    }
    // One question about routers, one about a lease.
    assert_eq!(line.outgoing.borrow().len(), 2);
}

#[test]
fn the_end_of_time_is_survived() {
    let line = Rc::new(Line::default());
    let (stack, _) = start(&line, &Config::default());
    for now in [u64::MAX - 1, u64::MAX] {
        stack.poll(Instant::from_nanos(now));
    }
    assert_eq!(stack.network().lease(), None);
    assert_eq!(
        stack
            .network()
            .tcp_socket(TcpBuffers {
                receive: 0,
                send: 0
            })
            .err(),
        None::<Error>
    );
}
