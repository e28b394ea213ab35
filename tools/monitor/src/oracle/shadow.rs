//! What devices and the host know of each shared page: what they were told, and what they wrote.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use core::ops::Range;

use super::size;
use crate::layout::{GRANULE, GRANULE_BYTES};

/// Bytes that one word of bits stands for.
const BLOCK: usize = 64;

/// What is known of a page.
#[derive(Debug)]
struct Page {
    /// What the host was told, or wrote before the guest had it.
    known: [u8; GRANULE_BYTES],
    /// A bit for each byte that the device may have written since.
    written: [u64; GRANULE_BYTES / BLOCK],
    /// Which device uses it.
    stream: u32,
}

/// What a page holds when it becomes shared, by address.
pub type Fill = fn(u64) -> u64;

/// All pages that the realm shared, and what is known of those that a device was told of.
#[derive(Debug)]
pub struct Shadow {
    pages: BTreeMap<u64, Option<Box<Page>>>,
    fill: Fill,
}

impl Shadow {
    /// None yet; each page holds `fill` when it comes.
    #[must_use]
    pub const fn new(fill: Fill) -> Self {
        Self {
            pages: BTreeMap::new(),
            fill,
        }
    }

    /// The pages of `range` become shared.
    pub fn share(&mut self, range: Range<u64>) {
        let pages = range.step_by(GRANULE_BYTES).map(|page| (page, None));
        self.pages.extend(pages);
    }

    /// The pages of `range` are private again.
    pub fn take_back(&mut self, range: &Range<u64>) {
        self.pages.retain(|page, _| !range.contains(page));
    }

    /// The pages that are shared, and the device of each, if there is one.
    pub fn pages(&self) -> impl Iterator<Item = (u64, Option<u32>)> {
        let pages = self.pages.iter();
        pages.map(|(at, page)| (*at, page.as_ref().map(|page| page.stream)))
    }

    /// `stream` was told the `bytes` at `address`.
    pub fn tell(&mut self, stream: u32, address: u64, bytes: &[u8]) {
        self.each(stream, address, bytes.len(), |page, inside, place| {
            if let (Some(known), Some(bytes)) =
                (page.known.get_mut(inside.clone()), bytes.get(place))
            {
                known.copy_from_slice(bytes);
            }
            page.mark(inside, false);
        });
    }

    /// `stream` may write `len` bytes at `address`.
    pub fn lend(&mut self, stream: u32, address: u64, len: usize) {
        self.each(stream, address, len, |page, inside, _| {
            page.mark(inside, true)
        });
    }

    /// Whether a device may have written all of the run.
    #[must_use]
    pub fn is_written(&self, address: u64, len: usize) -> bool {
        pieces(address, len).all(|(at, inside, _)| {
            let page = self.pages.get(&at).and_then(Option::as_ref);
            page.is_some_and(|page| page.is_written(&inside))
        })
    }

    /// Does `work` for each page of the run, with the bytes in the page and those of the run.
    fn each(
        &mut self,
        stream: u32,
        address: u64,
        len: usize,
        mut work: impl FnMut(&mut Page, Range<usize>, Range<usize>),
    ) {
        let fill = self.fill;
        for (at, inside, place) in pieces(address, len) {
            if let Some(page) = self.pages.get_mut(&at) {
                let page = page.get_or_insert_with(|| Page::new(at, fill, stream));
                page.stream = stream;
                work(page, inside, place);
            }
        }
    }

    /// The first run of `bytes`, which are at `address`, that nobody was told and no device wrote: where
    /// in them, and how many. Zeros tell nothing.
    #[must_use]
    pub fn unexplained(&self, address: u64, bytes: &[u8]) -> Option<Range<usize>> {
        pieces(address, bytes.len()).find_map(|(at, inside, place)| {
            let page = self.pages.get(&at)?;
            let start = place.start;
            let bytes = bytes.get(place)?;
            let run = match page {
                Some(page) => page.unexplained(inside, bytes),
                None => Self::unfilled(self.fill, at + inside.start as u64, bytes),
            };
            run.map(|run| start + run.start..start + run.end)
        })
    }

    fn unfilled(fill: Fill, address: u64, bytes: &[u8]) -> Option<Range<usize>> {
        let explained = |n: usize, byte: u8| byte == 0 || byte == byte_of(fill, address + n as u64);
        run(bytes, explained)
    }
}

impl Page {
    fn new(at: u64, fill: Fill, stream: u32) -> Box<Self> {
        let mut page = Box::new(Self {
            known: [0; GRANULE_BYTES],
            written: [0; GRANULE_BYTES / BLOCK],
            stream,
        });
        let words = page.known.as_chunks_mut::<8>().0;
        for (word, address) in words.iter_mut().zip((at..).step_by(8)) {
            *word = fill(address).to_le_bytes();
        }
        page
    }

    /// Notes whether the device may write the bytes of `inside`.
    fn mark(&mut self, inside: Range<usize>, writes: bool) {
        for n in inside.start / BLOCK..inside.end.div_ceil(BLOCK) {
            let mask = mask(n, &inside);
            if let Some(word) = self.written.get_mut(n) {
                *word = if writes { *word | mask } else { *word & !mask };
            }
        }
    }

    /// Whether the device may write all of `inside`.
    fn is_written(&self, inside: &Range<usize>) -> bool {
        let mut blocks = inside.start / BLOCK..inside.end.div_ceil(BLOCK);
        blocks.all(|n| {
            let mask = mask(n, inside);
            self.written.get(n).is_some_and(|word| word & mask == mask)
        })
    }

