//! Options that are lists, and so no part of what is copied about.

use alloc::vec::Vec;

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
