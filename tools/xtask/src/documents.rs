//! Links that lead somewhere, and a map that names every crate.

use crate::finding::Finding;
use crate::tree::Tree;

const MAP: &str = "ARCHITECTURE.md";

/// Runs all checks of this module. `crates` are the folders of the workspace's crates.
pub fn check(tree: &Tree, crates: &[String]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = tree
        .with_extension("md")
        .flat_map(|(path, text)| broken_links(tree, path, text))
        .collect();
    findings.extend(
        tree.with_extension("md")
            .flat_map(|(path, text)| stale_listings(tree, path, text)),
    );
    let map = tree.text(MAP).unwrap_or_default();
    findings.extend(
        crates
            .iter()
            .filter(|folder| !names(map, folder))
            .map(|folder| Finding::at(MAP, format!("does not name the crate `{folder}`"))),
    );
    findings.extend(rows_without_folder(tree, map));
    findings
}

/// Whether the map has the folder as a row of its own, or together with its neighbours.
fn names(map: &str, folder: &str) -> bool {
    map.contains(&format!("`{folder}`")) || map.contains(&format!("`{folder}/`"))
}

/// Rows of the map that begin with a folder that is not there.
fn rows_without_folder(tree: &Tree, map: &str) -> Vec<Finding> {
    let row = |line: &str| {
        let (folder, _) = line.strip_prefix("| `")?.split_once('`')?;
        (folder.contains('/') && !tree.has(folder.trim_end_matches('/'))).then(|| folder.to_owned())
    };
    map.lines()
        .zip(1..)
        .filter_map(|(line, number)| Some((row(line)?, number)))
        .map(|(folder, number)| Finding::in_line(MAP, number, format!("`{folder}` is not there")))
        .collect()
}

fn broken_links(tree: &Tree, path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        for target in links(line).filter(|target| is_relative(target)) {
            if !tree.has(&resolve(path, target)) {
                let text = format!("the link `{target}` leads nowhere");
                findings.push(Finding::in_line(path, number, text));
            }
        }
    }
    findings
}

/// Listings that are not what the file has which they were taken from. A comment in the line before
/// the listing names the file: all of it, or one with these lines somewhere.
fn stale_listings(tree: &Tree, path: &str, text: &str) -> Vec<Finding> {
    let lines: Vec<&str> = text.lines().collect();
    let listing = |(at, line): (usize, &&str)| {
        let comment = line.strip_prefix("<!-- ")?.strip_suffix(" -->")?;
        let whole = comment.strip_prefix("the same as ");
        let source = whole.or_else(|| comment.strip_prefix("part of "))?;
        let shown = lines.iter().skip(at + 2).take_while(|line| **line != "```");
        let shown: Vec<&str> = shown.copied().collect();
        let there: Vec<&str> = tree.text(source).unwrap_or_default().lines().collect();
        let same = if whole.is_some() {
            shown == there
        } else {
            !shown.is_empty() && there.windows(shown.len()).any(|lines| lines == shown)
        };
        let text = format!("the listing is not what `{source}` has");
        (!same).then(|| Finding::in_line(path, at + 1, text))
    };
    lines.iter().enumerate().filter_map(listing).collect()
}

/// Targets of `[text](target)` in a line.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target)
}

fn is_relative(target: &str) -> bool {
    !target.contains("://") && !target.starts_with('#') && !target.starts_with("mailto:")
}

/// The path from the root of a link in `document`, without its anchor.
fn resolve(document: &str, target: &str) -> String {
    let target = target.split('#').next().unwrap_or_default();
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            // Above the root there is nothing that belongs to us: this stays a broken link.
            ".." if parts.pop().is_none() => return format!("../{target}"),
            ".." => {}
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(tree: &Tree, crates: &[&str]) -> Vec<String> {
        let crates: Vec<String> = crates.iter().map(|&folder| folder.into()).collect();
        check(tree, &crates)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn links_are_followed_from_where_they_stand() {
        let tree = Tree::default()
            .with(
                "docs/a.md",
                "[b](../b.md#part), [c](c/), [web](https://x.y/z), [here](#h)",
            )
            .with("b.md", "")
            .with("docs/c/d.rs", "");
        assert_eq!(texts(&tree, &[]), [""; 0]);
    }

    #[test]
    fn a_link_to_nothing_is_found() {
        for link in ["gone.md", "../outside.md", "docs/gone.md"] {
            let tree = Tree::default().with("a.md", &format!("\n[x]({link})"));
            assert_eq!(
                texts(&tree, &[]),
                [format!("a.md:2: the link `{link}` leads nowhere")]
            );
        }
    }

    #[test]
    fn a_listing_of_a_part_has_its_lines_together_in_the_file() {
        let listing = "<!-- part of a.rs -->\n```rust\none\ntwo\n```\n";
        for (text, found) in [("zero\none\ntwo\nthree", 0), ("one\nzero\ntwo", 1), ("", 1)] {
            let tree = Tree::default().with("a.md", listing).with("a.rs", text);
            assert_eq!(texts(&tree, &[]).len(), found, "{text}");
        }
    }

    #[test]
    fn a_listing_that_went_stale_is_found() {
        let listing = "<!-- the same as a.rs -->\n```rust\none\ntwo\n```\n";
        let fresh = Tree::default()
            .with("a.md", listing)
            .with("a.rs", "one\ntwo\n");
        assert_eq!(texts(&fresh, &[]), [""; 0]);
        for text in ["one\n", "one\ntwo\nthree\n", ""] {
            let stale = Tree::default().with("a.md", listing).with("a.rs", text);
            let finding = "a.md:1: the listing is not what `a.rs` has";
            assert_eq!(texts(&stale, &[]), [finding]);
        }
    }

    #[test]
    fn a_crate_that_the_map_forgets_is_found() {
        let tree = Tree::default()
            .with(MAP, "| `kernel/ipa` | words |\n")
            .with("kernel/ipa/Cargo.toml", "")
            .with("kernel/new/Cargo.toml", "");
        let found = texts(&tree, &["kernel/ipa", "kernel/new"]);
        assert_eq!(
            found,
            ["ARCHITECTURE.md: does not name the crate `kernel/new`"]
        );
    }

    #[test]
    fn a_row_of_the_map_without_its_folder_is_found() {
        let tree = Tree::default().with(MAP, "| `kernel/old` | gone |\n");
        assert_eq!(
            texts(&tree, &[]),
            ["ARCHITECTURE.md:1: `kernel/old` is not there"]
        );
    }
}
