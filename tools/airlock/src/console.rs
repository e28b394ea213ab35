//! What the guest said on its console.

use crate::report::Report;
use std::io::{self, BufRead, BufReader, Read};

/// More of one line is not kept: a guest that never ends its line must not fill the host's memory.
const LINE_LIMIT: u64 = 256 * 1024;
/// More lines are shown, and not kept.
const KEPT_LINES: usize = 100_000;

/// The lines of one run.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    lines: Vec<String>,
}

impl Transcript {
    /// Adds one line, without its end.
    pub fn push(&mut self, line: &str) {
        if self.lines.len() < KEPT_LINES {
            self.lines.push(line.to_owned());
        }
    }

    /// All lines.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// The first line that contains `text`.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<&str> {
        self.lines
            .iter()
            .map(String::as_str)
            .find(|line| line.contains(text))
    }

    /// The payload's verdict: the last line that is one. `Err` holds the reason.
    #[must_use]
    pub fn payload_verdict(&self) -> Option<Result<(), &str>> {
        self.lines.iter().rev().find_map(|line| {
            let said = line.strip_prefix("payload: ")?;
            match said.strip_prefix("failed: ") {
                Some(reason) => Some(Err(reason)),
                None => (said == "ok").then_some(Ok(())),
            }
        })
    }

    /// The monitor's report, if there is one that can be read.
    #[must_use]
    pub fn report(&self) -> Option<Report> {
        let line = self
            .lines
            .iter()
            .rev()
            .find_map(|line| line.strip_prefix("report: "))?;
        Report::parse(line).ok()
    }

    /// Violations that the monitor told when they happened: what is known when no report came.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        let told = self
            .lines
            .iter()
            .filter_map(|line| line.strip_prefix("monitor: violation: "));
        told.map(str::to_owned).collect()
    }

    /// The last line that says something and is not the report.
    #[must_use]
    pub fn last_words(&self) -> &str {
        let spoken = |line: &&str| !line.trim().is_empty() && !line.starts_with("report: ");
        self.lines
            .iter()
            .rev()
            .map(String::as_str)
            .find(spoken)
            .unwrap_or("(nothing)")
    }
}

/// Hands each line of `source` to `take` until the end, or until `take` says no.
pub fn each_line(source: impl Read, mut take: impl FnMut(String) -> bool) {
    let mut reader = BufReader::new(source);
    while let Ok(Some(line)) = next_line(&mut reader) {
        if !take(line) {
            return;
        }
    }
}

/// One line without its end; bytes that are not text are shown as such.
fn next_line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    if reader.take(LINE_LIMIT).read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim_end_matches(['\n', '\r']);
    // What a terminal would obey is shown instead: the guest is not trusted with it.
    Ok(Some(
        text.chars()
            .map(|c| if c.is_control() && c != '\t' { '·' } else { c })
            .collect(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        each_line(bytes, |line| {
            lines.push(line);
            true
        });
        lines
    }

    #[test]
    fn lines_lose_their_end_and_nothing_else() {
        assert_eq!(lines_of(b"one\r\ntwo\n\nlast"), ["one", "two", "", "last"]);
    }

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        assert_eq!(lines_of(b"\x1b[2Jhello\n"), ["·[2Jhello"]);
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let long = vec![b'x'; usize::try_from(LINE_LIMIT).unwrap() + 5];
        assert_eq!(lines_of(&long).len(), 2);
    }

    #[test]
    fn last_words_skip_the_report() {
        let mut transcript = Transcript::default();
        for line in ["boot: stop", "", "report: {}"] {
            transcript.push(line);
        }
        assert_eq!(transcript.last_words(), "boot: stop");
    }
}
