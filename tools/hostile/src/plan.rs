//! What the payload under attack does, step by step, so that a judge who does not believe it can say
//! what an honest outcome would have been.

use alloc::vec::Vec;

use crate::content::{self, Digest, SECTOR, WRITABLE};
use crate::random::Random;

/// What no shared page may ever hold eight times in a row: the payload's memory is full of it, and
/// nothing that it sends, or is sent, is.
pub const CANARY: u8 = 0xc9;
/// The disk that does not exist.
const NOBODY: u8 = 0x80;
/// Steps on each disk.
pub const STEPS: u32 = 24;
/// Datagrams to the peer.
pub const DATAGRAMS: u32 = 12;

/// Records to the port that gives them back.
pub const RECORDS: u32 = 10;

/// A step on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// First sector.
    pub sector: u64,
    /// Sectors.
    pub sectors: usize,
    /// Whether the payload writes there first.
    pub write: bool,
}

/// Step `number`. Each fourth writes, to sectors of its own.
#[must_use]
pub fn step(number: u32) -> Step {
    const SECTORS: [usize; 8] = [1, 8, 2, 4, 64, 1, 130, 3];
    let sectors = SECTORS
        .into_iter()
        .cycle()
        .nth(number as usize)
        .unwrap_or(1);
    let write = number % 4 == 3;
    let sector = if write {
        WRITABLE + u64::from(number) * 8
    } else {
        u64::from(number).wrapping_mul(37) % (WRITABLE - 200)
    };
    Step {
        sector,
        sectors,
        write,
    }
}

/// The bytes that an honest disk `disk` gives at the end of step `number`.
#[must_use]
pub fn bytes(disk: u8, number: u32) -> Vec<u8> {
    let step = step(number);
    let mut bytes = alloc::vec![0; step.sectors * SECTOR];
    // What is written is the content of a disk that does not exist, whichever disk it is written to.
    let holder = if step.write { NOBODY } else { disk };
    content::fill(holder, step.sector, &mut bytes);
    bytes
}

/// Datagram `number`.
#[must_use]
pub fn datagram(number: u32) -> Vec<u8> {
    let mut random = Random::new(number.into());
    let len = 1 + random.below(1400);
    (0..len).map(|_| random.next().to_le_bytes()[0]).collect()
}

/// Record `number`.
#[must_use]
pub fn record(number: u32) -> Vec<u8> {
    let mut random = Random::new(u64::from(number) + 0x7265_6300);
    let len = 1 + random.below(900);
    (0..len).map(|_| random.next().to_le_bytes()[0]).collect()
}

/// The digest of the steps whose bits are set in `accepted`, with what `bytes` gives for each.
#[must_use]
pub fn digest(accepted: u64, bytes: impl Fn(u32) -> Vec<u8>) -> Digest {
    let mut digest = Digest::new();
    for number in (0..64).filter(|number| accepted >> number & 1 == 1) {
        digest.add(&bytes(number));
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::CAPACITY;

    #[test]
    fn steps_stay_on_the_disk_and_writes_do_not_meet() {
        let mut written = Vec::new();
        for number in 0..STEPS {
            let step = step(number);
            let end = step.sector + step.sectors as u64;
            assert!(end <= if step.write { CAPACITY } else { WRITABLE });
            if step.write {
                assert!(
                    written
                        .iter()
                        .all(|(from, to)| end <= *from || *to <= step.sector)
                );
                written.push((step.sector, end));
            }
        }
        assert_eq!(written.len(), 6);
    }

    #[test]
    fn nothing_that_is_sent_looks_like_what_may_not_be() {
        let clean = |bytes: Vec<u8>| bytes.windows(8).all(|run| run != [CANARY; 8]);
        assert!((0..STEPS).all(|number| clean(bytes(0, number)) && clean(bytes(1, number))));
        assert!((0..DATAGRAMS).all(|number| clean(datagram(number))));
        assert!((0..RECORDS).all(|number| clean(record(number))));
    }
}
