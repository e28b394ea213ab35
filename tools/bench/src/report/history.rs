//! History: one small file for each run that somebody kept, and what changed since the last.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::goals::Row;
use crate::guest::Guest;
use crate::host::Host;

/// Smaller changes are not told: counts differ by a few per cent from run to run.
const NOISE: f64 = 0.03;

/// A run that was kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// The day.
    pub date: String,
    /// The commit.
    pub commit: String,
    /// QEMU's version.
    pub qemu: String,
    /// Airlock's figures by their ids.
    pub figures: BTreeMap<String, f64>,
}

/// A figure that is another than before.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Its id.
    pub id: String,
    /// What it was.
    pub before: f64,
    /// What it is.
    pub now: f64,
}

impl Kept {
    /// What is worth keeping of this run.
    #[must_use]
    pub fn of(host: &Host, rows: &[Row]) -> Self {
        let figures = rows.iter().filter_map(|row| {
            let value = row.value(Guest::Airlock)?;
            Some((row.id.clone(), value.median))
        });
        Self {
            date: host.date.clone(),
            commit: host.commit.clone(),
            qemu: host.qemu.clone(),
            figures: figures.collect(),
        }
    }

    /// What differs from `before` by more than noise.
    #[must_use]
    pub fn changes(&self, before: &Self) -> Vec<Change> {
        let both = self.figures.iter().filter_map(|(id, now)| {
            let before = before.figures.get(id)?;
            let change = (now - before).abs() / before.abs().max(1e-12);
            (change > NOISE).then(|| Change {
                id: id.clone(),
                before: *before,
                now: *now,
            })
        });
        both.collect()
    }

    /// Writes it into `folder`, by date and commit.
    ///
    /// # Errors
    /// There is no room.
    pub fn write(&self, folder: &Path) -> Result<std::path::PathBuf> {
        std::fs::create_dir_all(folder)?;
        let commit = self.commit.trim_end_matches('+');
        let path = folder.join(format!("{}-{commit}.json", self.date));
        std::fs::write(&path, serde_json::to_string_pretty(self)? + "\n")
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

/// The run of `folder` that was kept last, but for that of `commit`.
///
/// # Errors
/// A file is not one of ours.
pub fn last(folder: &Path, commit: &str) -> Result<Option<Kept>> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Ok(None);
    };
    let mut kept = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            let text = std::fs::read_to_string(&path)?;
            let one: Kept = serde_json::from_str(&text)
                .with_context(|| format!("{} is no kept run", path.display()))?;
            let order = entry_order(&path);
            if one.commit.trim_end_matches('+') != commit.trim_end_matches('+') {
                kept.push((one.date.clone(), order, one));
            }
        }
    }
    kept.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    Ok(kept.pop().map(|(_, _, one)| one))
}

/// Two runs of one day are in the order in which they were written.
fn entry_order(path: &Path) -> std::time::SystemTime {
    let written = path.metadata().and_then(|metadata| metadata.modified());
    written.unwrap_or(std::time::SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(date: &str, commit: &str, send: f64) -> Kept {
        Kept {
            date: date.into(),
            commit: commit.into(),
            qemu: "7.2".into(),
            figures: [("P1".to_owned(), send)].into(),
        }
    }

    #[test]
    fn what_changed_is_told_and_noise_is_not() {
        let before = kept("2026-01-01", "a", 5.0);
        assert_eq!(kept("2026-01-02", "b", 5.1).changes(&before), []);
        let changes = kept("2026-01-02", "b", 2.5).changes(&before);
        assert_eq!((changes[0].before, changes[0].now), (5.0, 2.5));
    }

    #[test]
    fn the_last_is_the_newest_of_another_commit() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(last(folder.path(), "c").unwrap(), None);
        for (date, commit, send) in [("2026-02-01", "b", 2.0), ("2026-01-01", "a", 1.0)] {
            kept(date, commit, send).write(folder.path()).unwrap();
        }
        let found = last(folder.path(), "c").unwrap().unwrap();
        assert_eq!(found.commit, "b");
        assert_eq!(last(folder.path(), "b+").unwrap().unwrap().commit, "a");
    }
}
