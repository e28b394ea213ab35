//! The generated part of docs/hostile-host.md.

use crate::planted::{self, Found};
use crate::state::State;
use crate::{Options, campaign, table};
use airlock_cli::workspace::Workspace;
use anyhow::{Context, Result};
use std::path::Path;

const DOCUMENT: &str = "docs/hostile-host.md";
const BEGIN: &str = "<!-- generated: attack --document -->";
const END: &str = "<!-- end of what is generated -->";

/// Puts the tables of the last campaign into the document.
pub fn write(options: &Options) -> Result<()> {
    let workspace = Workspace::find()?;
    let folder = campaign::folder(options, &workspace);
    let state = State::read(&folder.join("state.json"))?;
    let found = std::fs::read(folder.join(planted::RESULT)).unwrap_or_default();
    let found: Vec<Found> = serde_json::from_slice(&found).unwrap_or_default();
    let path = Path::new(DOCUMENT);
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read {DOCUMENT}; run this at the root"))?;
    let text = replaced(&text, &generated(&state, &found))
        .with_context(|| format!("{DOCUMENT} has not both marks"))?;
    std::fs::write(path, text).with_context(|| format!("cannot write {DOCUMENT}"))
}

fn generated(state: &State, found: &[Found]) -> String {
    format!(
        "### The campaign\n\nCommit {}, {}: {} lies in {} rounds. {} lines of the guest's code (32 bytes each) were seen at a trap or a \
         tick, and {} different endings.\n\n{}\n### Planted bugs\n\n{}\n### Each kind of lie\n\n{}",
        state.commit,
        state.date,
        state.events,
        state.rounds,
        state.sites.len(),
        state.endings.len(),
        table::outcomes(state),
        planted::table(found),
        table::places(state)
    )
}

/// `text` with `new` between the marks.
fn replaced(text: &str, new: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{new}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_is_new() {
        let text = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        let new = replaced(&text, "new").unwrap();
        assert_eq!(new, format!("a\n{BEGIN}\n\nnew\n{END}\nb\n"));
        assert_eq!(replaced(&new, "new"), Some(new.clone()));
        assert_eq!(replaced("a", "new"), None);
    }
}
