//! A network card in small.

use std::collections::VecDeque;

use super::{Personality, Ring};

const RECEIVE: usize = 0;
const HEADER: usize = 12;
const CSUM: u64 = 1 << 0;
const GUEST_CSUM: u64 = 1 << 1;
const GUEST_TSO: u64 = 1 << 7 | 1 << 8;
const HOST_TSO: u64 = 1 << 11 | 1 << 12;
const MAC: u64 = 1 << 5;
const MRG_RXBUF: u64 = 1 << 15;

/// A network card: keeps what it is sent, and delivers what the test puts in.
pub struct FakeNet {
    /// Its address.
    pub mac: [u8; 6],
    /// Features of the type that it offers.
    pub features: u64,
    /// Frames that the driver sent, without their headers.
    pub sent: Vec<Vec<u8>>,
    /// Headers of those frames.
    pub headers: Vec<Vec<u8>>,
    /// Frames to be delivered.
    pub incoming: VecDeque<Vec<u8>>,
    /// Whether what is sent comes back.
    pub echo: bool,
    /// What the 12 bytes before a delivered frame are, but for the number of buffers.
    pub header: [u8; HEADER],
    /// What the number of buffers is said to be.
    pub buffers: fn(u16) -> u16,
    /// Whether it completes sent frames.
    pub completes: bool,
    /// Whether the length of a completed send is that of the frame, as with lkvm, or 0.
    pub counts_reads: bool,
}

impl Default for FakeNet {
    fn default() -> Self {
        Self {
            mac: [2, 0x15, 0x15, 0x15, 0x15, 0x15],
            features: CSUM | MAC | MRG_RXBUF | 1 << 3 | 1 << 16 | 1 << 17,
            sent: Vec::new(),
            headers: Vec::new(),
            incoming: VecDeque::new(),
            echo: false,
            header: [0; HEADER],
            buffers: |n| n,
            completes: true,
            counts_reads: false,
        }
    }
}

impl FakeNet {
    /// A card that offers to cut frames, and to leave them whole.
    pub fn offloading() -> Self {
        let plain = Self::default();
        let features = plain.features | GUEST_CSUM | GUEST_TSO | HOST_TSO;
        Self { features, ..plain }
    }

    fn transmit(&mut self, ring: &mut Ring<'_>) {
        while self.completes
            && let Some(chain) = ring.take()
        {
            let bytes = ring.read(&chain);
            let len = bytes.len() as u32;
            let (header, frame) = bytes.split_at(HEADER.min(bytes.len()));
            if self.echo {
                self.incoming.push_back(frame.to_vec());
            }
            self.headers.push(header.to_vec());
            self.sent.push(frame.to_vec());
            ring.complete(&chain, if self.counts_reads { len } else { 0 });
        }
    }

    fn deliver(&mut self, ring: &mut Ring<'_>) {
        while !self.incoming.is_empty() && ring.available() {
            let frame = self.incoming.pop_front().expect("not empty");
            let mut bytes = self.header.to_vec();
            bytes.extend_from_slice(&frame);
            let mut pieces = Vec::new();
            let mut at = 0;
            while at < bytes.len()
                && let Some(chain) = ring.take()
            {
                let written = ring.write(&chain, &bytes[at..]);
                at += written;
                pieces.push((chain, written as u32));
            }
            let count = (self.buffers)(pieces.len() as u16);
            let Some((first, _)) = pieces.first() else {
                return;
            };
            let address = first.writable.first().map_or(0, |run| run.address);
            for (i, byte) in (10..).zip(count.to_le_bytes()) {
                ring.write_byte(address.wrapping_add(i), byte);
            }
            for (chain, written) in pieces {
                ring.complete(&chain, written);
            }
            ring.announce();
        }
    }
}

impl Personality for FakeNet {
    fn kind(&self) -> u16 {
        1
    }

    fn class(&self) -> u32 {
        0x02_0000
    }

    fn features(&self) -> u64 {
        self.features
    }

    fn queues(&self) -> usize {
        3
    }

    fn config(&self, at: u64, _ready: bool) -> u8 {
        self.mac.get(at as usize).copied().unwrap_or(0xff)
    }

    fn process(&mut self, index: usize, ring: &mut Ring<'_>) {
        if index == RECEIVE {
            self.deliver(ring);
        } else {
            self.transmit(ring);
        }
    }
}
