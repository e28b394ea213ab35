//! A network that sends frames as fast as it can, and never what was asked for.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

/// Frames in one round of [`frame()`].
pub const KINDS: u64 = 6;

/// The other end of `--net udp:LOCAL:PEER`. It ends with this value.
pub struct Flood {
    network: String,
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Flood {
    /// Starts to send.
    ///
    /// # Errors
    /// Loopback has no free ports.
    pub fn start() -> io::Result<Self> {
        let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        // QEMU takes this port in a moment; nobody else is given it so soon.
        let local = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let network = format!("udp:{}:{}", local.port(), peer.local_addr()?.port());
        let (stop, sent) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let (stopped, counter) = (Arc::clone(&stop), Arc::clone(&sent));
        let thread = thread::spawn(move || {
            for number in 0.. {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                // Until QEMU listens, and when its queue is full, a frame is lost: that is a network.
                if peer.send_to(&frame(number), local).is_ok() {
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Ok(Self {
            network,
            stop,
            sent,
            thread: Some(thread),
        })
    }

    /// The value of `--net`.
    #[must_use]
    pub fn network(&self) -> &str {
        &self.network
    }

    /// Frames that were sent.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

/// One of several kinds of frames that a stack must survive.
#[must_use]
pub fn frame(number: u64) -> Vec<u8> {
    let noise = noise(number);
    let length = match number % KINDS {
        // An ARP request, for which the sender is a new one each time.
        0 => return with_type([0x08, 0x06], &arp(number)),
        // An IPv4 packet that lies about its lengths.
        1 => {
            return with_type(
                [0x08, 0x00],
                &[&[0x4f, 0, 0xff, 0xff], &noise[..60]].concat(),
            );
        }
        // IPv6, of any kind.
        2 => return with_type([0x86, 0xdd], &[&[0x60], &noise[..200]].concat()),
        // A frame that ends within its header.
        3 => 7,
        // A frame of full length.
        4 => 1514,
        // A frame beyond all lengths of Ethernet.
        _ => 9000,
    };
    let mut bytes = vec![0xff; length];
    bytes
        .iter_mut()
        .skip(6)
        .zip(noise.iter().cycle())
        .for_each(|(byte, noise)| *byte = *noise);
    bytes
}

/// A broadcast frame.
fn with_type(kind: [u8; 2], content: &[u8]) -> Vec<u8> {
    let sender = [0x52, 0x54, 0, 0xbb, 0xbb, 0xbb];
    [&[0xff; 6][..], &sender, &kind, content].concat()
}

fn arp(number: u64) -> Vec<u8> {
    let [a, b, c, d, ..] = number.to_le_bytes();
    let head = [0, 1, 8, 0, 6, 4, 0, 1];
    let sender = [0x52, 0x54, a, b, c, d, 10, a, b, c];
    let target = [0, 0, 0, 0, 0, 0, 10, 0, 2, 15];
    [&head[..], &sender, &target].concat()
}

/// Bytes that differ from frame to frame and not from run to run (xorshift).
fn noise(number: u64) -> [u8; 256] {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::array::from_fn(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    })
}
