//! The report: `report.md`, `report.json` and `report.html`.

pub mod history;
mod html;
mod markdown;
pub mod svg;

use std::path::Path;

use anyhow::{Context, Result};

use crate::goals::{Entry, Row, rows};
use crate::measured::Measured;
use history::Kept;

/// Writes all three into `folder`; compares with the runs kept in `history`.
///
/// # Errors
/// There is no room, or a kept run cannot be read.
pub fn write(measured: &Measured, folder: &Path, history: &Path) -> Result<Vec<Row>> {
    std::fs::create_dir_all(folder)?;
    let rows = rows(measured);
    let now = Kept::of(&measured.host, &rows);
    let before = history::last(history, &now.commit)?;
    let changes = before.map(|before| {
        let changes = now.changes(&before);
        (before, changes)
    });
    let entries: Vec<Entry> = rows.iter().map(Row::entry).collect();
    let files = [
        (
            "report.json",
            serde_json::to_string_pretty(&entries)? + "\n",
        ),
        (
            "report.md",
            markdown::text(measured, &rows, changes.as_ref()),
        ),
        ("report.html", html::page(measured, &rows, changes.as_ref())),
    ];
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(rows)
}
