//! The memory that data of requests lies in: chunks of one long slot.

use alloc::rc::Rc;
use alloc::vec::Vec;

use bounce::{Purpose, Slot, World};

use crate::Error;
use crate::blk::wire::REQUEST_QUEUE;
use crate::device::Device;
use crate::needs::Want;

/// Bytes of a chunk.
pub(crate) const CHUNK: usize = 16 * 1024;
/// Chunks that are wanted: for 1 MiB on its way.
const WANTED: usize = 64;
/// Fewest chunks to work with.
const LEAST: usize = 2;
const ALIGN: usize = 4096;

/// What the chunks need of a pool.
pub(crate) const WANT: Want = Want {
    least: LEAST,
    wanted: WANTED,
    len: CHUNK,
    align: ALIGN,
};

/// Neighbouring chunks: one run of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// Offset of the first byte.
    pub(crate) at: usize,
    /// Bytes that hold data; the last chunk may have more.
    pub(crate) len: usize,
}

impl Run {
    /// Its first chunk, and how many it has.
    fn chunks(self) -> (u32, u32) {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        (number(self.at / CHUNK), number(self.len.div_ceil(CHUNK)))
    }
}

/// All chunks, and which are free. Nothing here allocates after it was made.
pub(crate) struct Chunks<W: World> {
    slot: Rc<Slot<W>>,
    free: u64,
}

impl<W: World> Chunks<W> {
    /// Leases `count` chunks, 64 at most.
    pub(crate) fn lease(device: &Device<W>, count: usize) -> Result<Self, Error> {
        let count = count.min(WANTED);
        let slot = device.lease(count * CHUNK, ALIGN)?;
        let used = u32::try_from(WANTED - count).unwrap_or(u64::BITS);
        let free = u64::MAX.checked_shr(used).unwrap_or(0);
        Ok(Self { slot, free })
    }

    /// Whether a chunk is free.
    pub(crate) fn any(&self) -> bool {
        self.free != 0
    }

    /// Bytes that are free, and of the largest run of them.
    pub(crate) fn free(&self) -> (usize, usize) {
        let (mut rest, mut largest) = (self.free, 0);
        while rest != 0 {
            rest >>= rest.trailing_zeros();
            let run = rest.trailing_ones();
            largest = largest.max(run);
            rest = rest.checked_shr(run).unwrap_or(0);
        }
        let bytes = |chunks: u32| chunks as usize * CHUNK;
        (bytes(self.free.count_ones()), bytes(largest))
    }

    /// Takes chunks for up to `wanted` bytes, in at most `most` runs and as many as `runs` has room
    /// for, which are put there; says how many bytes they hold together.
    pub(crate) fn take(&mut self, wanted: usize, most: usize, runs: &mut Vec<Run>) -> usize {
        let most = most.min(runs.capacity());
        let mut got = 0;
        while got < wanted && self.free != 0 && runs.len() < most {
            let first = self.free.trailing_zeros();
            let together = (self.free >> first).trailing_ones();
            let at = first as usize * CHUNK;
            let len = (wanted - got).min(together as usize * CHUNK);
            let run = Run { at, len };
            self.free &= !mask(run);
            runs.push(run);
            got += len;
        }
        got
    }

    /// Frees the chunks of `runs`, and empties it.
    pub(crate) fn give_back(&mut self, runs: &mut Vec<Run>) {
        for run in runs.drain(..) {
            self.free |= mask(run);
        }
    }

    /// The slot that the runs lie in.
    pub(crate) fn slot(&self) -> &Slot<W> {
        &self.slot
    }

    /// Copies `bytes` of request `index` into `runs`, which hold as many. What lies behind them is cleared
    /// where slots are kept apart.
    pub(crate) fn copy_out(&self, index: u16, runs: &[Run], bytes: &[u8]) -> Result<(), Error> {
        self.label(index);
        let mut rest = bytes;
        for run in runs {
            let (now, later) = rest.split_at_checked(run.len).ok_or(Error::QueueFull)?;
            self.slot.copy_out(run.at, now)?;
            let (_, chunks) = run.chunks();
            let end = chunks as usize * CHUNK;
            self.slot.clear_gap(run.at + run.len, end - run.len)?;
            rest = later;
        }
        Ok(())
    }

    /// Copies what is in `runs` of request `index` into `into`, which has as many bytes.
    pub(crate) fn fetch(&self, index: u16, runs: &[Run], into: &mut [u8]) -> Result<(), Error> {
        self.label(index);
        let mut rest = into;
        for run in runs {
            let (now, later) = rest.split_at_mut_checked(run.len).ok_or(Error::QueueFull)?;
            let data = self.slot.copy_in(run.at, now)?;
            data.opaque("who reads a disk of the host");
            rest = later;
        }
        Ok(())
    }
}

impl<W: World> Chunks<W> {
    /// Says whose the next copies are.
    fn label(&self, index: u16) {
        self.slot.label(REQUEST_QUEUE, index, Purpose::Data);
    }
}

/// The bits of the chunks of `run`.
fn mask(run: Run) -> u64 {
    let (first, count) = run.chunks();
    let ones = u64::MAX.checked_shr(u64::BITS - count.min(u64::BITS));
    ones.unwrap_or(0).checked_shl(first).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_has_a_bit_for_each_chunk_of_a_run() {
        let bits = |first: usize, len| {
            mask(Run {
                at: first * CHUNK,
                len,
            })
        };
        assert_eq!(bits(0, 1), 1);
        assert_eq!(bits(3, CHUNK), 0b1000);
        assert_eq!(bits(3, CHUNK + 1), 0b1_1000);
        assert_eq!(bits(63, CHUNK), 1 << 63);
        assert_eq!(bits(0, 64 * CHUNK), u64::MAX);
    }
}
