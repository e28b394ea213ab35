//! Whose code calls what panics.

use crate::elf::{Elf, Frame, branch};
use std::collections::{BTreeMap, BTreeSet};

/// Whose code calls a panic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// Code of this repository: its crate's folder, the file, and the line.
    Ours(String, String, u32),
    /// A crate of others.
    Theirs(String),
    /// The standard library itself, whose own checks these are; or called through pointers alone.
    Standard,
}

impl Owner {
    /// What a table calls it.
    pub fn name(&self) -> &str {
        match self {
            Self::Ours(name, ..) | Self::Theirs(name) => name,
            Self::Standard => "the standard library",
        }
    }
}

/// Parts of the standard library whose panics do not depend on how they are called: it proves them itself.
const ITS_OWN: [&str; 12] = [
    "core::net",
    "core::slice::memchr",
    "<u128>::_fmt",
    "core::fmt",
    "core::num",
    "core::str",
    "core::char",
    "core::unicode",
    "core::slice::sort",
    "core::time",
    "alloc::collections",
    "alloc::fmt",
];
/// Functions of the standard library that call one another before somebody else does.
const DEPTH: usize = 6;

/// Whose the innermost frame is that is not of the standard library.
pub fn of_frames(frames: &[Frame], root: &str) -> Owner {
    for Frame { file, line } in frames {
        if file.contains("/rustc/") || file.contains("/rustlib/src/") {
            continue;
        }
        if let Some(name) = crate_of_others(file) {
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

/// The crate of others, with its version, that the source file `path` is of: as images that are released name it, or
/// as cargo itself does.
fn crate_of_others(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("/deps/").or_else(|| {
        let (_, inside) = path.split_once("/registry/src/")?;
        inside.split_once('/').map(|(_, inside)| inside)
    })?;
    inside.split('/').next()
}

/// Who calls whom in an image.
pub struct Callers<'e> {
    elf: &'e Elf,
    root: String,
    /// Where each function is called, by its address.
    sites: BTreeMap<u64, Vec<u64>>,
}

impl<'e> Callers<'e> {
    /// Looks at all branches of `elf`; `root` is where its source lies.
    pub fn new(elf: &'e Elf, root: String) -> Self {
        let functions = elf.functions(|_| true);
        let mut sites: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for (at, word) in elf.code() {
            if let Some(target) = branch(word, at).filter(|to| functions.contains_key(to)) {
                sites.entry(target).or_default().push(at);
            }
        }
        Self { elf, root, sites }
    }

    /// Whose the call at `at` is. A function of the standard library that was not inlined panics for
    /// those who call it: then it is theirs, each.
    pub fn owners(&self, at: u64) -> BTreeSet<Owner> {
        let mut owners = BTreeSet::new();
        self.add(at, DEPTH, &mut owners);
        if owners.is_empty() {
            owners.insert(Owner::Standard);
        }
        owners
    }

    fn add(&self, at: u64, depth: usize, owners: &mut BTreeSet<Owner>) {
        let owner = of_frames(&self.elf.frames(at), &self.root);
        if owner != Owner::Standard {
            owners.insert(owner);
            return;
        }
        let Some(function) = self.elf.function_at(at).filter(|_| depth > 0) else {
            return;
        };
        let name = self.elf.name_of(function);
        let is_its_own = ITS_OWN.iter().any(|part| name.contains(part));
        for site in self
            .sites
            .get(&function)
            .filter(|_| !is_its_own)
            .into_iter()
            .flatten()
        {
            self.add(*site, depth - 1, owners);
        }
    }
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

    #[test]
    fn a_panic_belongs_to_the_innermost_code_that_is_not_of_the_standard_library() {
        let core = frame("/rustc/5980/library/core/src/option.rs");
        let ours = frame("/w/airlock/kernel/net/src/a.rs");
        let theirs = frame("/c/registry/src/index.crates.io-1/smoltcp-0.14.0/src/a.rs");
        let whose = |frames: &[Frame]| of_frames(frames, "/w/airlock");
        let expected = Owner::Ours("kernel/net".to_owned(), "kernel/net/src/a.rs".to_owned(), 7);
        assert_eq!(
            whose(&[core.clone(), ours.clone(), theirs.clone()]),
            expected
        );
        let smoltcp = Owner::Theirs("smoltcp-0.14.0".to_owned());
        assert_eq!(whose(&[core.clone(), theirs, ours]), smoltcp);
        let released = frame("/deps/smoltcp-0.14.0/src/a.rs");
        assert_eq!(whose(&[core.clone(), released]), smoltcp);
        assert_eq!(whose(&[core]), Owner::Standard);
    }
}