    fn unexplained(&self, inside: Range<usize>, bytes: &[u8]) -> Option<Range<usize>> {
        let start = inside.start;
        let known = self.known.get(inside.clone())?;
        let explained = |n: usize, byte: u8| {
            let at = start + n;
            let word = self.written.get(at / BLOCK).copied().unwrap_or(0);
            byte == 0 || word >> (at % BLOCK) & 1 == 1 || known.get(n) == Some(&byte)
        };
        let blocks = inside.start / BLOCK..inside.end.div_ceil(BLOCK);
        // Most blocks are as they were told, or the device's.
        let strange = blocks.filter(|n| {
            let block = (n * BLOCK).max(start)..((n + 1) * BLOCK).min(inside.end);
            let place = block.start - start..block.end - start;
            !self.is_written(&block) && known.get(place.clone()) != bytes.get(place)
        });
        strange.into_iter().find_map(|n| {
            let from = (n * BLOCK).max(start) - start;
            let found = run(bytes.get(from..)?, |at, byte| explained(from + at, byte))?;
            // A run that begins in a later block is found again there.
            let here = found.start < BLOCK;
            here.then_some(from + found.start..from + found.end)
        })
    }
}

/// The bits of block `n` that stand for bytes of `inside`.
fn mask(n: usize, inside: &Range<usize>) -> u64 {
    let low = inside.start.saturating_sub(BLOCK * n).min(BLOCK);
    let high = inside.end.saturating_sub(BLOCK * n).min(BLOCK);
    let ones = |count: usize| match count {
        BLOCK => u64::MAX,
        fewer => (1 << fewer) - 1,
    };
    ones(high) & !ones(low)
}

/// The first run of bytes that are not `explained`.
fn run(bytes: &[u8], explained: impl Fn(usize, u8) -> bool) -> Option<Range<usize>> {
    let mut all = bytes.iter().enumerate();
    let (start, _) = all.find(|(n, byte)| !explained(*n, **byte))?;
    let more = all.take_while(|(n, byte)| !explained(*n, **byte)).count();
    Some(start..start + 1 + more)
}

fn byte_of(fill: Fill, address: u64) -> u8 {
    let word = fill(address & !7).to_le_bytes();
    word.get(size(address & 7)).copied().unwrap_or(0)
}

/// A run, page by page: the page, the bytes in it, and which of the run they are.
fn pieces(address: u64, len: usize) -> impl Iterator<Item = (u64, Range<usize>, Range<usize>)> {
    let mut at = 0;
    core::iter::from_fn(move || {
        let here = address.checked_add(at as u64)?;
        let first = size(here % GRANULE);
        let count = (len - at).min(GRANULE_BYTES - first);
        let place = at..at + count;
        at += count;
        (count != 0).then_some((here - first as u64, first..first + count, place))
    })
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec;
    use std::vec::Vec;

    use super::*;

    const AT: u64 = 0x4600_0000;

    fn shadow(fill: Fill) -> Shadow {
        let mut shadow = Shadow::new(fill);
        shadow.share(AT..AT + 2 * GRANULE);
        shadow
    }

    #[test]
    fn what_nobody_was_told_is_unexplained_to_the_byte() {
        let mut shadow = shadow(|_| 0);
        let mut bytes = vec![0; 2 * GRANULE_BYTES];
        assert_eq!(shadow.unexplained(AT, &bytes), None);
        bytes[4090..4100].fill(3);
        shadow.tell(8, AT + 4091, &bytes[4091..4099]);
        assert_eq!(shadow.unexplained(AT, &bytes), Some(4090..4091));
        bytes[4090] = 0;
        assert_eq!(shadow.unexplained(AT, &bytes), Some(4099..4100));
        bytes[4099] = 0;
        assert_eq!(shadow.unexplained(AT, &bytes), None);
        bytes[4095] = 4;
        assert_eq!(
            shadow.unexplained(AT + 100, &bytes[100..]),
            Some(3995..3996)
        );
    }

    #[test]
    fn a_device_writes_what_it_was_lent_until_it_is_told_something_there() {
        let mut shadow = shadow(|_| 0);
        let bytes = [9; 200];
        for (start, len) in [(0, 64), (1, 63), (63, 2), (64, 64), (3, 190)] {
            shadow = super::tests::shadow(|_| 0);
            shadow.lend(8, AT + start as u64, len);
            let all: Vec<bool> = (0..200)
                .map(|n| shadow.unexplained(AT + n, &[9]).is_none())
                .collect();
            let expected: Vec<bool> = (0..200)
                .map(|n| (start..start + len).contains(&n))
                .collect();
            assert_eq!(all, expected, "{start} {len}");
        }
        shadow.tell(8, AT + 10, &[0; 4]);
        assert_eq!(shadow.unexplained(AT + 3, &bytes[..20]), Some(7..11));
    }

    #[test]
    fn what_a_page_held_when_it_became_shared_is_the_hosts() {
        let mut shadow = shadow(|address| address);
        let bytes: Vec<u8> = (AT..AT + 64)
            .step_by(8)
            .flat_map(u64::to_le_bytes)
            .collect();
        assert_eq!(shadow.unexplained(AT, &bytes), None);
        shadow.lend(8, AT, 1);
        assert_eq!(shadow.unexplained(AT, &bytes), None);
        assert_eq!(shadow.unexplained(AT + 8, &bytes), Some(8..9));
        shadow.take_back(&(AT..AT + GRANULE));
        assert_eq!(shadow.pages().count(), 1);
    }
}
