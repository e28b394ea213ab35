//! Boot arguments: words of `key=value`.

use alloc::string::String;
use alloc::vec::Vec;

/// Most bytes of boot arguments that are looked at. The host chooses how many it gives.
pub const MAX_LENGTH: usize = 4096;

/// Boot arguments. They come from the host, and are measured: what they say is for the verifier to
/// judge.
///
/// Words are separated by blanks; `"` begins and ends a part that may have blanks in it. A word
/// without `=` is a key with an empty value. Where a key comes twice the last one counts: a VMM
/// puts its own words in front of the user's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    text: String,
    words: Vec<(String, String)>,
}

impl Arguments {
    /// Takes the text apart. Whatever lies behind [`MAX_LENGTH`] is left away.
    pub fn parse(text: &str) -> Self {
        let mut end = text.len().min(MAX_LENGTH);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let text = String::from(text.get(..end).unwrap_or_default());
        let words = words(&text);
        Self { text, words }
    }

    /// The text as it came.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The value of `key`, if it was given.
    pub fn get(&self, key: &str) -> Option<&str> {
        let mut found = self.words.iter().rev().filter(|(k, _)| k == key);
        found.next().map(|(_, value)| value.as_str())
    }

    /// Each key and its value, in the order of the text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.words
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

fn words(text: &str) -> Vec<(String, String)> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for c in text.chars().chain([' ']) {
        match c {
            '"' => quoted = !quoted,
            c if c.is_ascii_whitespace() && !quoted => {
                if !word.is_empty() {
                    words.push(split(&word));
                    word.clear();
                }
            }
            c => word.push(c),
        }
    }
    // The quote was never closed: the rest of the text is one word.
    if !word.trim_end().is_empty() {
        words.push(split(word.trim_end()));
    }
    words
}

fn split(word: &str) -> (String, String) {
    let (key, value) = word.split_once('=').unwrap_or((word, ""));
    (key.into(), value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_key_and_the_last_one_counts() {
        let arguments = Arguments::parse(" console=ttyS0 root=/dev/vda rw  log=info log=debug");
        assert_eq!(arguments.get("log"), Some("debug"));
        assert_eq!(arguments.get("rw"), Some(""));
        assert_eq!(arguments.get("nothing"), None);
        assert_eq!(arguments.iter().count(), 5);
    }

    #[test]
    fn quotes_keep_blanks_together() {
        let arguments = Arguments::parse(r#"motto="may the force" a"b c"=d=e"#);
        assert_eq!(arguments.get("motto"), Some("may the force"));
        assert_eq!(arguments.get("ab c"), Some("d=e"));
    }

    #[test]
    fn an_open_quote_reaches_to_the_end() {
        let arguments = Arguments::parse(r#"a=1 b="x y"#);
        assert_eq!(arguments.get("b"), Some("x y"));
    }

    #[test]
    fn too_long_a_text_is_cut_between_characters() {
        let text = "é".repeat(MAX_LENGTH);
        let arguments = Arguments::parse(&text);
        assert_eq!(arguments.text().len(), MAX_LENGTH);
        let odd = alloc::format!("x{text}");
        assert_eq!(Arguments::parse(&odd).text().len(), MAX_LENGTH - 1);
    }
}
