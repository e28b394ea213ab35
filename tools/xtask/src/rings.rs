//! Arrows between files point down: no two files of a crate import each other, nor through others.
//!
//! A file names another by a path that begins with `crate`, `super` or `self`, in a `use` or in the
//! middle of code. A folder's file and those in the folder are one thing told in pieces, so arrows
//! between them do not count, and neither does what only tests name.

use crate::finding::Finding;
use crate::tree::Tree;
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

/// A file of a crate, as its path is written in source; that of `lib.rs` and `main.rs` is empty.
type Module = Vec<String>;

/// Finds the rings of every crate.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut crates: BTreeMap<&str, BTreeMap<Module, (&str, &str)>> = BTreeMap::new();
    for (path, text) in tree.with_extension("rs") {
        if let Some((of, module)) = path.split_once("/src/").and_then(module) {
            crates.entry(of).or_default().insert(module, (path, text));
        }
    }
    crates.values().flat_map(rings).collect()
}

/// The crate, and the module that a file in its `src` is. Programs in `bin` are crates of their own.
fn module<'t>((of, file): (&'t str, &str)) -> Option<(&'t str, Module)> {
    let path = file.strip_suffix(".rs")?;
    match path {
        "lib" | "main" => Some((of, Module::new())),
        _ if path.starts_with("bin/") => None,
        _ => Some((of, path.split('/').map(str::to_owned).collect())),
    }
}

fn rings(files: &BTreeMap<Module, (&str, &str)>) -> Vec<Finding> {
    let arrows: BTreeMap<&Module, BTreeSet<&Module>> = files
        .iter()
        .map(|(module, (_, text))| (module, arrows(module, text, files)))
        .collect();
    let mut found = Vec::new();
    let mut told = BTreeSet::new();
    for module in files.keys() {
        let Some(ring) = ring(module, &arrows) else {
            continue;
        };
        if ring.iter().all(|module| told.insert(*module)) {
            let names = ring.iter().filter_map(|module| files.get(*module));
            let names: Vec<_> = names.map(|(path, _)| *path).collect();
            let text = "import each other; move what both need below them";
            found.push(Finding::at(&names.join(" → "), text));
        }
    }
    found
}

/// The shortest way from `start` back to it.
fn ring<'m>(
    start: &'m Module,
    arrows: &BTreeMap<&'m Module, BTreeSet<&'m Module>>,
) -> Option<Vec<&'m Module>> {
    let mut ways = vec![vec![start]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in way.last().and_then(|last| arrows.get(last))? {
                if *next == start {
                    return Some(way);
                }
                if seen.insert(*next) {
                    longer.push([way.clone(), vec![*next]].concat());
                }
            }
        }
        ways = longer;
    }
    None
}

/// The files that the text of `module` names, without those of its own family.
fn arrows<'m>(
    module: &Module,
    text: &str,
    files: &'m BTreeMap<Module, (&str, &str)>,
) -> BTreeSet<&'m Module> {
    let Ok(tokens) = TokenStream::from_str(text) else {
        return BTreeSet::new();
    };
    let mut paths = Vec::new();
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    collect(&tokens, &[], &mut paths);
    let named = paths.iter().filter_map(|path| absolute(module, path));
    let named = named.filter_map(|path| file_of(&path, files));
    named
        .filter(|other| {
            !other.is_empty() && !other.starts_with(module) && !module.starts_with(other)
        })
        .collect()
}

/// The longest part of `path` that is a file.
fn file_of<'m>(path: &[String], files: &'m BTreeMap<Module, (&str, &str)>) -> Option<&'m Module> {
    let mut part = path.to_vec();
    loop {
        if let Some((module, _)) = files.get_key_value(&part) {
            return Some(module);
        }
        part.pop()?;
    }
}

