//! Which tests run the body of which fuzz target: those that name it.

use crate::tree::Tree;
use proc_macro2::{TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

/// Names of test functions, and the fuzz targets that their bodies name as `fuzz::TARGET`.
pub fn tests(tree: &Tree) -> BTreeMap<String, BTreeSet<String>> {
    let targets: BTreeSet<&str> = tree
        .files()
        .filter_map(|(path, _)| {
            path.strip_prefix("tests/fuzz/fuzz_targets/")?
                .strip_suffix(".rs")
        })
        .collect();
    let mut found = BTreeMap::new();
    for (path, text) in tree.with_extension("rs") {
        if !path.contains("tests/") || !text.contains("fuzz::") {
            continue;
        }
        if let Ok(tokens) = TokenStream::from_str(text) {
            let tokens: Vec<_> = tokens.into_iter().collect();
            walk(&tokens, &targets, &mut found);
        }
    }
    found
}

/// `fn NAME … { … fuzz :: TARGET … }`.
fn walk(
    tokens: &[TokenTree],
    targets: &BTreeSet<&str>,
    found: &mut BTreeMap<String, BTreeSet<String>>,
) {
    let mut name = None;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Ident(word) if word == "fn" => {
                name = tokens.get(at + 1).map(ToString::to_string);
            }
            TokenTree::Group(group) if group.delimiter() == proc_macro2::Delimiter::Brace => {
                let words = words(group.stream());
                let named = words.windows(4).filter_map(|w| match w {
                    [module, a, b, target] if module == "fuzz" && a == ":" && b == ":" => {
                        targets.contains(&**target).then(|| target.clone())
                    }
                    _ => None,
                });
                match name.take() {
                    Some(name) => found.entry(name).or_default().extend(named),
                    // A module.
                    None => {
                        walk(
                            &group.stream().into_iter().collect::<Vec<_>>(),
                            targets,
                            found,
                        );
                    }
                }
            }
            _ => {}
        }
    }
    found.retain(|_, targets| !targets.is_empty());
}

/// All tokens, those in brackets too.
fn words(tokens: TokenStream) -> Vec<String> {
    let mut found = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) => found.extend(words(group.stream())),
            other => found.push(other.to_string()),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_of_the_targets_that_it_names() {
        let text = "#[test] fn a() { fuzz::one(&[]); } #[test] fn b() { for t in [fuzz::one, fuzz::two] { t(&[]) } }
            #[test] fn c() { testkit::fuzz::three(&[]) }";
        let tree = Tree::default()
            .with("kernel/k/tests/t.rs", text)
            .with("tests/fuzz/fuzz_targets/one.rs", "")
            .with("tests/fuzz/fuzz_targets/two.rs", "");
        let found = super::tests(&tree);
        let targets = |name: &str| {
            found
                .get(name)
                .map(|t| t.iter().cloned().collect::<Vec<_>>())
        };
        assert_eq!(targets("a"), Some(vec!["one".to_owned()]));
        assert_eq!(targets("b"), Some(vec!["one".to_owned(), "two".to_owned()]));
        assert_eq!(targets("c"), None);
    }
}
