//! What the variables of a macro of the same file stand for.

use proc_macro2::{TokenStream, TokenTree};

/// The values that `$variable` has in the invocations of the macros of `tokens`, where it is one of
/// their parameters, separated by commas.
pub(super) fn values(tokens: &TokenStream, variable: &str) -> Vec<String> {
    let all = flat(tokens);
    let mut found = Vec::new();
    for (at, _) in all
        .iter()
        .enumerate()
        .filter(|(_, word)| *word == "macro_rules")
    {
        // `macro_rules ! name { ( $ a : kind , … ) => …`
        let Some(name) = all.get(at + 2) else {
            continue;
        };
        let parameters = all.get(at + 3..).unwrap_or_default();
        let end = parameters.iter().position(|word| word == ")");
        let parameters = parameters.get(..end.unwrap_or(0)).unwrap_or_default();
        let place = parameters
            .split(|word| word == ",")
            .position(|parameter| parameter.windows(2).any(|w| w == ["$", variable]));
        if let Some(place) = place {
            found.extend(invocations(&all, name, place));
        }
    }
    found
}

/// The words at argument `place` of each `name!(…)`.
fn invocations(all: &[String], name: &str, place: usize) -> Vec<String> {
    let starts = all.windows(3).enumerate();
    let starts = starts.filter(|(_, w)| *w == [name, "!", "("]);
    starts
        .filter_map(|(at, _)| {
            let arguments = all.get(at + 3..)?;
            let end = arguments.iter().position(|word| word == ")")?;
            let mut arguments = arguments.get(..end)?.split(|word| word == ",");
            arguments.nth(place)?.first().cloned()
        })
        .collect()
}

/// All tokens as words, brackets included.
fn flat(tokens: &TokenStream) -> Vec<String> {
    let mut words = Vec::new();
    for token in tokens.clone() {
        match token {
            TokenTree::Group(group) => {
                let brackets = match group.delimiter() {
                    proc_macro2::Delimiter::Parenthesis => ["(", ")"],
                    proc_macro2::Delimiter::Brace => ["{", "}"],
                    proc_macro2::Delimiter::Bracket => ["[", "]"],
                    proc_macro2::Delimiter::None => ["", ""],
                };
                words.push(brackets[0].to_owned());
                words.extend(flat(&group.stream()));
                words.push(brackets[1].to_owned());
            }
            other => words.push(other.to_string()),
        }
    }
    words
}