/// `path` from the root of the crate, if it is one of this crate.
fn absolute(module: &Module, path: &[String]) -> Option<Module> {
    let (first, rest) = path.split_first()?;
    match first.as_str() {
        "crate" => Some(rest.to_vec()),
        "self" => Some([module, rest].concat()),
        "super" => {
            let (_, above) = module.split_last()?;
            let above = above.to_vec();
            if rest.first().is_some_and(|word| word == "super") {
                return absolute(&above, rest);
            }
            Some([above.as_slice(), rest].concat())
        }
        _ => None,
    }
}

/// Adds the paths in `tokens`; those in a group behind `::` go on from what stands before it.
fn collect(mut tokens: &[TokenTree], prefix: &[String], paths: &mut Vec<Vec<String>>) {
    while let Some((token, rest)) = tokens.split_first() {
        if is_test(tokens) {
            tokens = behind_item(tokens);
            continue;
        }
        tokens = rest;
        match token {
            TokenTree::Ident(word) => {
                let mut path = [prefix, &[word.to_string()]].concat();
                while let Some((next, rest)) = after_colons(tokens) {
                    tokens = rest;
                    match next {
                        TokenTree::Ident(word) => path.push(word.to_string()),
                        TokenTree::Group(group) => collect(&inside(group), &path, paths),
                        TokenTree::Punct(_) | TokenTree::Literal(_) => {}
                    }
                }
                paths.push(path);
            }
            TokenTree::Group(group) => collect(&inside(group), &[], paths),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

fn inside(group: &Group) -> Vec<TokenTree> {
    group.stream().into_iter().collect()
}

/// What stands behind `::`, if that comes first, and what is left.
fn after_colons(tokens: &[TokenTree]) -> Option<(&TokenTree, &[TokenTree])> {
    match tokens {
        [TokenTree::Punct(a), TokenTree::Punct(b), next, rest @ ..]
            if a.as_char() == ':' && b.as_char() == ':' =>
        {
            Some((next, rest))
        }
        _ => None,
    }
}

/// Whether an item follows that only tests have: `#[cfg(test)]` or `#[test]`.
fn is_test(tokens: &[TokenTree]) -> bool {
    match tokens {
        [TokenTree::Punct(hash), TokenTree::Group(attribute), ..] if hash.as_char() == '#' => {
            let text = attribute.stream().to_string().replace(' ', "");
            text == "cfg(test)" || text == "test"
        }
        _ => false,
    }
}

/// What is behind the item that begins here: behind its braces or its semicolon.
fn behind_item(tokens: &[TokenTree]) -> &[TokenTree] {
    let ends = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(mark) => mark.as_char() == ';',
        TokenTree::Ident(_) | TokenTree::Literal(_) => false,
    };
    let mut parts = tokens.splitn(2, ends);
    parts.nth(1).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let tree = files.iter().fold(Tree::default(), |tree, (path, text)| {
            tree.with(&format!("kernel/x/src/{path}"), text)
        });
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn two_files_that_import_each_other_are_a_ring() {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::{b::{B, C}, d};"),
            ("b.rs", "fn f() { super::a::g() }"),
        ];
        let [only] = found(&files).try_into().unwrap();
        assert!(
            only.contains("kernel/x/src/a.rs → kernel/x/src/b.rs"),
            "{only}"
        );
    }

    #[test]
    fn a_way_through_others_back_is_one_ring() {
        let files = [
            ("a.rs", "use crate::b::B;"),
            ("b.rs", "use crate::c::inner::C;"),
            ("c/inner.rs", "use crate::a;"),
            ("d.rs", "use crate::a;"),
        ];
        assert_eq!(found(&files).len(), 1);
    }

    #[test]
    fn arrows_that_point_down_and_within_a_family_are_none() {
        let files = [
            ("lib.rs", "pub use crate::a::A;"),
            (
                "a.rs",
                "mod inner; use crate::b::B; use self::inner::I; use crate::Error;",
            ),
            ("a/inner.rs", "use super::A; use crate::b::B;"),
            (
                "b.rs",
                "use core::fmt; #[cfg(test)] mod tests { use crate::a::A; }",
            ),
        ];
        assert_eq!(found(&files), [""; 0]);
    }
}
