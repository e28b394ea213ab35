//! A router of ours that a machine is plugged into: it serves one file, and has its own way with pings.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use airlock_cli::serve::{Content, DIGEST_HEADER};
use clock::Clock;
use embedded_io_async::{Read, Write};
use frame::{Incoming, Outgoing};
use net::{Config, FramePort, Network, Stack, TcpBuffers};
use testkit::wire::{Manner, echo, is_ping};

/// The boot arguments of a machine on this network.
pub const BOOT_ARGUMENTS: &str = "ip=10.0.2.15/24,10.0.2.2 fetch.url=http://10.0.2.2/file";
/// How long the router listens to the machine before it looks at its own work.
const TURN: Duration = Duration::from_millis(1);

/// What the router does with pings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pings {
    /// Answers at once, in that manner.
    Answered(Manner),
    /// Answers as it should, when nobody waits any more.
    Late(Duration),
}

/// The other end of `--net udp:LOCAL:PEER`, at 10.0.2.2. It ends with this value.
pub struct Gateway {
    network: String,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Gateway {
    /// Starts to route and to serve `content`.
    ///
    /// # Errors
    /// Loopback has no free ports.
    pub fn start(pings: Pings, content: &Content) -> io::Result<Self> {
        let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        peer.set_read_timeout(Some(TURN))?;
        // QEMU takes this port in a moment; nobody else is given it so soon.
        let local = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let network = format!("udp:{}:{}", local.port(), peer.local_addr()?.port());
        peer.connect(local)?;
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, content) = (Arc::clone(&stop), content.clone());
        let thread = thread::spawn(move || route(&peer, pings, &content, &stopped));
        Ok(Self {
            network,
            stop,
            thread: Some(thread),
        })
    }

    /// The value of `--net`.
    #[must_use]
    pub fn network(&self) -> &str {
        &self.network
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

/// Frames on their way to the router's stack, and from it.
#[derive(Clone, Default)]
struct Line {
    incoming: Rc<RefCell<VecDeque<Vec<u8>>>>,
    outgoing: Rc<RefCell<VecDeque<Vec<u8>>>>,
}

impl FramePort for Line {
    fn mac(&self) -> [u8; 6] {
        [0x52, 0x55, 10, 0, 2, 2]
    }

    fn max_frame(&self) -> usize {
        1514
    }

    fn room(&mut self) -> usize {
        self.max_frame()
    }

    fn send(&mut self, parts: &[&[u8]], _: Outgoing) {
        self.outgoing.borrow_mut().push_back(parts.concat());
    }

    fn receive(&mut self, into: &mut [u8]) -> Option<Incoming> {
        let frame = self.incoming.borrow_mut().pop_front()?;
        into.get_mut(..frame.len())?.copy_from_slice(&frame);
        Some(Incoming {
            len: frame.len(),
            checksum: None,
            segment_size: None,
        })
    }

    fn flush(&mut self) {}
}

/// The clock of this host.
struct HostClock(Instant);

impl Clock for HostClock {
    fn now(&self) -> clock::Instant {
        clock::Instant::from_nanos(u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn relax(&self) {
        thread::sleep(TURN);
    }
}

/// Routes until `stopped`.
fn route(peer: &UdpSocket, pings: Pings, content: &Content, stopped: &AtomicBool) {
    let clock: Rc<dyn Clock> = Rc::new(HostClock(Instant::now()));
    let line = Line::default();
    let config = Config::parse("10.0.2.2/24").expect("a good address");
    let port = Box::new(line.clone());
    let stack = Stack::new(port, Rc::clone(&clock), [7; 32], &config).expect("a good port");
    let network = stack.network();
    let mut serving = pin!(serve(&network, content));
    let mut late = VecDeque::new();
    let mut frame = [0; 2048];
    while !stopped.load(Ordering::Relaxed) {
        if let Ok(len) = peer.recv(&mut frame) {
            match (frame.get(..len), pings) {
                (Some(ping), Pings::Answered(manner)) if is_ping(ping) => {
                    line.outgoing.borrow_mut().extend(echo(ping, manner));
                }
                (Some(ping), Pings::Late(by)) if is_ping(ping) => {
                    let answer = echo(ping, Manner::Polite);
                    late.extend(answer.map(|answer| (Instant::now() + by, answer)));
                }
                (Some(frame), _) => line.incoming.borrow_mut().push_back(frame.to_vec()),
                (None, _) => {}
            }
        }
        while let Some((_, answer)) = late.pop_front_if(|(due, _)| *due <= Instant::now()) {
            line.outgoing.borrow_mut().push_back(answer);
        }
        stack.poll(clock.now());
        let polled = serving
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(polled, Poll::Pending, "a server does not end");
        stack.poll(clock.now());
        for frame in line.outgoing.borrow_mut().drain(..) {
            // Until QEMU listens, a frame is lost: that is a network.
            let _lost = peer.send(&frame);
        }
    }
}

/// Serves `content` on port 80, one connection after the other, for ever.
async fn serve(network: &Network, content: &Content) {
    loop {
        if let Err(error) = serve_once(network, content).await {
            println!("gateway: {error}");
        }
    }
}

async fn serve_once(network: &Network, content: &Content) -> Result<(), net::Error> {
    let mut socket = network.tcp_socket(TcpBuffers::default())?;
    socket.accept(80, Duration::from_secs(60)).await?;
    let mut request = Vec::new();
    let mut piece = [0; 512];
    while !request.ends_with(b"\r\n\r\n") {
        let len = socket.read(&mut piece).await?;
        request.extend(piece.iter().take(len));
    }
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{DIGEST_HEADER}: {}\r\n\r\n",
        content.bytes.len(),
        content.digest()
    );
    socket.write_all(head.as_bytes()).await?;
    socket.write_all(&content.bytes).await?;
    // The machine closes when it has all of it.
    while socket.read(&mut piece).await? != 0 {}
    socket.close().await
}
