//! Which files hold unsafe code: the committed list says, and each says why at its top.

use crate::finding::Finding;
use crate::tree::Tree;
use proc_macro2::{TokenStream, TokenTree};
use std::collections::BTreeSet;
use std::str::FromStr;

/// The files that were reviewed for it, one path a line. `#` starts a comment.
const LIST: &str = "tools/xtask/unsafe-files.txt";
/// What each of them says at its top, with the reason behind it.
const REASON: &str = "// UNSAFETY: ";
/// What a compiler does not check, as a word of the language. A global assembly block is code too.
const WORDS: [&str; 2] = ["unsafe", "global_asm"];

/// Files that hold unsafe code, sorted.
pub fn found(tree: &Tree) -> BTreeSet<&str> {
    tree.with_extension("rs")
        .filter(|(_, text)| holds_unsafe(text).unwrap_or(true))
        .map(|(path, _)| path)
        .collect()
}

/// Compares the files with the list, and looks for the reason in each.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let found = found(tree);
    let listed = listed(tree);
    let unlisted = found.difference(&listed).map(|path| {
        Finding::at(
            path,
            format!("holds unsafe code; after a review for that alone, add it to {LIST}"),
        )
    });
    let idle = listed
        .difference(&found)
        .map(|path| Finding::at(path, format!("holds no unsafe code; remove it from {LIST}")));
    let silent = found
        .iter()
        .filter(|path| !tree.text(path).is_some_and(says_why))
        .map(|path| {
            Finding::at(
                path,
                format!("holds unsafe code without a line `{REASON}why`"),
            )
        });
    unlisted.chain(idle).chain(silent).collect()
}

fn listed(tree: &Tree) -> BTreeSet<&str> {
    let lines = tree.text(LIST).unwrap_or_default().lines();
    lines
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .filter(|l| !l.is_empty())
        .collect()
}

fn says_why(text: &str) -> bool {
    let reason = text.lines().find_map(|line| line.strip_prefix(REASON));
    reason.is_some_and(|reason| reason.trim().len() > 10)
}

/// `None`: this is not Rust, so nobody can say.
fn holds_unsafe(text: &str) -> Option<bool> {
    TokenStream::from_str(text).ok().map(any_word)
}

/// Comments and strings are no words here.
fn any_word(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(word) => WORDS.iter().any(|unsafe_word| word == unsafe_word),
        TokenTree::Group(group) => any_word(group.stream()),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "// UNSAFETY: memory that the host writes.\nfn f() { unsafe { g() } }\n";

    fn texts(tree: &Tree) -> String {
        check(tree)
            .iter()
            .map(|finding| format!("{finding}\n"))
            .collect()
    }

    #[test]
    fn a_listed_file_with_its_reason_is_good() {
        let tree = Tree::default()
            .with("a.rs", GOOD)
            .with(LIST, "# reviewed\na.rs # window\n");
        assert_eq!(check(&tree), []);
    }

    #[test]
    fn an_unlisted_file_is_found() {
        let tree = Tree::default().with("a.rs", GOOD);
        assert!(texts(&tree).starts_with("a.rs: holds unsafe code; after a review"));
    }

    #[test]
    fn a_file_that_became_safe_leaves_the_list() {
        let tree = Tree::default()
            .with("a.rs", "fn f() {}")
            .with(LIST, "a.rs\n");
        assert!(texts(&tree).contains("holds no unsafe code"));
    }

    #[test]
    fn a_listed_file_that_is_gone_leaves_the_list() {
        assert!(texts(&Tree::default().with(LIST, "gone.rs\n")).contains("gone.rs"));
    }

    #[test]
    fn a_file_that_does_not_say_why_is_found() {
        for text in [
            "fn f() { unsafe { g() } }",
            "// UNSAFETY: \nunsafe fn f() {}",
        ] {
            let tree = Tree::default().with("a.rs", text).with(LIST, "a.rs\n");
            assert!(texts(&tree).contains("without a line"), "{text}");
        }
    }

    #[test]
    fn only_code_counts() {
        for (text, holds) in [
            ("/// unsafe words\n//! x\nfn f() {}", false),
            ("const S: &str = \"unsafe { }\";", false),
            ("#![forbid(unsafe_code)]", false),
            ("#[unsafe(no_mangle)] fn f() {}", true),
            ("macro_rules! m { () => { unsafe { g() } } }", true),
            ("core::arch::global_asm!(\"nop\");", true),
            ("unsafe impl Send for X {}", true),
        ] {
            assert_eq!(holds_unsafe(text), Some(holds), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_counts_as_unsafe() {
        assert!(!check(&Tree::default().with("a.rs", "fn f( {")).is_empty());
    }
}
