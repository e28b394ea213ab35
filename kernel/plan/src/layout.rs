//! Which RAM is used for what.

use alloc::vec::Vec;
use core::ops::Range;

use ipa::GRANULE_SIZE;

use crate::order::ordered;

/// Bytes of a block of the page tables, and what the bounce region is aligned to: so the rest of
/// RAM keeps its block mappings, here and in the tables of the RMM.
pub const BLOCK: u64 = 2 << 20;

/// Most runs of RAM that are used. The rest stays idle; machines have one or two.
const MAX_RUNS: usize = 32;

/// Why RAM cannot be laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayoutError {
    /// No 2 MiB of RAM, aligned to 2 MiB, are free.
    NoBlock,
    /// The bounce region that was asked for does not fit into any run of free RAM.
    NoRoom {
        /// Bytes that were asked for.
        wanted: u64,
    },
}

impl core::fmt::Display for LayoutError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoBlock => f.write_str("no free 2 MiB block of RAM is left to share"),
            Self::NoRoom { wanted } => {
                write!(f, "no run of free RAM has room for bounce={wanted}")
            }
        }
    }
}

/// The free RAM, divided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Private from now on, for the heap.
    pub private: Vec<Range<u64>>,
    /// Where the bounce region is going to be carved, from the top down; whole blocks. What is not
    /// needed becomes private memory as well.
    pub reserve: Range<u64>,
}

impl Layout {
    /// Divides the free runs. The reserve has `wanted` bytes rounded up to blocks, or, where
    /// nobody asked for a size, a quarter of the largest run but at most `most`.
    ///
    /// # Errors
    ///
    /// [`LayoutError`].
    pub fn new(free: &[Range<u64>], wanted: Option<u64>, most: u64) -> Result<Self, LayoutError> {
        let largest = free
            .iter()
            .filter_map(blocks)
            .max_by_key(len)
            .ok_or(LayoutError::NoBlock)?;
        let size = match wanted {
            Some(wanted) => wanted
                .max(1)
                .checked_next_multiple_of(BLOCK)
                .filter(|size| *size <= len(&largest)),
            None => Some((len(&largest) / 4).min(most).next_multiple_of(BLOCK)),
        };
        let size = size.ok_or(LayoutError::NoRoom {
            wanted: wanted.unwrap_or(BLOCK),
        })?;
        let reserve = largest.end - size..largest.end;
        let private = subtract(free, core::slice::from_ref(&reserve));
        Ok(Self { private, reserve })
    }
}

/// Takes `size` bytes, a multiple of a granule, off the upper end of the largest of `runs`; `None`, and
/// nothing is taken, if that one is no larger.
pub fn carve(runs: &mut [Range<u64>], size: u64) -> Option<Range<u64>> {
    let largest = runs.iter_mut().max_by_key(|run| len(run))?;
    let start = largest.end.checked_sub(size)?;
    if start <= largest.start {
        return None;
    }
    let carved = start..largest.end;
    largest.end = start;
    Some(carved)
}

/// Takes up to `most` whole blocks off the upper end of the run that has the most of them, and below what a
/// balloon can tell (2⁴⁴ bytes). What lies above them stays a run.
pub fn carve_blocks(runs: &mut Vec<Range<u64>>, most: u64) -> Option<Range<u64>> {
    let told = 0..1 << 44;
    let within = |run: &Range<u64>| blocks(&(run.start..run.end.min(told.end)));
    let largest = runs.iter().filter_map(within).max_by_key(len)?;
    let size = len(&largest).min(most.saturating_mul(BLOCK));
    let carved = largest.end - size..largest.end;
    *runs = subtract(runs, core::slice::from_ref(&carved));
    (!carved.is_empty()).then_some(carved)
}

/// The whole granules of `memory` that are in none of `taken`: sorted, disjoint, at most 32.
pub fn free_runs(memory: &[Range<u64>], taken: &[Range<u64>]) -> Vec<Range<u64>> {
    let inner = memory.iter().filter_map(|run| aligned(run, GRANULE_SIZE));
    let mut runs: Vec<Range<u64>> = Vec::new();
    for run in ordered(inner, |run| run.start) {
        let start = runs
            .last()
            .map_or(run.start, |last| run.start.max(last.end));
        if start < run.end {
            runs.push(start..run.end);
        }
    }
    let mut free = subtract(&runs, taken);
    free.truncate(MAX_RUNS);
    free
}

/// The runs that page tables hold, the largest first: `cost` says how many tables a run takes at most, and
/// `tables` how many there are.
pub fn fitting(
    runs: &[Range<u64>],
    mut tables: usize,
    cost: impl Fn(&Range<u64>) -> usize,
) -> Vec<Range<u64>> {
    let largest_first = ordered(runs.iter().cloned(), |run| core::cmp::Reverse(len(run)));
    let kept = largest_first
        .into_iter()
        .filter(|run| match tables.checked_sub(cost(run)) {
            Some(left) => {
                tables = left;
                true
            }
            None => false,
        });
    ordered(kept, |run| run.start)
}

/// `runs` without whatever granules touch `holes`.
pub(crate) fn subtract(runs: &[Range<u64>], holes: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut left = runs.to_vec();
    for hole in holes.iter().filter(|hole| hole.start < hole.end) {
        let start = hole.start - hole.start % GRANULE_SIZE;
        let end = hole
            .end
            .checked_next_multiple_of(GRANULE_SIZE)
            .unwrap_or(u64::MAX);
        left = left
            .iter()
            .flat_map(|run| [run.start..run.end.min(start), run.start.max(end)..run.end])
            .filter(|run| run.start < run.end)
            .collect();
    }
    left
}

