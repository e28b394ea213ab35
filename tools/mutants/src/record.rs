//! What is known already, so that a run that was ended goes on where it was.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::trial::Outcome;

/// What came of trials, by what was tried.
pub struct Record {
    path: PathBuf,
    known: BTreeMap<String, Entry>,
}

/// What came of one trial.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Entry {
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took, in seconds.
    pub seconds: u64,
    /// How many of them were for building.
    #[serde(default)]
    pub building: u64,
}

impl Record {
    /// What the file at `path` knows. A file that is not there, or of another form, knows nothing.
    pub fn open(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let known = serde_json::from_str(&text).unwrap_or_default();
        Self { path, known }
    }

    /// What came of trying `what` on the source `digest`.
    pub fn get(&self, digest: &str, what: &str) -> Option<&Entry> {
        self.known.get(&key(digest, what))
    }

    /// Notes what came of it.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn put(&mut self, digest: &str, what: &str, entry: Entry) -> Result<()> {
        self.known.insert(key(digest, what), entry);
        let text = serde_json::to_string_pretty(&self.known)?;
        fs::write(&self.path, text).with_context(|| self.path.display().to_string())
    }
}

fn key(digest: &str, what: &str) -> String {
    let hash = Sha256::digest(what.as_bytes());
    let short = hash.iter().take(8).map(|byte| format!("{byte:02x}"));
    format!("{digest}-{}", short.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_kept_for_one_source_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record.json");
        let entry = Entry {
            outcome: Outcome::Passed(3),
            seconds: 1,
            building: 0,
        };
        Record::open(path.clone())
            .put("one", "test", entry)
            .unwrap();
        let record = Record::open(path);
        assert_eq!(
            record.get("one", "test").unwrap().outcome,
            Outcome::Passed(3)
        );
        assert!(record.get("two", "test").is_none() && record.get("one", "other").is_none());
    }
}
