//! The check passes what is right, and finds what is not. What it checks on the target is in the image
//! `tests/broken`.

#![expect(clippy::indexing_slicing, reason = "a test may panic")]

use std::cmp::Ordering;
use std::ops::Range;

use copies::check::{Compiler, Copies, check, check_sums};

/// The bugs that such functions have.
#[derive(Clone, Copy, PartialEq)]
enum Bug {
    None,
    LastByteOfOddLengths,
    OneByteTooMany,
    OverlapGoesUp,
    OverlapGoesDown,
    SetForgetsTheRest,
    SignedBytes,
    ComparesTheLastDifference,
    EqualLooksAtWholeWordsOnly,
    SumLosesCarries,
    SumForgetsOddBytes,
}

/// Goes byte by byte, and has a bug.
struct Buggy(Bug);

impl Copies for Buggy {
    fn copy(&self, bytes: &mut [u8], from: Range<usize>, to: usize) {
        let mut len = from.len();
        match self.0 {
            Bug::LastByteOfOddLengths => len &= !1,
            Bug::OneByteTooMany if len > 128 => len += 1,
            _ => {}
        }
        for at in 0..len {
            bytes[to + at] = bytes[from.start + at];
        }
    }

    fn shift(&self, bytes: &mut [u8], from: Range<usize>, to: usize) {
        let up = match self.0 {
            Bug::OverlapGoesUp => true,
            Bug::OverlapGoesDown => false,
            _ => to <= from.start,
        };
        for step in 0..from.len() {
            let at = if up { step } else { from.len() - 1 - step };
            bytes[to + at] = bytes[from.start + at];
        }
    }

    fn set(&self, bytes: &mut [u8], value: u8) {
        let len = match self.0 {
            Bug::SetForgetsTheRest => bytes.len() & !15,
            _ => bytes.len(),
        };
        bytes[..len].fill(value);
    }

    fn compare(&self, one: &[u8], other: &[u8]) -> Ordering {
        let mut pairs = one.iter().zip(other).map(|(one, other)| match self.0 {
            Bug::SignedBytes => one.cast_signed().cmp(&other.cast_signed()),
            _ => one.cmp(other),
        });
        let differs = |order: &Ordering| order.is_ne();
        match self.0 {
            Bug::ComparesTheLastDifference => pairs.rfind(differs),
            _ => pairs.find(differs),
        }
        .unwrap_or(Ordering::Equal)
    }

    fn equal(&self, one: &[u8], other: &[u8]) -> bool {
        match self.0 {
            Bug::EqualLooksAtWholeWordsOnly => {
                let len = one.len() & !7;
                one[..len] == other[..len]
            }
            _ => one == other,
        }
    }

    fn sum(&self, bytes: &[u8]) -> u16 {
        let words = bytes.chunks(2).filter_map(|word| match (word, self.0) {
            (_, Bug::SumForgetsOddBytes) if word.len() == 1 => None,
            ([high, low], _) => Some(u16::from_be_bytes([*high, *low])),
            (word, _) => Some(u16::from(word[0]) << 8),
        });
        words.fold(0_u16, |sum, word| match self.0 {
            Bug::SumLosesCarries => sum.wrapping_add(word),
            _ => copies::ones_complement_add(sum, word),
        })
    }
}

#[test]
fn what_the_compiler_calls_here_is_right() {
    assert!(check(&Compiler).unwrap() > 10_000);
    assert!(check_sums(&Compiler).unwrap() > 1000);
}

#[test]
fn going_byte_by_byte_is_right() {
    check(&Buggy(Bug::None)).unwrap();
    check_sums(&Buggy(Bug::None)).unwrap();
}

#[test]
fn each_bug_that_such_functions_have_is_found() {
    let found = |bug| {
        let copies = Buggy(bug);
        let failure = check(&copies).and(check_sums(&copies));
        failure.unwrap_err().what
    };
    assert_eq!(found(Bug::LastByteOfOddLengths), "copy");
    assert_eq!(found(Bug::OneByteTooMany), "copy");
    assert_eq!(found(Bug::OverlapGoesUp), "shift");
    assert_eq!(found(Bug::OverlapGoesDown), "shift");
    assert_eq!(found(Bug::SetForgetsTheRest), "set");
    assert_eq!(found(Bug::SignedBytes), "compare");
    assert_eq!(found(Bug::ComparesTheLastDifference), "compare");
    assert_eq!(found(Bug::EqualLooksAtWholeWordsOnly), "compare");
    assert_eq!(found(Bug::SumLosesCarries), "sum");
    assert_eq!(found(Bug::SumForgetsOddBytes), "sum");
}
