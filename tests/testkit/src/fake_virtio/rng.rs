//! A source of bytes in small.

use super::{Personality, Ring};

/// Gives bytes that count up.
#[derive(Debug, Default)]
pub struct FakeRng {
    /// The next byte.
    pub next: u8,
}

impl Personality for FakeRng {
    fn kind(&self) -> u16 {
        4
    }

    fn class(&self) -> u32 {
        0xff_0000
    }

    fn features(&self) -> u64 {
        0
    }

    fn queues(&self) -> usize {
        1
    }

    fn config(&self, _at: u64, _ready: bool) -> u8 {
        0
    }

    fn process(&mut self, _index: usize, ring: &mut Ring<'_>) {
        while let Some(chain) = ring.take() {
            let len: u32 = chain.writable.iter().map(|r| r.len).sum();
            let bytes: Vec<u8> = (0..len).map(|i| self.next.wrapping_add(i as u8)).collect();
            self.next = self.next.wrapping_add(len as u8);
            let written = ring.write(&chain, &bytes);
            ring.complete(&chain, written as u32);
        }
    }
}
