//! The list of calls that stay, each with the reason why it is never reached.

use super::kind::Kind;
use super::owner::Owner;
use crate::finding::Finding;
use crate::tree::Tree;
use std::collections::{BTreeMap, BTreeSet};

/// Calls in code of ours that stay: `file kind lines  why it is never reached`.
pub const LIST: &str = "tools/xtask/panics.txt";
/// In the place of a file: all of them.
const ALL: &str = "*";
/// Folders of the kernel; a payload is its own.
const OURS: [&str; 2] = ["kernel/", "boards/"];

/// Calls in code of ours that `list` gives no reason for, or more lines of them than it has one for: a new one has to be
/// looked at, and the number raised.
pub fn missing<'a>(found: impl Iterator<Item = &'a (Owner, Kind)>, list: &str) -> Vec<String> {
    let reasons = read(list);
    let mut lines: BTreeMap<(&str, Kind), BTreeSet<u32>> = BTreeMap::new();
    for (owner, kind) in found {
        if let Owner::Ours(_, file, line) = owner
            && OURS.iter().any(|folder| file.starts_with(folder))
        {
            lines.entry((file, *kind)).or_default().insert(*line);
        }
    }
    let fault = |((file, kind), lines): (&(&str, Kind), &BTreeSet<u32>)| {
        let reason = |file| reasons.get(&(file, kind.name())).copied();
        let most = reason(*file).or_else(|| reason(ALL)).unwrap_or(0);
        // Line 0 is code that belongs to no line.
        let lines: Vec<_> = lines.iter().filter(|line| **line != 0).collect();
        let text = format!(
            "{file}: {} lines have a call of kind {}, {most} have a reason: lines {lines:?}",
            lines.len(),
            kind.name()
        );
        (lines.len() > most).then_some(text)
    };
    lines.iter().filter_map(fault).collect()
}

/// Reasons for files that are not there any more: they would be taken for those of the next file of that name.
pub fn stale(tree: &Tree) -> Vec<Finding> {
    let list = tree.text(LIST).unwrap_or_default();
    let files: BTreeSet<&str> = read(list).into_keys().map(|(file, _)| file).collect();
    let gone = files
        .into_iter()
        .filter(|file| *file != ALL && !tree.has(file));
    let text = |file| format!("has a reason for {file}, which is not there");
    gone.map(|file| Finding::at(LIST, text(file))).collect()
}

/// Lines of a file that have a reason, by file and kind. `-` is any number.
fn read(list: &str) -> BTreeMap<(&str, &str), usize> {
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| {
            let (what, why) = line.split_once("  ")?;
            let words: Vec<_> = what.split(' ').collect();
            let [file, kind, count] = words.try_into().ok()?;
            let count = match count {
                "-" => usize::MAX,
                count => count.parse().ok()?,
            };
            (!why.trim().is_empty()).then_some(((file, kind), count))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(file: &str, line: u32) -> Owner {
        Owner::Ours("kernel/net".to_owned(), file.to_owned(), line)
    }

    #[test]
    fn a_reason_for_a_file_that_is_gone_is_found() {
        let list =
            "# a/b.rs\n* memory -  why\nkernel/a.rs index 3  why\nkernel/b.rs index 3  why\n";
        let tree = Tree::default().with(LIST, list).with("kernel/a.rs", "");
        let found: Vec<_> = stale(&tree).iter().map(ToString::to_string).collect();
        let [only] = found.try_into().unwrap();
        assert!(only.contains("kernel/b.rs, which is not there"), "{only}");
    }

    #[test]
    fn each_line_of_ours_needs_a_reason_and_others_are_counted_alone() {
        let found = [
            (ours("kernel/net/src/a.rs", 7), Kind::Arithmetic),
            (ours("kernel/net/src/a.rs", 9), Kind::Arithmetic),
            (ours("kernel/net/src/a.rs", 0), Kind::Arithmetic),
            (ours("tests/victim/src/a.rs", 9), Kind::Index),
            (Owner::Theirs("aes".to_owned()), Kind::Index),
        ];
        let missing = |list| missing(found.iter(), list);
        assert_eq!(missing("").len(), 1);
        assert!(missing("kernel/net/src/a.rs arithmetic 1  why\n")[0].contains("lines [7, 9]"));
        assert_eq!(missing("kernel/net/src/a.rs arithmetic 2  \n").len(), 1);
        assert!(missing("kernel/net/src/a.rs arithmetic 2  why\n").is_empty());
        assert!(missing("* arithmetic -  why\n").is_empty());
        assert_eq!(missing("* memory -  why\n").len(), 1);
    }
}
