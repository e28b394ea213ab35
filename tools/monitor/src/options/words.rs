//! Options that are lists.

use alloc::vec::Vec;

use hostile::bus::Count;
use hostile::script::Script;

use super::{PREFIX, split};
use crate::oracle::{self, Name};

/// What our devices say: the script of the option `attack` of a line that was parsed.
#[must_use]
pub fn script(line: &str) -> Script {
    let script = |value: &str| value.parse().ok();
    values(line, "attack")
        .filter_map(script)
        .next_back()
        .unwrap_or_default()
}

/// What is secret beside what everybody knows to be: the options `secret` of a line that was parsed.
pub fn secrets(line: &str) -> impl Iterator<Item = (Name, Vec<u8>)> {
    values(line, "secret").filter_map(oracle::parse)
}

/// The values that option `key` has in the monitor's part of `line`.
fn values<'l>(line: &'l str, key: &str) -> impl DoubleEndedIterator<Item = &'l str> {
    let (ours, _) = split(line.trim()).unwrap_or((line, ""));
    ours.split_ascii_whitespace().filter_map(move |word| {
        word.strip_prefix(PREFIX)?
            .strip_prefix(key)?
            .strip_prefix('=')
    })
}

/// How many cards, disks, sources of random bytes, and, if that is said, consoles with ports.
pub(super) fn models(value: &str) -> Option<Count> {
    const MOST: u8 = 8;
    let mut counts = value
        .split(',')
        .map(|text| text.parse().ok().filter(|&n| n <= MOST));
    let count = Count {
        cards: counts.next()??,
        disks: counts.next()??,
        entropy: counts.next()??,
        ports: counts.next().unwrap_or(Some(0))?,
    };
    counts.next().is_none().then_some(count)
}
