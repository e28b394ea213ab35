//! Where an image calls what panics, by its machine code.
//!
//! Each branch to a panic entry of `core` or `alloc` is attributed, by the inlining that the line tables know,
//! to the innermost code that is not of the standard library: a crate of ours, or a dependency. What a function
//! of the standard library does that was not inlined is theirs who call it.
//!
//! | module | what it knows |
//! | --- | --- |
//! | [`kind`] | what panics, and why |
//! | [`owner`] | whose code calls it |
//! | [`reasons`] | which calls stay, and why |

mod kind;
mod owner;
mod reasons;

pub use reasons::stale;

use crate::elf::{Elf, branch};
use anyhow::{Context, Result};
use kind::Kind;
use owner::{Callers, Owner};
use reasons::LIST;
use std::collections::BTreeMap;
use std::path::Path;

/// Prints how many calls of what panics each crate of the image `file` has, by kind; with `places`,
/// where ours are. Says whether ours has none but those that [`LIST`] gives a reason for.
///
/// # Errors
///
/// It is no ELF file with symbols, or the list cannot be read.
pub fn check(root: &Path, file: &Path, places: bool) -> Result<bool> {
    let elf = Elf::load(file)?;
    let found = calls(&elf, root.to_string_lossy().into_owned());
    anyhow::ensure!(
        !found.is_empty(),
        "no panic entry has a symbol in {}",
        file.display()
    );
    if places {
        for ((owner, kind), count) in &found {
            if let Owner::Ours(_, file, line) = owner {
                println!("{file}:{line}\t{}\t{count}", kind.name());
            }
        }
    }
    print!("{}", table(&found));
    let list = std::fs::read_to_string(root.join(LIST)).context(LIST)?;
    let missing = reasons::missing(found.keys(), &list);
    for place in &missing {
        println!("{place}; see {LIST}");
    }
    Ok(missing.is_empty())
}

/// The calls of what panics, by whose they are and why they do.
fn calls(elf: &Elf, root: String) -> BTreeMap<(Owner, Kind), usize> {
    let entries = elf.functions(kind::is_entry);
    let callers = Callers::new(elf, root);
    let mut found = BTreeMap::new();
    for (at, word) in elf.code() {
        let Some(entry) = branch(word, at).and_then(|target| entries.get(&target)) else {
            continue;
        };
        let from = elf.function_at(at);
        if from.is_some_and(|from| entries.contains_key(&from)) {
            continue;
        }
        let inside = from.map_or("", |from| elf.name_of(from));
        for owner in callers.owners(at) {
            *found.entry((owner, Kind::of(entry, inside))).or_default() += 1;
        }
    }
    found
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
        " ---: |".repeat(Kind::ALL.len())
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

    #[test]
    fn the_table_has_ours_first() {
        let file = "kernel/net/src/a.rs".to_owned();
        let ours = Owner::Ours("kernel/net".to_owned(), file, 7);
        let theirs = Owner::Theirs("aes".to_owned());
        let found = BTreeMap::from([((ours, Kind::Index), 2), ((theirs, Kind::Other), 3)]);
        let table = table(&found);
        let rows: Vec<_> = table.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| kernel/net | 0 | 2 | 0 | 0 | 0 | 0 | 0 |",
                "| aes | 0 | 0 | 0 | 0 | 0 | 0 | 3 |"
            ]
        );
    }
}
