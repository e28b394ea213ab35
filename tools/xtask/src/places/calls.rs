//! The calls in a function's body.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::collections::BTreeSet;

/// Loads that no type guards.
const RAW: [&str; 7] = [
    "read_volatile",
    "read_unaligned",
    "read_unsafe",
    "from_raw_parts",
    "from_raw_parts_mut",
    "get_and_acknowledge_interrupt",
    "airlock_smc",
];

/// A call of a function that hands the host's word on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// The line of its name, from 1.
    pub(super) line: usize,
    /// Its column, from 1.
    pub(super) column: usize,
    pub(super) text: String,
}

/// The calls of functions in `names` in `body`, closures included, functions inside not.
pub(super) fn of(body: &TokenStream, names: &BTreeSet<String>) -> Vec<Call> {
    let mut found = Vec::new();
    walk(body.clone(), names, &mut found);
    found
}

fn walk(tokens: TokenStream, names: &BTreeSet<String>, found: &mut Vec<Call>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut skip_until_body = false;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Ident(word) if word == "fn" => skip_until_body = true,
            TokenTree::Group(group) => {
                // What is in a function inside is that function's.
                let is_its_body = skip_until_body && group.delimiter() == Delimiter::Brace;
                if is_its_body {
                    skip_until_body = false;
                } else {
                    walk(group.stream(), names, found);
                }
            }
            TokenTree::Ident(word) if names.contains(&word.to_string()) => {
                if let Some(TokenTree::Group(arguments)) = tokens.get(at + 1)
                    && arguments.delimiter() == Delimiter::Parenthesis
                {
                    let receiver = receiver(tokens.get(..at).unwrap_or_default());
                    let arguments = arguments.stream();
                    let start = word.span().start();
                    found.push(Call {
                        line: start.line,
                        column: start.column + 1,
                        text: tidy(&format!("{receiver}{word}({arguments})")),
                    });
                }
            }
            _ => {}
        }
    }
}

/// The last tokens of `before` that are a path or a chain of fields.
fn receiver(before: &[TokenTree]) -> String {
    let mut from = before.len();
    let mut last_was_word = true;
    while let Some(token) = from.checked_sub(1).and_then(|at| before.get(at)) {
        let joins = match token {
            TokenTree::Punct(punct) => matches!(punct.as_char(), '.' | ':' | '?'),
            TokenTree::Ident(word) => !last_was_word && !is_keyword(&word.to_string()),
            TokenTree::Group(group) => {
                !last_was_word && group.delimiter() == Delimiter::Parenthesis
            }
            TokenTree::Literal(_) => false,
        };
        if !joins {
            break;
        }
        last_was_word = matches!(token, TokenTree::Ident(_));
        from -= 1;
    }
    let chain = before.get(from..).unwrap_or_default().iter().cloned();
    chain.collect::<TokenStream>().to_string()
}

fn is_keyword(word: &str) -> bool {
    [
        "return", "if", "match", "in", "let", "else", "while", "mut", "move",
    ]
    .contains(&word)
}

/// One line without the spaces that tokens get.
fn tidy(text: &str) -> String {
    let mut text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for (from, to) in [
        (" . ", "."),
        (" :: ", "::"),
        (". ", "."),
        (":: ", "::"),
        (" ?", "?"),
        (" ::", "::"),
        (" (", "("),
        (" ,", ","),
        ("& ", "&"),
        (" .", "."),
    ] {
        text = text.replace(from, to);
    }
    text
}

/// The first load in `body` that no type guards: its line, and by what.
pub(super) fn raw_read(body: &TokenStream) -> Option<(usize, String)> {
    body.clone().into_iter().find_map(|token| match token {
        TokenTree::Ident(word) => {
            let line = word.span().start().line;
            let word = word.to_string();
            RAW.contains(&word.as_str()).then_some((line, word))
        }
        TokenTree::Group(group) => raw_read(&group.stream()),
        TokenTree::Punct(_) | TokenTree::Literal(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    fn calls(body: &str) -> Vec<String> {
        let names = BTreeSet::from(["read8".to_owned(), "answer".to_owned()]);
        let body = TokenStream::from_str(body).expect("tokens");
        of(&body, &names)
            .into_iter()
            .map(|call| call.text)
            .collect()
    }

    #[test]
    fn calls_are_found_wherever_they_stand() {
        assert_eq!(
            calls("let x = self.a.b.read8(at + 4).is(1); wait(&mut || bar.read8(STATUS).is(0));"),
            ["self.a.b.read8(at + 4)", "bar.read8(STATUS)"]
        );
        assert_eq!(
            calls("conduit::answer(&results, 1)"),
            ["conduit::answer(&results, 1)"]
        );
        assert_eq!(calls("if read8(1).has(2) {}"), ["read8(1)"]);
    }

    #[test]
    fn names_alone_are_no_calls_and_inner_functions_have_their_own() {
        assert_eq!(
            calls("let read8 = 1; fn inner() { a.read8(1); } b.read8(2)"),
            ["b.read8(2)"]
        );
    }

    #[test]
    fn raw_loads_are_seen_inside_of_blocks() {
        let body = TokenStream::from_str("a(); unsafe { p.read_volatile() }").expect("tokens");
        assert_eq!(raw_read(&body), Some((1, "read_volatile".to_owned())));
    }
}
