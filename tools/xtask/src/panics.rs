//! Where an image calls what panics, by its machine code.
//!
//! Each branch to a panic entry of `core` or `alloc` is attributed, by the inlining that the line tables know,
//! to the innermost code that is not of the standard library: a crate of ours, or a dependency.

use crate::elf::{Elf, Frame};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// Beginnings of the names of functions that end in a panic.
const ENTRIES: [&str; 14] = [
    "core::panicking::",
    "core::option::unwrap_failed",
    "core::option::expect_failed",
    "core::result::unwrap_failed",
    "core::slice::index::slice_",
    "core::slice::copy_from_slice_impl::len_mismatch_fail",
    "core::str::slice_error_fail",
    "core::cell::panic_",
    "core::num::from_ascii_radix_panic",
    "core::slice::sort::shared::smallsort::panic_on_ord_violation",
    "alloc::raw_vec::handle_error",
    "alloc::raw_vec::capacity_overflow",
    "alloc::alloc::handle_alloc_error",
    "alloc::vec::Vec<T,A>::",
];
/// Calls in code of ours that stay: `file kind  why it is never reached`.
const LIST: &str = "tools/xtask/panics.txt";

/// Why code panics, by the entry that it calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// A sum, difference, product or shift that does not fit, or a division by zero.
    Arithmetic,
    /// An index or a range outside of a slice.
    Index,
    /// `unwrap` or `expect`.
    Unwrap,
    /// Two borrows of one cell.
    Borrow,
    /// No memory.
    Memory,
    /// `assert`, `unreachable`, and what is left.
    Other,
}

impl Kind {
    const ALL: [(Self, &str); 6] = [
        (Self::Arithmetic, "arithmetic"),
        (Self::Index, "index"),
        (Self::Unwrap, "unwrap"),
        (Self::Borrow, "borrow"),
        (Self::Memory, "memory"),
        (Self::Other, "other"),
    ];

    fn of(entry: &str) -> Self {
        let has = |parts: &[&str]| parts.iter().any(|part| entry.contains(part));
        if has(&[
            "panic_const",
            "panicking::panic_div",
            "panicking::panic_rem",
        ]) {
            Self::Arithmetic
        } else if has(&["bounds_check", "slice_", "len_mismatch"]) {
            Self::Index
        } else if has(&["unwrap_failed", "expect_failed"]) {
            Self::Unwrap
        } else if entry.contains("cell::panic_") {
            Self::Borrow
        } else if entry.contains("alloc::") {
            Self::Memory
        } else {
            Self::Other
        }
    }
}

/// Whose code calls a panic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    /// Code of this repository: its crate's folder, the file, and the line.
    Ours(String, String, u32),
    /// A crate of others.
    Theirs(String),
    /// The standard library, called from nobody knows where.
    Standard,
}

impl Owner {
    fn name(&self) -> &str {
        match self {
            Self::Ours(name, ..) | Self::Theirs(name) => name,
            Self::Standard => "the standard library, not inlined",
        }
    }
}

/// Whose the innermost frame is that is not of the standard library.
fn owner(frames: &[Frame], root: &str) -> Owner {
    for Frame { file, line } in frames {
        if file.contains("/rustc/") || file.contains("/rustlib/src/") {
            continue;
        }
        if let Some((_, inside)) = file.split_once("/registry/src/") {
            let name = inside.split('/').nth(1).unwrap_or("?");
            return Owner::Theirs(name.to_owned());
        }
        let inside = file
            .strip_prefix(root)
            .unwrap_or(file)
            .trim_start_matches('/');
        // The path that images are built with begins with a name for the folder.
        let inside = inside.strip_prefix("airlock/").unwrap_or(inside);
        let folder = inside.split("/src/").next().unwrap_or(inside);
        return Owner::Ours(folder.to_owned(), inside.to_owned(), *line);
    }
    Owner::Standard
}

/// The target of an A64 `b` or `bl` at `at`.
///
/// Ref: DDI0487, C6.2 "B", "BL".
fn branch(word: u32, at: u64) -> Option<u64> {
    if word & 0x7c00_0000 != 0x1400_0000 {
        return None;
    }
    // 26 bits of words, signed.
    let words = i64::from((word << 6).cast_signed() >> 6);
    at.checked_add_signed(words * 4)
}

/// Prints how many calls of what panics each crate of the image `file` has, by kind; with `places`,
/// where ours are. Says whether the kernel has none but those that [`LIST`] gives a reason for. Sums
/// that do not fit, cells, and memory are counted alone.
///
/// # Errors
///
/// It is no ELF file with symbols, or the list cannot be read.
pub fn check(root: &Path, file: &Path, places: bool) -> Result<bool> {
    let elf = Elf::load(file)?;
    let entries = elf.functions(|name| ENTRIES.iter().any(|entry| name.starts_with(entry)));
    anyhow::ensure!(
        !entries.is_empty(),
        "no panic entry has a symbol in {}",
        file.display()
    );
    let mut found: BTreeMap<(Owner, Kind), usize> = BTreeMap::new();
    for (at, word) in elf.code() {
        let Some(entry) = branch(word, at).and_then(|target| entries.get(&target)) else {
            continue;
        };
        let from = elf.function_at(at);
        if !from.is_some_and(|from| entries.contains_key(&from)) {
            let owner = owner(&elf.frames(at), &root.to_string_lossy());
            *found.entry((owner, Kind::of(entry))).or_default() += 1;
        }
    }
    if places {
        for ((owner, kind), count) in &found {
            if let Owner::Ours(_, file, line) = owner {
                println!("{file}:{line}\t{kind:?}\t{count}");
            }
        }
    }
    print!("{}", table(&found));
    let reasons = std::fs::read_to_string(root.join(LIST)).context(LIST)?;
    let missing = without_reason(found.keys(), &reasons);
    for place in &missing {
        println!("{place}: no reason in {LIST}");
    }
    Ok(missing.is_empty())
}

