//! Which blocks of a run of memory are somebody else's at the moment.

use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};

use crate::layout::BLOCK;

/// Words of the set, each for 64 blocks.
const WORDS: usize = 64;
/// Most blocks of a set: 8 GiB.
pub const MOST_BLOCKS: u64 = 64 * WORDS as u64;

/// A set of blocks of 2 MiB, in a run that is known later. It can be read while whoever changes it is
/// interrupted for good.
pub struct BlockSet {
    base: AtomicU64,
    words: [AtomicU64; WORDS],
}

impl BlockSet {
    /// An empty set.
    pub const fn new() -> Self {
        Self {
            base: AtomicU64::new(0),
            words: [const { AtomicU64::new(0) }; WORDS],
        }
    }

    /// Says where the first block is.
    pub fn begin(&self, base: u64) {
        self.base.store(base, Ordering::Relaxed);
    }

    /// Adds the block at `address`.
    pub fn add(&self, address: u64) {
        if let Some((word, bit)) = self.place(address) {
            word.fetch_or(bit, Ordering::Relaxed);
        }
    }

    /// Takes the block at `address` out.
    pub fn remove(&self, address: u64) {
        if let Some((word, bit)) = self.place(address) {
            word.fetch_and(!bit, Ordering::Relaxed);
        }
    }

    /// Whether the block that holds `address` is in it.
    pub fn holds(&self, address: u64) -> bool {
        let place = self.place(address);
        place.is_some_and(|(word, bit)| word.load(Ordering::Relaxed) & bit != 0)
    }

    /// Bytes of its blocks.
    pub fn bytes(&self) -> u64 {
        let ones = self.words.iter();
        let ones = ones.map(|word| u64::from(word.load(Ordering::Relaxed).count_ones()));
        ones.sum::<u64>() * BLOCK
    }

    /// The parts of `run` that are in none of its blocks.
    pub fn outside(&self, run: Range<u64>) -> impl Iterator<Item = Range<u64>> {
        let mut start = run.start;
        core::iter::from_fn(move || {
            while start < run.end && self.holds(start) {
                start = next_block(start);
            }
            let first = start;
            while start < run.end && !self.holds(start) {
                start = next_block(start);
            }
            let end = start.min(run.end);
            (first < end).then_some(first..end)
        })
    }

    fn place(&self, address: u64) -> Option<(&AtomicU64, u64)> {
        let offset = address.checked_sub(self.base.load(Ordering::Relaxed))?;
        let block = offset / BLOCK;
        let word = usize::try_from(block / 64).ok()?;
        Some((self.words.get(word)?, 1 << (block % 64)))
    }
}

impl Default for BlockSet {
    fn default() -> Self {
        Self::new()
    }
}

fn next_block(address: u64) -> u64 {
    (address - address % BLOCK).saturating_add(BLOCK)
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    const BASE: u64 = 0x4000_0000;

    fn set(blocks: &[u64]) -> BlockSet {
        let set = BlockSet::new();
        set.begin(BASE);
        for block in blocks {
            set.add(BASE + block * BLOCK);
        }
        set
    }

    #[test]
    fn what_is_outside_is_all_but_the_blocks() {
        let set = set(&[1, 2, 63, 64]);
        let run = BASE + 0x1000..BASE + 66 * BLOCK + 5;
        let outside: Vec<_> = set.outside(run).collect();
        assert_eq!(
            outside,
            [
                BASE + 0x1000..BASE + BLOCK,
                BASE + 3 * BLOCK..BASE + 63 * BLOCK,
                BASE + 65 * BLOCK..BASE + 66 * BLOCK + 5
            ]
        );
        assert_eq!(set.bytes(), 4 * BLOCK);
    }

    #[test]
    fn other_memory_is_all_outside() {
        let set = set(&[0, MOST_BLOCKS - 1]);
        for run in [0..BASE, BASE + MOST_BLOCKS * BLOCK..u64::MAX - 9] {
            let ends = [run.start..run.start + 7, run.end - 7..run.end];
            for run in ends {
                assert_eq!(set.outside(run.clone()).collect::<Vec<_>>(), [run]);
            }
        }
        assert_eq!(set.outside(5..5).count(), 0);
        set.add(BASE - 1);
        set.add(BASE + MOST_BLOCKS * BLOCK);
        assert_eq!(set.bytes(), 2 * BLOCK);
    }

    #[test]
    fn a_block_that_is_taken_out_is_outside_again() {
        let set = set(&[3]);
        set.remove(BASE + 3 * BLOCK);
        assert_eq!(set.outside(BASE..BASE + 9 * BLOCK).count(), 1);
    }
}
