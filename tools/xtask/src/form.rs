//! Length and names of files, words that must not stay, and paths of one machine.

use crate::finding::Finding;
use crate::tree::Tree;
use proc_macro2::{TokenStream, TokenTree};
use std::path::Path;
use std::str::FromStr;

/// A file is one idea; one that is longer holds two.
const LONGEST: usize = 500;
/// Kinds of files that people read and change.
const SOURCES: [&str; 5] = ["rs", "S", "ld", "sh", "md"];
/// Macros that say «not done» or «still looking».
const UNFINISHED: [&str; 3] = ["todo", "unimplemented", "dbg"];
/// Marks for what someone meant to do.
const MARKS: [&str; 3] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("X", "XX:"),
];
/// Names that say nothing of what is inside.
const EMPTY_NAMES: [&str; 7] = [
    "mod", "util", "utils", "helper", "helpers", "manager", "misc",
];
/// Folders that exist on one machine only, or outside the repository.
const ELSEWHERE: [&str; 5] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/tmp/", "wt"),
    concat!("../sha", "red"),
];

/// Runs all checks of this module.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.files() {
        findings.extend(long(path, text));
        findings.extend(named_badly(path));
        findings.extend(elsewhere(path, text));
    }
    for (path, text) in tree.with_extension("rs") {
        findings.extend(unfinished(path, text));
        findings.extend(marked(path, text));
    }
    findings
}

fn long(path: &str, text: &str) -> Option<Finding> {
    let extension = Path::new(path).extension()?.to_str()?;
    let lines = text.lines().count();
    let too_long = SOURCES.contains(&extension) && lines > LONGEST;
    too_long.then(|| {
        Finding::at(
            path,
            format!("has {lines} lines; split it, {LONGEST} is the most"),
        )
    })
}

fn named_badly(path: &str) -> Option<Finding> {
    let name = Path::new(path).file_name()?.to_str()?.strip_suffix(".rs")?;
    EMPTY_NAMES
        .contains(&name)
        .then(|| Finding::at(path, "its name does not say what is inside"))
}

fn elsewhere(path: &str, text: &str) -> Vec<Finding> {
    let lines = text.lines().zip(1..);
    lines
        .flat_map(|(line, number)| {
            let found = ELSEWHERE
                .iter()
                .filter(move |folder| line.contains(**folder));
            found.map(move |folder| {
                Finding::in_line(
                    path,
                    number,
                    format!("`{folder}` is not part of the repository"),
                )
            })
        })
        .collect()
}

fn unfinished(path: &str, text: &str) -> Vec<Finding> {
    let mut macros = Vec::new();
    if let Ok(tokens) = TokenStream::from_str(text) {
        collect_macros(tokens, &mut macros);
    }
    macros
        .into_iter()
        .map(|(name, line)| Finding::in_line(path, line, format!("`{name}!` must not stay")))
        .collect()
}

/// Names of unfinished macros, with their lines.
fn collect_macros(tokens: TokenStream, found: &mut Vec<(String, usize)>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) => collect_macros(group.stream(), found),
            TokenTree::Ident(word) if UNFINISHED.iter().any(|name| word == name) => {
                let called =
                    matches!(tokens.peek(), Some(TokenTree::Punct(p)) if p.as_char() == '!');
                if called {
                    found.push((word.to_string(), word.span().start().line));
                }
            }
            _ => {}
        }
    }
}

fn marked(path: &str, text: &str) -> Vec<Finding> {
    let marked = |line: &str| MARKS.iter().any(|mark| line.contains(mark));
    let lines = text.lines().zip(1..).filter(|(line, _)| marked(line));
    lines
        .map(|(_, number)| Finding::in_line(path, number, "do it, or write an issue"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(path: &str, text: &str) -> Vec<String> {
        check(&Tree::default().with(path, text))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn a_long_file_is_found_and_one_at_the_limit_is_not() {
        assert_eq!(texts("a.rs", &"//\n".repeat(LONGEST)), [""; 0]);
        assert_eq!(texts("a.rs", &"//\n".repeat(LONGEST + 1)).len(), 1);
        assert_eq!(texts("Cargo.lock", &"x\n".repeat(9000)), [""; 0]);
    }

    #[test]
    fn a_name_that_says_nothing_is_found() {
        assert_eq!(texts("kernel/x/src/utils.rs", "").len(), 1);
        assert_eq!(texts("kernel/x/src/mod.rs", "").len(), 1);
        assert_eq!(texts("kernel/x/src/model.rs", ""), [""; 0]);
    }

    #[test]
    fn unfinished_macros_are_found_in_code_only() {
        let found = texts("a.rs", "fn f() {\n    todo!()\n}\n");
        assert_eq!(found, ["a.rs:2: `todo!` must not stay"]);
        assert_eq!(
            texts("a.rs", "fn f() { m!(dbg!(1), unimplemented!()) }").len(),
            2
        );
        assert_eq!(
            texts("a.rs", "// todo!()\nfn todo() { let s = \"dbg!()\"; }"),
            [""; 0]
        );
    }

    #[test]
    fn marks_are_found_in_comments() {
        let line = format!("// {}: later", concat!("TO", "DO"));
        assert_eq!(texts("a.rs", &line).len(), 1);
    }

    #[test]
    fn paths_of_one_machine_are_found_in_every_text() {
        let line = format!("see {}me/x", concat!("/ho", "me/"));
        assert_eq!(texts("README.md", &line).len(), 1);
        assert_eq!(texts("scripts/x", &line).len(), 1);
    }
}
