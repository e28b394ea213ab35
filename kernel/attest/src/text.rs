//! Text that came from somebody else, made fit for a log.

use alloc::string::String;

/// Copies at most `limit` characters of `text`; anything but printable ASCII becomes `?`.
///
/// A log line is read on terminals: what a stranger sends must not move the cursor, colour the
/// screen, or pretend to be a second line.
pub(crate) fn printable(text: &str, limit: usize) -> String {
    text.chars()
        .take(limit)
        .map(|c| {
            if c == ' ' || c.is_ascii_graphic() {
                c
            } else {
                '?'
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_foreign_letters_become_question_marks() {
        assert_eq!(printable("a\n\u{1b}[2Jb\u{e9}", 99), "a??[2Jb?");
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(printable("abcdef", 3), "abc");
    }
}
