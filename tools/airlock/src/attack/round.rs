//! What the monitor tells of a round, and of a place.

use crate::console::Transcript;
use anyhow::Result;
use hostile::judge::Outcome;
use hostile::script::Script;
use hostile::{Lie, Seed};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

/// The prefix of its lines.
const PREFIX: &str = "attack: ";

/// One round.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct Round {
    /// Its script: `random:SEED` or `honest`, which also stands for a list of lies.
    pub round: String,
    /// How it ended.
    pub outcome: String,
    /// Lies told.
    pub events: u64,
    /// Milliseconds of the guest's time.
    pub millis: u64,
    /// Instructions of the guest; 0 where nobody counts them.
    #[serde(default)]
    pub instructions: u64,
    /// How often it was trapped.
    #[serde(default)]
    pub traps: u64,
    /// The guest's last word.
    pub why: String,
    /// Lines of the guest's code that were seen for the first time.
    pub sites: Vec<u32>,
    /// The lies, if they are told.
    pub lies: String,
    /// Rules that were broken.
    pub violations: Vec<String>,
}

impl Round {
    /// Whether it must not end so.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        let known = Outcome::ALL.iter().find(|one| one.name() == self.outcome);
        known.is_none_or(|outcome| outcome.is_bad())
    }

    /// The seed of a random round.
    #[must_use]
    pub fn seed(&self) -> Option<Seed> {
        self.round.strip_prefix("random:")?.parse().ok()
    }

    /// The lies that were told.
    ///
    /// # Errors
    /// The monitor and this program do not know the same places.
    pub fn lies(&self) -> Result<Vec<Lie>> {
        if self.lies.is_empty() {
            return Ok(Vec::new());
        }
        match self.lies.parse()? {
            Script::Lies(lies) => Ok(lies),
            _ => Ok(Vec::new()),
        }
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} after {} lies: {}",
            self.outcome, self.events, self.why
        )?;
        self.violations
            .iter()
            .try_for_each(|violation| write!(f, "; {violation}"))
    }
}

/// A place, and what was said there.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub place: String,
    /// How often something was said.
    pub said: u64,
    /// How often that was a lie.
    pub lies: u64,
    /// How rounds ended in which it was, by outcome.
    #[serde(flatten)]
    pub outcomes: BTreeMap<String, u64>,
}

/// The rounds that the monitor told of.
#[must_use]
pub fn rounds(console: &Transcript) -> Vec<Round> {
    parsed(console).collect()
}

/// The places that the monitor told of.
#[must_use]
pub fn rows(console: &Transcript) -> Vec<Row> {
    parsed(console).collect()
}

fn parsed<T: for<'de> Deserialize<'de>>(console: &Transcript) -> impl Iterator<Item = T> {
    let lines = console.lines().iter();
    lines.filter_map(|line| serde_json::from_str(line.strip_prefix(PREFIX)?).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_and_rows_are_told_apart() {
        let mut console = Transcript::default();
        for line in [
            "attack: {\"round\":\"random:7\",\"outcome\":\"leak\",\"events\":2,\"millis\":3,\"why\":\"x\",\"sites\":[1,2],\"lies\":\"card.isr@0=0x1\",\"violations\":[\"v\"]}",
            "attack: {\"place\":\"card.isr\",\"said\":9,\"lies\":4,\"ok\":1,\"error\":2}",
            "payload: ok",
        ] {
            console.push(line);
        }
        let rounds = rounds(&console);
        assert_eq!(rounds.len(), 1);
        assert_eq!(rounds[0].seed(), Some(Seed::from(7)));
        assert!(rounds[0].is_bad());
        assert_eq!(rounds[0].lies().unwrap().len(), 1);
        let rows = rows(&console);
        assert_eq!((rows.len(), rows[0].outcomes["error"]), (1, 2));
    }
}