/// The whole blocks in a run.
fn blocks(run: &Range<u64>) -> Option<Range<u64>> {
    aligned(run, BLOCK)
}

/// The part of `run` that begins and ends at multiples of `size`.
fn aligned(run: &Range<u64>, size: u64) -> Option<Range<u64>> {
    let start = run.start.checked_next_multiple_of(size)?;
    let end = run.end - run.end % size;
    (start < end).then_some(start..end)
}

fn len(run: &Range<u64>) -> u64 {
    run.end - run.start
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAM: Range<u64> = 0x4000_0000..0x4400_0000;

    #[test]
    fn what_is_taken_is_cut_out_in_whole_granules() {
        let free = free_runs(
            &[RAM],
            &[0x4020_0000..0x4031_2345, 0x4200_0800..0x4200_0900],
        );
        assert_eq!(
            free,
            [
                0x4000_0000..0x4020_0000,
                0x4031_3000..0x4200_0000,
                0x4200_1000..0x4400_0000
            ]
        );
    }

    #[test]
    fn overlapping_and_unaligned_memory_is_counted_once() {
        let free = free_runs(
            &[
                0x8000..0xa000,
                0x1001..0x3fff,
                0x9000..0xb000,
                0x9000..0x9000,
            ],
            &[],
        );
        assert_eq!(free, [0x2000..0x3000, 0x8000..0xa000, 0xa000..0xb000]);
    }

    #[test]
    fn a_host_that_lists_a_thousand_runs_gets_32() {
        let memory: Vec<_> = (0..1000).map(|n| n << 20..(n << 20) + 8192).collect();
        assert_eq!(free_runs(&memory, &[]).len(), MAX_RUNS);
    }

    #[test]
    fn runs_that_the_tables_do_not_hold_are_left_out_the_smallest_first() {
        let runs = [0..0x1000, 0x10_0000..0x20_0000, 0x40_0000..0x40_2000];
        assert_eq!(fitting(&runs, 9, |_| 3), runs);
        assert_eq!(fitting(&runs, 8, |_| 3), runs[1..]);
        assert_eq!(fitting(&runs, 3, |_| 3), runs[1..2]);
        let dear = |run: &Range<u64>| usize::try_from(len(run) >> 12).unwrap();
        assert_eq!(fitting(&runs, 3, dear), [runs[0].clone(), runs[2].clone()]);
    }

    #[test]
    fn the_reserve_is_whole_blocks_at_the_top_of_the_largest_run() {
        let free = [0x4000_0000..0x4010_0000, 0x4030_0000..0x43ff_f000];
        let layout = Layout::new(&free, None, 16 << 20).unwrap();
        assert_eq!(layout.reserve, 0x4300_0000 - BLOCK..0x43e0_0000);
        assert_eq!(
            layout.private,
            [
                0x4000_0000..0x4010_0000,
                0x4030_0000..0x42e0_0000,
                0x43e0_0000..0x43ff_f000
            ]
        );
    }

    #[test]
    fn what_is_carved_is_the_end_of_the_largest_run_and_never_all_of_it() {
        let mut runs = [0x1000..0x3000, 0x8000..0xf000];
        assert_eq!(carve(&mut runs, 0x7000), None);
        assert_eq!(carve(&mut runs, 0x6000), Some(0x9000..0xf000));
        assert_eq!(runs, [0x1000..0x3000, 0x8000..0x9000]);
        assert_eq!(carve(&mut [], 0x1000), None);
    }

    #[test]
    fn blocks_are_whole_and_at_the_top_of_the_run_that_has_the_most() {
        let all = || Vec::from([0x1000..0x3000, 0x4010_0000..0x40b0_1000]);
        let mut runs = all();
        assert_eq!(carve_blocks(&mut runs, 2), Some(0x4060_0000..0x40a0_0000));
        assert_eq!(
            runs,
            [
                0x1000..0x3000,
                0x4010_0000..0x4060_0000,
                0x40a0_0000..0x40b0_1000
            ]
        );
        let mut runs = all();
        assert_eq!(
            carve_blocks(&mut runs, u64::MAX),
            Some(0x4020_0000..0x40a0_0000)
        );
        let mut runs = all();
        assert_eq!(carve_blocks(&mut runs, 0), None);
        assert_eq!(runs, all());
        let small = 0x1000..0x3000;
        assert_eq!(carve_blocks(&mut Vec::from_iter([small]), 1), None);
        let far = (1 << 44) - BLOCK..(1 << 44) + 9 * BLOCK;
        let carved = carve_blocks(&mut Vec::from_iter([far]), 5);
        assert_eq!(carved, Some((1 << 44) - BLOCK..1 << 44));
    }

    #[test]
    fn a_wish_is_rounded_up_to_blocks() {
        let layout = Layout::new(&[RAM], Some(3 << 20), 0).unwrap();
        assert_eq!(layout.reserve, 0x43c0_0000..0x4400_0000);
    }

    #[test]
    fn a_wish_that_does_not_fit_is_refused() {
        for wanted in [65 << 20, u64::MAX] {
            let refused = Layout::new(&[RAM], Some(wanted), 0);
            assert_eq!(refused, Err(LayoutError::NoRoom { wanted }));
        }
        let crumbs = [0x1000..0x2000, 0x3000..0x20_0000];
        assert_eq!(Layout::new(&crumbs, None, 1), Err(LayoutError::NoBlock));
    }
}
