//! Every file in a crate's `src` is part of a program: a `mod` names it, or an `include!`, in a file that is one.
//!
//! What nobody names is not compiled, and no compiler says so: it goes stale unseen, and its tests never run.

use crate::finding::Finding;
use crate::tree::Tree;
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use std::collections::BTreeSet;
use std::str::FromStr;

/// Finds files that no program has.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let files: BTreeSet<&str> = tree.with_extension("rs").map(|(path, _)| path).collect();
    let mut reached = BTreeSet::new();
    let mut next: Vec<String> = files
        .iter()
        .filter(|path| is_root(tree, path))
        .map(ToString::to_string)
        .collect();
    while let Some(path) = next.pop() {
        if let Some(text) = tree.text(&path) {
            next.extend(named(&path, text));
            reached.insert(path);
        }
        next.retain(|path| !reached.contains(path));
    }
    let orphans = files.into_iter().filter(|path| !reached.contains(*path));
    let text = "no `mod` names it, so it is not compiled: name it, or remove it";
    orphans.map(|path| Finding::at(path, text)).collect()
}

/// Whether cargo itself takes this file for a crate: outside of `src` that is its business.
fn is_root(tree: &Tree, path: &str) -> bool {
    let Some((folder, file)) = path.rsplit_once("/src/") else {
        return true;
    };
    let is_program = file.strip_prefix("bin/").is_some_and(|program| {
        !program.contains('/') || program.matches('/').count() == 1 && program.ends_with("/main.rs")
    });
    let manifest = tree.text(&format!("{folder}/Cargo.toml"));
    let says_so = manifest.is_some_and(|text| text.contains(&format!("\"src/{file}\"")));
    matches!(file, "lib.rs" | "main.rs") || is_program || says_so
}

/// The files that `text`, at `path`, names; of two that a name may stand for, both.
fn named(path: &str, text: &str) -> Vec<String> {
    let Ok(tokens) = TokenStream::from_str(text) else {
        return Vec::new();
    };
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = name.strip_suffix(".rs").unwrap_or(name);
    let is_crate = !path.contains("/src/") || folder.ends_with("/src/bin");
    let modules = match stem {
        "lib" | "main" | "mod" => folder.to_owned(),
        _ if is_crate => folder.to_owned(),
        _ => format!("{folder}/{stem}"),
    };
    let mut files = Vec::new();
    collect(tokens, folder, &modules, &mut files);
    files
}

/// Adds the files that `tokens` name, in a file in `folder` whose modules are in `modules`.
fn collect(tokens: TokenStream, folder: &str, modules: &str, files: &mut Vec<String>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut path: Option<String> = None;
    for (at, token) in tokens.iter().enumerate() {
        let rest = tokens.get(at..).unwrap_or_default();
        match rest {
            [
                TokenTree::Ident(word),
                TokenTree::Ident(name),
                TokenTree::Punct(end),
                ..,
            ] if word == "mod" && end.as_char() == ';' => {
                files.extend(match path.take() {
                    Some(path) => vec![joined(folder, &path)],
                    None => vec![
                        format!("{modules}/{name}.rs"),
                        format!("{modules}/{name}/mod.rs"),
                    ],
                });
            }
            [
                TokenTree::Ident(word),
                TokenTree::Ident(name),
                TokenTree::Group(body),
                ..,
            ] if word == "mod" && body.delimiter() == Delimiter::Brace => {
                collect(body.stream(), folder, &format!("{modules}/{name}"), files);
            }
            [
                TokenTree::Ident(word),
                TokenTree::Punct(_),
                TokenTree::Group(what),
                ..,
            ] if word == "include" => {
                files.extend(text_of(what).map(|path| joined(folder, &path)));
            }
            [TokenTree::Punct(hash), TokenTree::Group(attribute), ..] if hash.as_char() == '#' => {
                let first = attribute.stream().into_iter().next();
                if first.is_some_and(|word| word.to_string() == "path") {
                    path = text_of(attribute);
                }
            }
            _ => {}
        }
        let is_module = matches!(
            tokens.get(at.wrapping_sub(2)),
            Some(TokenTree::Ident(word)) if word == "mod"
        );
        if let TokenTree::Group(group) = token
            && !is_module
        {
            collect(group.stream(), folder, modules, files);
        }
    }
}

/// The first text in `group`, without its quotation marks.
fn text_of(group: &Group) -> Option<String> {
    group.stream().into_iter().find_map(|token| {
        let text = token.to_string();
        Some(text.strip_prefix('"')?.strip_suffix('"')?.to_owned())
    })
}

/// Where `path` leads from `folder`.
fn joined(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').collect();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            other => parts.push(other),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let tree = files
            .iter()
            .fold(Tree::default(), |tree, (path, text)| tree.with(path, text));
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_file_that_no_mod_names_is_found_and_so_is_what_only_such_a_file_names() {
        let files = [
            ("kernel/x/src/lib.rs", "mod a; // mod b;"),
            ("kernel/x/src/a.rs", "pub mod inner;"),
            ("kernel/x/src/a/inner.rs", ""),
            ("kernel/x/src/b.rs", "mod c;"),
            ("kernel/x/src/b/c.rs", ""),
            // A neighbour of the file that names it, and not below it.
            ("kernel/x/src/inner.rs", ""),
        ];
        let found = found(&files);
        let places = ["b.rs", "b/c.rs", "inner.rs"];
        assert_eq!(found.len(), places.len(), "{found:?}");
        for (finding, place) in found.iter().zip(places) {
            let begin = format!("kernel/x/src/{place}: no `mod` names it");
            assert!(finding.starts_with(&begin), "{finding}");
        }
    }

    #[test]
    fn every_way_to_name_a_file_counts() {
        let files = [
            ("kernel/x/Cargo.toml", "[[bin]]\npath = \"src/tool.rs\""),
            (
                "kernel/x/src/lib.rs",
                "mod a { mod deep; } #[cfg(test)] mod tests; macro! { mod b; } mod old;
                 #[path = \"odd/name.rs\"] mod c; const X: u8 = include!(\"table.rs\");",
            ),
            ("kernel/x/src/a/deep.rs", ""),
            ("kernel/x/src/b.rs", ""),
            ("kernel/x/src/odd/name.rs", ""),
            ("kernel/x/src/old/mod.rs", "mod older;"),
            ("kernel/x/src/old/older.rs", ""),
            ("kernel/x/src/table.rs", "7"),
            ("kernel/x/src/tests.rs", ""),
            ("kernel/x/src/tool.rs", ""),
            ("kernel/x/src/bin/one.rs", ""),
            ("kernel/x/src/bin/two/main.rs", "mod part;"),
            ("kernel/x/src/bin/two/part.rs", ""),
            (
                "kernel/x/tests/whole.rs",
                "#[path = \"../src/model.rs\"] mod model;",
            ),
            ("kernel/x/src/model.rs", ""),
            ("kernel/x/build.rs", ""),
        ];
        assert_eq!(found(&files), [""; 0]);
    }
}
