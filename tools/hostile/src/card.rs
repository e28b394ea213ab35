//! A network card: frames out go to the peer, and what it answers comes in.
//!
//! Ref: virtio 1.2, 5.1.6 "Device Operation".

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::disk::spoil;
use crate::liar::Liar;
use crate::memory::{Memory, Unreachable, gather, scatter};
use crate::peer;
use crate::place::Point;
use crate::queue::{Chain, Queue, Voice};
use crate::vectors::Due;

/// Feature: the card has an address.
pub const MAC: u64 = 1 << 5;
/// Feature: a frame may lie in several buffers.
pub const MERGEABLE: u64 = 1 << 15;
/// Features: checksums and TCP segments of frames out, and in.
pub const OFFLOADS: u64 = 1 | 1 << 1 | 1 << 7 | 1 << 8 | 1 << 11 | 1 << 12;
/// Queue of frames that come in.
const RECEIVE: usize = 0;
/// Requests that are served at one doorbell; a driver that wants more rings again.
const BATCH: usize = 256;
/// Its address.
const ADDRESS: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
const HEADER: usize = 12;
/// Frames that wait for a buffer; more are lost.
const WAITING: usize = 64;
const LONGEST: usize = 0x1_2000;

/// A card and what is on its way in.
#[derive(Clone, Debug, Default)]
pub struct Card {
    waiting: VecDeque<Vec<u8>>,
}

impl Card {
    /// The device configuration: address, and link up.
    #[must_use]
    pub const fn config() -> [u8; 8] {
        let [a, b, c, d, e, f] = ADDRESS;
        [a, b, c, d, e, f, 1, 0]
    }

    /// Takes a frame out, and keeps what comes back.
    fn transmit(
        &mut self,
        memory: &mut impl Memory,
        liar: &mut Liar,
        voice: Voice,
        chain: &Chain,
    ) -> Result<(), Unreachable> {
        let bytes = gather(memory, &chain.readable, LONGEST)?;
        let frame = bytes.get(HEADER..).unwrap_or_default();
        if let Some(answer) = peer::answer(frame) {
            self.queue(answer);
        }
        // Not an answer to anything, but made of what the driver will look at.
        if let Some(seed) = liar.misbehave(voice.place(Point::ExtraFrame)) {
            self.queue(forge(frame, seed));
        }
        Ok(())
    }

    /// Serves both queues; says which interrupts are due.
    ///
    /// # Errors
    ///
    /// [`Unreachable`]
    pub fn serve(
        &mut self,
        queues: &mut [Queue],
        memory: &mut impl Memory,
        liar: &mut Liar,
        voice: Voice,
    ) -> Result<Due, Unreachable> {
        let mut due = Due::default();
        let [receive, transmit] = queues else {
            return Ok(due);
        };
        for _ in 0..BATCH {
            let Some(chain) = transmit.take(memory)? else {
                break;
            };
            self.transmit(memory, liar, voice, &chain)?;
            due.note(1, transmit.give(memory, liar, voice, (chain.head, 0))?);
        }
        transmit.ask_for_doorbell(memory, liar, voice)?;
        while !self.waiting.is_empty() {
            let Some(chain) = receive.take(memory)? else {
                break;
            };
            let written = self.receive(memory, liar, voice, &chain)?;
            due.note(
                RECEIVE,
                receive.give(memory, liar, voice, (chain.head, written))?,
            );
        }
        receive.ask_for_doorbell(memory, liar, voice)?;
        Ok(due)
    }

    fn queue(&mut self, frame: Vec<u8>) {
        if self.waiting.len() < WAITING {
            self.waiting.push_back(frame);
        }
    }

    /// Puts the next frame into `chain`; says how many bytes were written.
    fn receive(
        &mut self,
        memory: &mut impl Memory,
        liar: &mut Liar,
        voice: Voice,
        chain: &Chain,
    ) -> Result<u32, Unreachable> {
        let frame = self.waiting.pop_front().unwrap_or_default();
        let frame = spoil(frame, liar, voice);
        let buffers = liar.say(voice.place(Point::Buffers), 1, 16);
        let first = liar.say(voice.place(Point::FrameHeader), 0, 64);
        let (first, last) = match liar.misbehave(voice.place(Point::Offload)) {
            Some(seed) => offload(frame.len(), seed),
            None => (first.to_le_bytes(), [0; 2]),
        };
        let mut bytes = Vec::from(first);
        bytes.extend(last);
        bytes.extend(buffers.to_le_bytes().iter().take(2));
        bytes.extend(frame);
        let written = scatter(memory, &chain.writable, &bytes)?;
        Ok(u32::try_from(written).unwrap_or(u32::MAX))
    }
}

/// What no honest card says of a frame of `len` bytes that is whole: its checksum is open, or it is to be cut.
/// Flags, kind, bytes of the headers, bytes of a segment, where the checksum starts; and where it stands.
///
/// Ref: virtio 1.2, 5.1.6.
fn offload(len: usize, seed: u64) -> ([u8; 8], [u8; 2]) {
    const KINDS: [u8; 8] = [0, 1, 1, 3, 4, 5, 0x81, 0xff];
    let mut random = crate::random::Random::new(seed);
    let mut near = |usual: u64| {
        let value = match random.below(4) {
            0 => random.below(len as u64 + 64),
            1 => random.next(),
            2 => usual + random.below(3) - 1,
            _ => usual,
        };
        let [low, high, ..] = value.to_le_bytes();
        [low, high]
    };
    let ([h0, h1], [g0, g1]) = (near(54), near(536));
    let ([s0, s1], last) = (near(34), near(6));
    let [flags, kind, ..] = random.next().to_le_bytes();
    let kind = KINDS.get(usize::from(kind % 8)).copied().unwrap_or(0);
    ([flags % 4, kind, h0, h1, g0, g1, s0, s1], last)
}

/// A frame to the sender of `frame`: its own words, with some of them changed.
fn forge(frame: &[u8], seed: u64) -> Vec<u8> {
    let mut random = crate::random::Random::new(seed);
    let mut forged = frame.to_vec();
    let (to, from) = (frame.get(6..12), frame.get(0..6));
    if let (Some(to), Some(from)) = (to, from) {
        forged.splice(0..12, to.iter().chain(from).copied());
    }
    for _ in 0..random.below(6) {
        let at = usize::try_from(random.below(forged.len() as u64)).unwrap_or(0);
        let byte = random.next().to_le_bytes()[0];
        if let Some(place) = forged.get_mut(at) {
            *place = byte;
        }
    }
    let longest = random.below(1600);
    forged.truncate(usize::try_from(longest).unwrap_or(0));
    forged
}
