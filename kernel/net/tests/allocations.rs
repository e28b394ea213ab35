//! Frames come and go without any memory being asked for.
// UNSAFETY: an allocator that counts.
#![expect(unsafe_code, reason = "`GlobalAlloc` is an unsafe trait")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a step that fails should fail its test"
)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::RefCell,
    pin::pin,
    rc::Rc,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    task::{Context, Poll, Waker},
    time::Duration,
};

use clock::Clock;
use embassy_futures::join::join;
use embedded_io_async::{Read, Write};
use frame::{Incoming, Offloads, Outgoing};
use net::{Config, FramePort, Network, Stack, TcpBuffers, TcpSocket};
use testkit::wire::FakeClock;

#[global_allocator]
static ALLOCATOR: Counting = Counting;
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, which counts.
struct Counting;

// SAFETY: each block comes from and goes to `System`, with the layout that the caller names.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        // SAFETY: the caller keeps the promises of `alloc`, which are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the promises of `dealloc`, which are the same.
        unsafe { System.dealloc(block, layout) }
    }
}

/// Most frames on their way in one direction.
const FRAMES: usize = 128;
const LONGEST: usize = 65_549;

/// One direction of a wire, whose memory is there from the start.
struct Line {
    frames: Vec<(Vec<u8>, Incoming)>,
    sent: usize,
    taken: usize,
}

impl Line {
    fn new() -> Rc<RefCell<Self>> {
        let empty = || (vec![0; LONGEST], Incoming::default());
        Rc::new(RefCell::new(Self {
            frames: (0..FRAMES).map(|_| empty()).collect(),
            sent: 0,
            taken: 0,
        }))
    }
}

/// An end of two lines.
struct Port {
    last: u8,
    out: Rc<RefCell<Line>>,
    inward: Rc<RefCell<Line>>,
    offloads: Offloads,
}

impl FramePort for Port {
    fn mac(&self) -> [u8; 6] {
        [2, 0, 0, 0, 0, self.last]
    }

    fn max_frame(&self) -> usize {
        1514
    }

    fn offloads(&self) -> Offloads {
        self.offloads
    }

    fn room(&mut self) -> usize {
        let line = self.out.borrow();
        if line.sent - line.taken < FRAMES {
            LONGEST
        } else {
            0
        }
    }

    fn send(&mut self, parts: &[&[u8]], what: Outgoing) {
        let mut line = self.out.borrow_mut();
        let at = line.sent % FRAMES;
        let (buffer, incoming) = &mut line.frames[at];
        let mut len = 0;
        for part in parts {
            buffer[len..len + part.len()].copy_from_slice(part);
            len += part.len();
        }
        *incoming = Incoming {
            len,
            checksum: what.checksum,
            segment_size: what.segments.map(|segments| segments.size),
        };
        line.sent += 1;
    }

    fn receive(&mut self, into: &mut [u8]) -> Option<Incoming> {
        let mut line = self.inward.borrow_mut();
        let at = line.taken % FRAMES;
        if line.taken == line.sent {
            return None;
        }
        line.taken += 1;
        let (frame, what) = &line.frames[at];
        into[..what.len].copy_from_slice(&frame[..what.len]);
        Some(*what)
    }

    fn flush(&mut self) {}
}

/// Two stacks on one wire.
struct Pair {
    clock: Rc<FakeClock>,
    stacks: [Stack; 2],
}

impl Pair {
    fn new(offloads: Offloads) -> Self {
        let clock = Rc::new(FakeClock::default());
        let lines = [Line::new(), Line::new()];
        let stack = |last: u8, out: usize| {
            let port = Port {
                last,
                out: Rc::clone(&lines[out]),
                inward: Rc::clone(&lines[1 - out]),
                offloads,
            };
            let config = Config::parse(&format!("10.0.0.{last}/24")).unwrap();
            Stack::new(Box::new(port), Rc::clone(&clock) as _, [last; 32], &config).unwrap()
        };
        let stacks = [stack(1, 0), stack(2, 1)];
        Self { clock, stacks }
    }

    fn networks(&self) -> (Network, Network) {
        (self.stacks[0].network(), self.stacks[1].network())
    }

    /// Polls everything, in steps of 100 us, until `future` is ready.
    fn run<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        let mut context = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
                return value;
            }
            for stack in &self.stacks {
                stack.poll(self.clock.now());
            }
            let step = self.clock.now().after(Duration::from_micros(100));
            self.clock.advance_to(step);
        }
    }
}

async fn send(socket: &mut TcpSocket, bytes: &[u8], total: usize) {
    for _ in 0..total / bytes.len() {
        socket.write_all(bytes).await.unwrap();
    }
}

async fn receive(socket: &mut TcpSocket, into: &mut [u8], total: usize) {
    let mut left = total;
    while left > 0 {
        left -= socket.read(into).await.unwrap();
    }
}

/// Allocations while 4 MiB go one way, after the first 4 MiB went.
fn allocations(offloads: Offloads) -> usize {
    const TOTAL: usize = 4 << 20;
    let pair = Pair::new(offloads);
    let (client, server) = pair.networks();
    let accept = async {
        let mut socket = server.tcp_socket(TcpBuffers::default()).unwrap();
        socket.accept(80, Duration::from_secs(9)).await.unwrap();
        socket
    };
    let connect = client.connect("10.0.0.2:80".parse().unwrap());
    let (mut from, mut to) = pair.run(join(async { connect.await.unwrap() }, accept));
    let (bytes, mut into) = (vec![7; 32 << 10], vec![0; 32 << 10]);
    let mut before = 0;
    for _ in 0..2 {
        before = ALLOCATIONS.load(Relaxed);
        let sending = send(&mut from, &bytes, TOTAL);
        pair.run(join(sending, receive(&mut to, &mut into, TOTAL)));
    }
    ALLOCATIONS.load(Relaxed) - before
}

/// One test, because the count is of the whole program.
#[test]
fn frames_come_and_go_without_any_allocation() {
    assert_eq!(allocations(Offloads::default()), 0);
    let all = Offloads {
        checksums: true,
        segments_v4: true,
        segments_v6: true,
        max_segment: LONGEST,
    };
    assert_eq!(allocations(all), 0);
}
