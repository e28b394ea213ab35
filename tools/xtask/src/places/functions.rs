//! The functions of a file of Rust, and whether the host's word is in their signatures.

use super::macros;
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use std::str::FromStr;

/// The type that marks the host's word.
const MARK: &str = "Untrusted";

/// A function with a body, or a method of a trait.
pub(super) struct Function {
    pub(super) name: String,
    pub(super) line: usize,
    /// Its names, where a macro makes it under several.
    pub(super) made: Vec<String>,
    /// Whether its result has the mark in it.
    pub(super) is_marked: bool,
    /// Empty where there is none.
    pub(super) body: TokenStream,
}

/// The functions of `text`, those of its tests left out. Where a macro makes one
/// of a variable name, `$read`, the values are found.
pub(super) fn of(text: &str) -> Vec<Function> {
    let mut found = Vec::new();
    if let Ok(tokens) = TokenStream::from_str(text) {
        walk(tokens.clone(), &mut found);
        for function in &mut found {
            if let Some(variable) = function.name.strip_prefix('$') {
                function.made = macros::values(&tokens, variable);
            }
        }
    }
    found
}

fn walk(tokens: TokenStream, found: &mut Vec<Function>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        if is_of_tests(token) {
            // The item behind the attribute, up to its body or its end.
            at += 1 + item_len(tokens.get(at..).unwrap_or_default());
        } else if is_word(token, "fn") {
            at += function(tokens.get(at..).unwrap_or_default(), found);
        } else if let TokenTree::Group(group) = token {
            walk(group.stream(), found);
        }
    }
}

/// Takes the function whose name and signature `tokens` begin with; says how many tokens it has.
fn function(tokens: &[TokenTree], found: &mut Vec<Function>) -> usize {
    // `$read` in a macro is two tokens.
    let is_variable = matches!(tokens.first(), Some(TokenTree::Punct(p)) if p.as_char() == '$');
    let Some(TokenTree::Ident(name)) = tokens.get(usize::from(is_variable)) else {
        // A type `fn(u8) -> u8`.
        return 0;
    };
    let len = item_len(tokens);
    let signature = tokens.get(..len).unwrap_or_default();
    let body = tokens.get(len).and_then(braces);
    let body = body.map(Group::stream).unwrap_or_default();
    let function = Function {
        name: format!("{}{name}", if is_variable { "$" } else { "" }),
        made: Vec::new(),
        line: name.span().start().line,
        is_marked: result(signature).iter().any(holds_mark),
        body: body.clone(),
    };
    found.push(function);
    walk(body, found);
    len + 1
}

/// What stands behind `->`.
fn result(signature: &[TokenTree]) -> &[TokenTree] {
    let is = |token: &TokenTree, c| matches!(token, TokenTree::Punct(p) if p.as_char() == c);
    let arrow = |pair: &[TokenTree]| matches!(pair, [a, b] if is(a, '-') && is(b, '>'));
    // An arrow of a closure's bound stands inside of brackets or before the last one.
    let at = signature.windows(2).rposition(arrow);
    at.and_then(|at| signature.get(at + 2..))
        .unwrap_or_default()
}

/// Tokens of an item before its body or its semicolon.
fn item_len(tokens: &[TokenTree]) -> usize {
    let end = |token: &TokenTree| {
        braces(token).is_some() || matches!(token, TokenTree::Punct(p) if p.as_char() == ';')
    };
    tokens.iter().position(end).unwrap_or(tokens.len())
}

fn braces(token: &TokenTree) -> Option<&Group> {
    match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some(group),
        _ => None,
    }
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

fn holds_mark(token: &TokenTree) -> bool {
    match token {
        TokenTree::Ident(ident) => ident == MARK,
        TokenTree::Group(group) => group.stream().into_iter().any(|t| holds_mark(&t)),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    }
}

/// Whether this is the inside of `#[cfg(test)]`.
fn is_of_tests(token: &TokenTree) -> bool {
    let TokenTree::Group(group) = token else {
        return false;
    };
    group.delimiter() == Delimiter::Bracket && group.stream().to_string() == "cfg (test)"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<(String, bool)> {
        of(text)
            .into_iter()
            .map(|f| (f.name, f.is_marked))
            .collect()
    }

    #[test]
    fn signatures_tell_who_hands_the_word_on() {
        let text = "
            trait R { fn read8(&self, at: u64) -> Untrusted<u8>; fn len(&self) -> u64; }
            fn take(word: Untrusted<u32>) -> u32 { word.masked(7) }
            fn any(f: impl Fn() -> Untrusted<u8>) -> u32 { 7 }
            fn plain() { fn inner() -> Result<Untrusted<u8>, E> {} }
            macro_rules! m { ($read:ident) => { fn $read(&self) -> Untrusted<u8> {} } }
        ";
        let expected = [
            ("read8", true),
            ("len", false),
            ("take", false),
            ("any", false),
            ("plain", false),
            ("inner", true),
            ("$read", true),
        ];
        assert_eq!(names(text), expected.map(|(n, m)| (n.to_owned(), m)));
    }

    #[test]
    fn functions_that_a_macro_makes_have_all_their_names() {
        let text = "
            macro_rules! words { ($load:ident, $word:ty) => { fn $load() -> Untrusted<$word> {} } }
            words!(load_u16, u16);
            impl S { words!(load_u32, u32); }
        ";
        let made: Vec<_> = of(text).into_iter().flat_map(|f| f.made).collect();
        assert_eq!(made, ["load_u16", "load_u32"]);
    }

    #[test]
    fn tests_are_left_out() {
        let text = "#[cfg(test)] mod tests { fn t() {} } #[cfg(test)] mod model; fn f() {}";
        assert_eq!(names(text), [("f".to_owned(), false)]);
    }
}
