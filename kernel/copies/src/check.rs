//! Whether the functions that copy, set and compare memory are right: every length up to some
//! rounds, every alignment, every overlap, and not a byte beside.
//!
//! The functions of the image are called where slices are copied; [`Compiler`] does that without
//! letting the compiler see how long they are.

use core::cmp::Ordering;
use core::fmt;
use core::hint::black_box;
use core::ops::Range;

/// Bytes in which everything happens.
const ROOM: usize = 1024;
/// Longest run: some rounds of 128 bytes, and every rest.
const LONGEST: usize = 272;
/// Bytes before the first one that is used.
const MARGIN: usize = 160;

/// What is checked.
pub trait Copies {
    /// Copies `bytes[from]` to the same number of bytes at `to`; the two do not overlap.
    fn copy(&self, bytes: &mut [u8], from: Range<usize>, to: usize);
    /// The same where they may overlap.
    fn shift(&self, bytes: &mut [u8], from: Range<usize>, to: usize);
    /// Sets all `bytes` to `value`.
    fn set(&self, bytes: &mut [u8], value: u8);
    /// Compares two runs of the same length.
    fn compare(&self, one: &[u8], other: &[u8]) -> Ordering;
    /// Whether two runs of the same length are equal.
    fn equal(&self, one: &[u8], other: &[u8]) -> bool;
    /// The one's complement sum of big-endian words.
    fn sum(&self, bytes: &[u8]) -> u16;
}

/// What went wrong first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// `copy`, `shift`, `set`, `compare` or `sum`.
    pub what: &'static str,
    /// Bytes of the run.
    pub len: usize,
    /// Where the run was copied from, or began.
    pub from: usize,
    /// Where it was copied to, or differed.
    pub to: usize,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            len,
            from,
            to,
        } = self;
        write!(f, "{what} of {len} bytes from {from} to {to} is wrong")
    }
}

/// Checks all of `copies` but the sum; says how many cases there were.
///
/// # Errors
///
/// The first [`Failure`].
pub fn check(copies: &impl Copies) -> Result<usize, Failure> {
    let mut cases = 0;
    for len in 0..=LONGEST {
        for align in 0..16 {
            check_copy(copies, len, align)?;
            check_set(copies, len, align)?;
            cases += 2;
        }
    }
    for len in (0..=33).chain([47, 63, 64, 95, 127, 128, 129, 200, 255, 257]) {
        for to in 0..=2 * MARGIN {
            check_shift(copies, len, to)?;
            check_compare(copies, len, to)?;
            cases += 2;
        }
    }
    Ok(cases)
}

/// Checks the sum; says how many cases there were.
///
/// # Errors
///
/// The first [`Failure`].
pub fn check_sums(copies: &impl Copies) -> Result<usize, Failure> {
    for len in 0..=LONGEST {
        for align in 0..16 {
            check_sum(copies, len, align)?;
        }
    }
    Ok((LONGEST + 1) * 16)
}

/// A byte that tells its place, so that a byte in the wrong place shows.
fn pattern(at: usize) -> u8 {
    at.wrapping_mul(0x9e37_79b9).to_le_bytes()[3]
}

fn fresh() -> [u8; ROOM] {
    core::array::from_fn(pattern)
}

fn check_copy(copies: &impl Copies, len: usize, align: usize) -> Result<(), Failure> {
    let mut bytes = fresh();
    // Over all lengths, each alignment of the source meets each one of the destination.
    let (from, to) = (MARGIN + (align * 7 + len) % 16, 592 + align);
    copies.copy(&mut bytes, from..from + len, to);
    expect(&bytes, "copy", len, from, to)
}

fn check_shift(copies: &impl Copies, len: usize, to: usize) -> Result<(), Failure> {
    let mut bytes = fresh();
    let from = MARGIN;
    copies.shift(&mut bytes, from..from + len, to);
    expect(&bytes, "shift", len, from, to)
}

fn expect(
    bytes: &[u8],
    what: &'static str,
    len: usize,
    from: usize,
    to: usize,
) -> Result<(), Failure> {
    let right = bytes.iter().enumerate().all(|(at, byte)| {
        let inside = (to..to + len).contains(&at);
        *byte == pattern(if inside { at - to + from } else { at })
    });
    let failure = Failure {
        what,
        len,
        from,
        to,
    };
    right.then_some(()).ok_or(failure)
}

