//! Any bytes as a host that plays the network.

mod forge;
mod messages;

use std::{
    cell::RefCell,
    collections::VecDeque,
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Waker},
    time::Duration,
};

use clock::{Clock, Instant};
use embassy_futures::join::join4;
use embedded_io_async::{Read, Write};
use frame::{Incoming, Outgoing};
use net::{Config, FramePort, Network, Stack, TcpBuffers};

use self::forge::{Seen, forge};

pub use self::messages::{dhcp, dns, icmp, ipv6_options};
use crate::wire::FakeClock;

/// Our address, and that of everybody else.
const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const PEER: [u8; 6] = [2, 0, 0, 0, 0, 2];

const MAX_FRAME: usize = 1514;

/// Lets `bytes` say which frames arrive, and when, at a stack whose payload listens, connects,
/// asks for names and echoes; checks that every poll is bounded and every frame out is whole.
pub fn frames(bytes: &[u8]) {
    let (first, script) = bytes.split_first().unwrap_or((&0, &[]));
    let ip = [
        "10.0.0.1/24,10.0.0.2,10.0.0.2",
        "dhcp",
        "fd00::1/64,fe80::2",
    ];
    let mut game = Game::new(ip[usize::from(*first) % ip.len()]);
    let mut script = script;
    while let Some((kind, rest)) = script.split_first() {
        script = game.step(*kind, rest);
    }
    game.check();
}

/// One run.
struct Game {
    clock: Rc<FakeClock>,
    line: Rc<RefCell<Line>>,
    stack: Stack,
    payload: Pin<Box<dyn Future<Output = ()>>>,
    seen: Seen,
}

#[derive(Default)]
struct Line {
    incoming: VecDeque<Vec<u8>>,
    outgoing: Vec<Vec<u8>>,
    taken: usize,
}

impl Game {
    fn new(ip: &str) -> Self {
        let clock = Rc::new(FakeClock::default());
        let line = Rc::<RefCell<Line>>::default();
        let config = Config::parse(ip).expect("a good address");
        let port = Box::new(Port(Rc::clone(&line)));
        let stack = Stack::new(port, Rc::clone(&clock) as _, [7; 32], &config);
        let stack = stack.expect("a port that can be driven");
        let payload = Box::pin(payload(stack.network()));
        Self {
            clock,
            line,
            stack,
            payload,
            seen: Seen::default(),
        }
    }

    /// Does one step of the script; gives the rest of it.
    fn step<'a>(&mut self, kind: u8, rest: &'a [u8]) -> &'a [u8] {
        let (len, rest) = rest.split_first().unwrap_or((&0, &[]));
        let (body, rest) = rest.split_at(usize::from(*len).min(rest.len()));
        if kind % 8 == 7 {
            let millis = body
                .iter()
                .fold(1, |all, byte| (all * 3 + u64::from(*byte)) % 100_000);
            self.pass(millis);
        } else {
            // Some are far longer than a frame of ours.
            let body = body.repeat(if kind < 0x80 { 1 } else { 100 });
            let frame = forge(kind, &body, &self.seen);
            self.deliver(frame);
        }
        self.run();
        rest
    }

    fn deliver(&self, frame: Vec<u8>) {
        self.line.borrow_mut().incoming.push_back(frame);
    }

    /// Lets `millis` milliseconds pass.
    fn pass(&self, millis: u64) {
        let span = Duration::from_millis(millis);
        self.clock.advance_to(self.clock.deadline(span));
    }

    fn run(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..3 {
            let _ = self.payload.as_mut().poll(&mut context);
            self.poll();
        }
    }

    fn poll(&mut self) {
        let now = self.clock.now();
        self.line.borrow_mut().taken = 0;
        let next = self.stack.poll(now);
        assert!(next.is_none_or(|next| next >= now || next == Instant::from_nanos(u64::MAX)));
        let mut line = self.line.borrow_mut();
        assert!(line.taken <= 64, "a poll is bounded");
        assert!(line.outgoing.len() <= 128 + 64, "a poll is bounded");
        for frame in line.outgoing.split_off(0) {
            assert_eq!(frame[6..12], MAC);
            assert!((14..=MAX_FRAME).contains(&frame.len()));
            line.incoming.extend(self.seen.look(&frame));
        }
    }

    fn check(&self) {
        let counters = self.stack.counters();
        assert_eq!(
            counters.received,
            counters.accepted() + counters.dropped(),
            "{counters:?}"
        );
        let network = self.stack.network();
        for address in network.addresses() {
            assert!(!address.is_unspecified() && !address.is_multicast());
        }
        if let Some(lease) = network.lease() {
            assert!(network.addresses().contains(&lease.address));
            assert!(!lease.to_string().is_empty());
        }
    }
}

/// Everything that a payload can do with a network, for ever.
async fn payload(network: Network) {
    let second = Duration::from_secs(1);
    let peer = if network
        .addresses()
        .iter()
        .filter(|one| one.is_ipv6())
        .count()
        > 1
    {
        "fd00::2"
    } else {
        "10.0.0.2"
    };
    let peer = peer.parse().expect("an address");
    let _ = network.wait_configured(100 * second).await;
    join4(
        serve(&network),
        fetch(&network, (peer, 81).into()),
        echo(&network),
        async {
            loop {
                let _ = network.resolve("good.example", 4 * second).await;
                let _ = network.ping(peer, 2 * second).await;
                network.sleep(second).await;
            }
        },
    )
    .await;
}

async fn serve(network: &Network) {
    let mut part = [0; 700];
    loop {
        let Ok(mut socket) = network.tcp_socket(TcpBuffers::default()) else {
            return;
        };
        let accepted = socket.accept(80, Duration::from_secs(60)).await;
        while let Ok(len @ 1..) = socket.read(&mut part).await {
            let _ = socket.write_all(&part[..len]).await;
        }
        if accepted.is_ok() {
            let _ = socket.close().await;
        }
    }
}

async fn fetch(network: &Network, peer: std::net::SocketAddr) {
    loop {
        if let Ok(mut socket) = network.connect(peer).await {
            let _ = socket.write_all(b"GET / HTTP/1.1\r\n\r\n").await;
            if let Ok(mut response) = http::Response::receive(&mut socket).await {
                let _ = response.read_to_end(1 << 16).await;
            }
        }
        network.sleep(Duration::from_millis(100)).await;
    }
}

async fn echo(network: &Network) {
    let mut datagram = [0; 1600];
    let Ok(mut socket) = network.udp_socket(7) else {
        return;
    };
    loop {
        if let Ok((len, from)) = socket.recv_from(&mut datagram).await {
            let _ = socket.send_to(&datagram[..len], from).await;
        }
    }
}

struct Port(Rc<RefCell<Line>>);

impl FramePort for Port {
    fn mac(&self) -> [u8; 6] {
        MAC
    }

    fn max_frame(&self) -> usize {
        MAX_FRAME
    }

    fn room(&mut self) -> usize {
        if self.0.borrow().outgoing.len() < 128 {
            MAX_FRAME
        } else {
            0
        }
    }

    fn send(&mut self, parts: &[&[u8]], _: Outgoing) {
        self.0.borrow_mut().outgoing.push(parts.concat());
    }

    fn receive(&mut self, into: &mut [u8]) -> Option<Incoming> {
        let mut line = self.0.borrow_mut();
        let frame = line.incoming.pop_front()?;
        line.taken += 1;
        let len = frame.len().min(into.len());
        into[..len].copy_from_slice(&frame[..len]);
        Some(Incoming {
            len,
            ..Incoming::default()
        })
    }

    fn flush(&mut self) {}
}
