//! Requests of a guest to its peer, and the bytes that must arrive.
//!
//! A connection carries one request after the other, each of 16 bytes. Content is the same everywhere:
//! byte *i* of a transfer is *i* modulo 251, so a byte at a wrong place is seen.

use alloc::vec;
use alloc::vec::Vec;

/// Bytes of a request.
pub const REQUEST: usize = 16;
/// Bytes of the answer to [`Request::Sink`].
pub const ANSWER: usize = 8;
/// The period of the content.
const PERIOD: usize = 251;
/// Bytes of a whole number of periods, near 64 KiB: transfers are made of them.
pub const PERIODIC: usize = PERIOD * 256;
/// Bytes of a message of a round trip.
pub const MESSAGE: usize = 64;

/// What a guest asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Take so many bytes, check them, and answer with their number, or [`WRONG`].
    Sink(u64),
    /// Send so many bytes.
    Source(u64),
    /// Give back so many messages of [`MESSAGE`] bytes.
    Echo(u64),
}

/// The answer of a peer that got other bytes than it should have.
pub const WRONG: u64 = u64::MAX;

impl Request {
    /// As it goes over the wire.
    #[must_use]
    pub fn to_bytes(self) -> [u8; REQUEST] {
        let (word, count): (u64, u64) = match self {
            Self::Sink(count) => (1, count),
            Self::Source(count) => (2, count),
            Self::Echo(count) => (3, count),
        };
        let both = u128::from(word) | (u128::from(count) << 64);
        both.to_le_bytes()
    }

    /// From the wire.
    #[must_use]
    pub fn from_bytes(bytes: [u8; REQUEST]) -> Option<Self> {
        let both = u128::from_le_bytes(bytes);
        let count = u64::try_from(both >> 64).ok()?;
        match both & u128::from(u64::MAX) {
            1 => Some(Self::Sink(count)),
            2 => Some(Self::Source(count)),
            3 => Some(Self::Echo(count)),
            _ => None,
        }
    }
}

/// Writes the content of a transfer from `position` on.
///
/// One period is written, and the rest copied from it, twice as much each time: what is measured is how bytes get to
/// the peer, and not how they are thought up.
pub fn fill(bytes: &mut [u8], position: u64) {
    let mut value = start(position);
    for byte in bytes.iter_mut().take(PERIOD) {
        *byte = value;
        value = next(value);
    }
    let mut done = PERIOD;
    while done < bytes.len() {
        let len = done.min(bytes.len() - done);
        bytes.copy_within(..len, done);
        done += len;
    }
}

/// What is sent in pieces of `chunk` bytes: two periods, so that a piece can begin anywhere in the first.
#[must_use]
pub fn content(chunk: usize) -> Vec<u8> {
    let mut content = vec![0; PERIODIC.max(chunk) * 2];
    fill(&mut content, 0);
    content
}

/// Whether `bytes` are the content of a transfer from `position` on.
#[must_use]
pub fn is_right(bytes: &[u8], position: u64) -> bool {
    let mut value = start(position);
    bytes.iter().all(|byte| {
        let right = *byte == value;
        value = next(value);
        right
    })
}

fn start(position: u64) -> u8 {
    u8::try_from(position % PERIOD as u64).unwrap_or(0)
}

const fn next(value: u8) -> u8 {
    if value as usize + 1 == PERIOD {
        0
    } else {
        value + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_survive_the_wire() {
        for request in [Request::Sink(1), Request::Source(1 << 40), Request::Echo(0)] {
            assert_eq!(Request::from_bytes(request.to_bytes()), Some(request));
        }
        assert_eq!(Request::from_bytes([9; REQUEST]), None);
    }

    #[test]
    fn content_of_any_length_is_right() {
        for len in [
            0,
            1,
            PERIOD - 1,
            PERIOD,
            PERIOD + 1,
            2 * PERIOD,
            1000,
            PERIODIC + 3,
        ] {
            let mut room = [0xff; PERIODIC + 3];
            let bytes = &mut room[..len];
            fill(bytes, 77);
            assert!(is_right(bytes, 77), "{len}");
        }
    }

    #[test]
    fn a_byte_at_a_wrong_place_is_seen() {
        let mut bytes = [0; 600];
        fill(&mut bytes, 1000);
        assert!(is_right(&bytes, 1000) && is_right(&bytes[100..], 1100));
        assert!(!is_right(&bytes, 1001));
        bytes.swap(10, 11);
        assert!(!is_right(&bytes, 1000));
    }

    #[test]
    fn a_periodic_piece_can_be_sent_again_and_again() {
        let mut piece = [0; PERIODIC];
        fill(&mut piece, 0);
        assert!(is_right(&piece, PERIODIC as u64 * 7));
    }
}