/// Indices, unwraps and assertions of the kernel that nobody has given a reason for.
fn without_reason<'a>(
    found: impl Iterator<Item = &'a (Owner, Kind)>,
    reasons: &str,
) -> Vec<String> {
    let mut missing = Vec::new();
    for (owner, kind) in found {
        let Owner::Ours(_, file, line) = owner else {
            continue;
        };
        let is_kernel = file.starts_with("kernel/") || file.starts_with("boards/");
        let is_listed_kind = matches!(kind, Kind::Index | Kind::Unwrap | Kind::Other);
        let key = format!("{file} {kind:?}  ");
        if is_kernel && is_listed_kind && !reasons.lines().any(|line| line.starts_with(&key)) {
            missing.push(format!("{file}:{line} {kind:?}"));
        }
    }
    missing
}

/// A line for each crate, ours first.
fn table(found: &BTreeMap<(Owner, Kind), usize>) -> String {
    let mut rows: BTreeMap<(bool, &str), BTreeMap<Kind, usize>> = BTreeMap::new();
    for ((owner, kind), count) in found {
        let is_theirs = !matches!(owner, Owner::Ours(..));
        let row = rows.entry((is_theirs, owner.name())).or_default();
        *row.entry(*kind).or_default() += count;
    }
    let names = Kind::ALL.map(|(_, name)| name).join(" | ");
    let mut text = format!(
        "| calls of what panics | {names} |\n| --- |{}\n",
        " ---: |".repeat(6)
    );
    for ((_, name), counts) in rows {
        let numbers = Kind::ALL.map(|(kind, _)| counts.get(&kind).copied().unwrap_or(0));
        let numbers = numbers.map(|number| number.to_string()).join(" | ");
        text.push_str(&format!("| {name} | {numbers} |\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(file: &str) -> Frame {
        Frame {
            file: file.to_owned(),
            line: 7,
        }
    }

    fn ours_at(file: &str) -> Owner {
        Owner::Ours("kernel/net".to_owned(), file.to_owned(), 7)
    }

    #[test]
    fn an_unwrap_of_the_kernel_needs_a_reason_and_a_sum_is_counted_alone() {
        let found = [
            (ours_at("kernel/net/src/a.rs"), Kind::Unwrap),
            (ours_at("kernel/net/src/a.rs"), Kind::Arithmetic),
            (ours_at("payloads/fetch/src/a.rs"), Kind::Index),
            (Owner::Standard, Kind::Index),
        ];
        let missing = without_reason(found.iter(), "");
        assert_eq!(missing, ["kernel/net/src/a.rs:7 Unwrap"]);
        let reasons = "kernel/net/src/a.rs Unwrap  it is there\n";
        assert!(without_reason(found.iter(), reasons).is_empty());
    }

    #[test]
    fn branches_go_forward_and_back() {
        assert_eq!(branch(0x9400_0001, 0x1000), Some(0x1004));
        assert_eq!(branch(0x97ff_ffff, 0x1000), Some(0xffc));
        assert_eq!(branch(0x1400_0002, 0x1000), Some(0x1008));
        assert_eq!(branch(0xd65f_03c0, 0x1000), None);
    }

    #[test]
    fn a_panic_belongs_to_the_innermost_code_that_is_not_of_the_standard_library() {
        let core = frame("/rustc/5980/library/core/src/option.rs");
        let ours = frame("/w/airlock/kernel/net/src/a.rs");
        let theirs = frame("/c/registry/src/index.crates.io-1/smoltcp-0.14.0/src/a.rs");
        let whose = |frames: &[Frame]| owner(frames, "/w/airlock");
        let expected = ours_at("kernel/net/src/a.rs");
        assert_eq!(
            whose(&[core.clone(), ours.clone(), theirs.clone()]),
            expected
        );
        let smoltcp = Owner::Theirs("smoltcp-0.14.0".to_owned());
        assert_eq!(whose(&[core.clone(), theirs, ours]), smoltcp);
        assert_eq!(whose(&[core]), Owner::Standard);
    }

    #[test]
    fn kinds_are_told_by_the_entry() {
        for (entry, kind) in [
            (
                "core::panicking::panic_const::panic_const_add_overflow",
                Kind::Arithmetic,
            ),
            ("core::panicking::panic_bounds_check", Kind::Index),
            ("core::slice::index::slice_index_fail", Kind::Index),
            ("core::option::unwrap_failed", Kind::Unwrap),
            ("core::cell::panic_already_borrowed", Kind::Borrow),
            ("alloc::alloc::handle_alloc_error", Kind::Memory),
            ("core::panicking::panic_fmt", Kind::Other),
        ] {
            assert_eq!(Kind::of(entry), kind, "{entry}");
        }
    }

    #[test]
    fn the_table_has_ours_first() {
        let ours = ours_at("kernel/net/src/a.rs");
        let theirs = Owner::Theirs("aes".to_owned());
        let found = BTreeMap::from([((ours, Kind::Index), 2), ((theirs, Kind::Other), 3)]);
        let table = table(&found);
        let rows: Vec<_> = table.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| kernel/net | 0 | 2 | 0 | 0 | 0 | 0 |",
                "| aes | 0 | 0 | 0 | 0 | 0 | 3 |"
            ]
        );
    }
}
