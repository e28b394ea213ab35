//! Hashes on all processors while the file comes: what `fetch.hash=` asks for. Instructions are told where
//! the processor counts them; under QEMU with `-icount` they are those of all processors together.

use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use airlock::{Cpus, Instructions, Job, Realm, println, processor, uptime};
use embassy_futures::yield_now;
use sha2::{Digest as _, Sha256};

use crate::digest::Digest;
use crate::time::millis;

/// Bytes that are hashed at a time: the network has its turn between two of them where there is no
/// other processor.
const PIECE: usize = 64 << 10;

/// What one processor did.
struct Done {
    processor: u64,
    took: Duration,
    instructions: Option<u64>,
    digest: Digest,
}

/// Hashes under way.
pub struct Crowd {
    jobs: Vec<Job<Done>>,
    bytes: u64,
    began: Duration,
}

impl Crowd {
    /// Lets every processor but the first hash its share of `bytes`; the first does where there is no
    /// other.
    pub fn start(realm: &Realm, bytes: u64) -> Self {
        let cpus: &Cpus = realm.cpus();
        let workers = (cpus.count() - 1).max(1) as u64;
        let share = bytes / workers;
        Self {
            began: uptime(),
            bytes: share,
            jobs: (0..workers).map(|_| cpus.spawn(hash(share))).collect(),
        }
    }

    /// Waits for all of them, and prints what each did.
    pub async fn finish(self) {
        let count = self.jobs.len();
        for job in self.jobs {
            let done = job.await;
            let millis = millis(done.took);
            match done.instructions {
                Some(count) => println!(
                    "hash: processor {}: {} bytes in {millis} ms, {count} instructions, {}",
                    done.processor, self.bytes, done.digest
                ),
                None => println!(
                    "hash: processor {}: {} bytes in {millis} ms, {}",
                    done.processor, self.bytes, done.digest
                ),
            }
        }
        let took = millis(uptime().saturating_sub(self.began));
        println!("hash: all {count} done after {took} ms");
    }
}

/// Hashes `bytes` zeros.
async fn hash(bytes: u64) -> Done {
    let (began, counter) = (uptime(), Instructions::start());
    let piece = vec![0; PIECE];
    let (mut hash, mut left) = (Sha256::new(), bytes);
    let mut instructions = counter.map(|_| 0);
    while left != 0 {
        let before = counter.map(Instructions::so_far);
        let len = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        hash.update(piece.get(..len).unwrap_or_default());
        left -= len as u64;
        let spent = counter
            .zip(before)
            .map(|(c, before)| c.so_far().wrapping_sub(before));
        instructions = instructions
            .zip(spent)
            .map(|(sum, spent)| sum + u64::from(spent));
        yield_now().await;
    }
    Done {
        processor: processor(),
        took: uptime().saturating_sub(began),
        instructions,
        digest: Digest::new(hash),
    }
}