fn check_set(copies: &impl Copies, len: usize, align: usize) -> Result<(), Failure> {
    let mut bytes = fresh();
    let (from, value) = (MARGIN + align, 0xa5);
    if let Some(run) = bytes.get_mut(from..from + len) {
        copies.set(run, value);
    }
    let right = bytes.iter().enumerate().all(|(at, byte)| {
        let inside = (from..from + len).contains(&at);
        *byte == if inside { value } else { pattern(at) }
    });
    let failure = Failure {
        what: "set",
        len,
        from,
        to: from,
    };
    right.then_some(()).ok_or(failure)
}

fn check_sum(copies: &impl Copies, len: usize, align: usize) -> Result<(), Failure> {
    let mut bytes = fresh();
    let from = MARGIN + align;
    let run = bytes.get_mut(from..from + len).unwrap_or_default();
    if len.is_multiple_of(3) {
        // As many carries as there can be.
        run.fill(0xff);
    }
    let (words, last) = run.as_chunks::<2>();
    let last = last.first().map_or(0, |byte| u32::from(*byte) << 8);
    let words = words
        .iter()
        .map(|word| u32::from(u16::from_be_bytes(*word)));
    let sum = words.sum::<u32>() + last;
    // As long as it is not 0, the sum is what is left by 0xffff, with 0xffff for 0.
    let right = if sum == 0 { 0 } else { (sum - 1) % 0xffff + 1 };
    let failure = Failure {
        what: "sum",
        len,
        from,
        to: from,
    };
    let right = u32::from(copies.sum(run)) == right;
    right.then_some(()).ok_or(failure)
}

/// Two runs that are equal but for what is at `at`, if that is inside them.
fn check_compare(copies: &impl Copies, len: usize, at: usize) -> Result<(), Failure> {
    let (mut one, mut two) = (fresh(), fresh());
    let (from, other) = (1 + at % 16, 1 + at / 16 % 16);
    one.copy_within(MARGIN..MARGIN + len, from);
    two.copy_within(MARGIN..MARGIN + len, other);
    let one = one.get_mut(from..from + len).unwrap_or_default();
    let two = two.get_mut(other..other + len).unwrap_or_default();
    let mut expected = Ordering::Equal;
    if let (Some(one), Some([first, rest @ ..])) = (one.get_mut(at), two.get_mut(at..)) {
        // What is behind the first difference says the opposite, and does not count.
        (*one, *first) = (0x80, 0x7f);
        rest.fill(0xff);
        expected = Ordering::Greater;
    }
    let right = copies.compare(one, two) == expected
        && copies.compare(two, one) == expected.reverse()
        && copies.equal(one, two) == expected.is_eq();
    let failure = Failure {
        what: "compare",
        len,
        from,
        to: at,
    };
    right.then_some(()).ok_or(failure)
}

/// The functions that the compiler calls, and the sum of this crate.
#[derive(Clone, Copy, Debug, Default)]
pub struct Compiler;

impl Copies for Compiler {
    #[inline(never)]
    fn copy(&self, bytes: &mut [u8], from: Range<usize>, to: usize) {
        let len = from.len();
        let (low, high) = bytes.split_at_mut(to);
        if let (Some(into), Some(from)) = (high.get_mut(..len), low.get(from)) {
            into.copy_from_slice(black_box(from));
        }
    }

    #[inline(never)]
    fn shift(&self, bytes: &mut [u8], from: Range<usize>, to: usize) {
        black_box(bytes).copy_within(from, to);
    }

    #[inline(never)]
    fn set(&self, bytes: &mut [u8], value: u8) {
        black_box(bytes).fill(black_box(value));
    }

    #[inline(never)]
    fn compare(&self, one: &[u8], other: &[u8]) -> Ordering {
        black_box(one).cmp(black_box(other))
    }

    #[inline(never)]
    fn equal(&self, one: &[u8], other: &[u8]) -> bool {
        black_box(one) == black_box(other)
    }

    fn sum(&self, bytes: &[u8]) -> u16 {
        crate::ones_complement_sum(black_box(bytes))
    }
}
