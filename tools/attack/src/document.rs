//! What is kept of a campaign in the repository: the files of tests/hostile, of which `xtask hostile-host` makes tables.

use crate::planted::{self, Found};
use crate::state::State;
use crate::table::{self, Table};
use crate::{Options, campaign};
use airlock_cli::workspace::Workspace;
use anyhow::{Context, Result};
use serde::Serialize;
use std::fmt::Write;
use std::path::Path;

const CAMPAIGN: &str = "tests/hostile/campaign.json";
const PLANTED: &str = "tests/hostile/planted.json";

/// A section of docs/hostile-host.md.
struct Section {
    title: &'static str,
    commit: String,
    date: String,
    text: String,
    tables: Vec<(&'static str, Table)>,
}

/// Keeps what the last campaign and the last planted bugs came to, as far as there were any.
pub fn keep(options: &Options) -> Result<()> {
    let folder = campaign::folder(options, &Workspace::find()?);
    let state = State::read(&folder.join("state.json"))?;
    if state.rounds != 0 {
        write(CAMPAIGN, &of_campaign(&state))?;
    }
    let found = std::fs::read(folder.join(planted::RESULT)).unwrap_or_default();
    let found: Vec<Found> = serde_json::from_slice(&found).unwrap_or_default();
    if !found.is_empty() {
        write(PLANTED, &of_planted(&found))?;
    }
    println!("attack: cargo run -p xtask -- hostile-host makes the tables of it");
    Ok(())
}

fn of_campaign(state: &State) -> Section {
    let text = format!(
        "{} lies in {} rounds of {} machines. {} lines of the guest's code (32 bytes each) were seen at a trap or a \
         tick, and {} different endings; {} seeds reached one first, of them {} bred of others, in {} rounds of such. The \
         longest round that ended well took {} instructions, and {} traps. {}{}",
        state.events,
        state.rounds,
        state.sessions,
        state.sites.len(),
        state.endings.len(),
        state.corpus.len(),
        state.bred.0,
        state.bred.1,
        state.most.0,
        state.most.1,
        match table::seldom(state) {
            None => String::new(),
            Some((kind, lies)) => format!(
                "{} rounds are of the sweep; what it told least often is `{kind}`, {lies} times. ",
                state.sweep.rounds
            ),
        },
        match state.bad.len() {
            0 => String::from("Nothing came to what must not be."),
            count => format!("{count} came to what must not be."),
        }
    );
    let bad = (!state.bad.is_empty()).then(|| ("What must not be", table::bad(state)));
    let tables = [
        ("Rounds, by world", table::outcomes(state)),
        (
            "Each kind of lie, and how rounds ended in which there was one",
            table::places(state),
        ),
    ];
    Section {
        title: "The campaign",
        commit: state.commit.clone(),
        date: state.date.clone(),
        text,
        tables: tables.into_iter().chain(bad).collect(),
    }
}

fn of_planted(found: &[Found]) -> Section {
    let last = found.last().cloned().unwrap_or_default();
    let caught = found.iter().filter(|one| !one.outcome.is_empty()).count();
    Section {
        title: "Planted bugs",
        commit: last.commit,
        date: last.date,
        text: format!(
            "{caught} of {} were found, each by a campaign of its own that ends after 100,000 lies.",
            found.len()
        ),
        tables: vec![("", planted::table(found))],
    }
}

fn write(path: &str, section: &Section) -> Result<()> {
    std::fs::create_dir_all(Path::new(path).parent().unwrap_or(Path::new(".")))?;
    std::fs::write(path, section.json()?)
        .with_context(|| format!("cannot write {path}; run this at the root"))
}

/// A value on one line.
fn line(value: &impl Serialize) -> Result<String> {
    Ok(serde_json::to_string(value)?)
}

impl Section {
    /// As JSON, a line for each row, so that changes of a file can be read.
    fn json(&self) -> Result<String> {
        let mut text = format!(
            "{{\n\"title\":{},\n\"commit\":{},\n\"date\":{},\n\"text\":{},\n\"tables\":[",
            line(&self.title)?,
            line(&self.commit)?,
            line(&self.date)?,
            line(&self.text)?
        );
        for (n, (title, table)) in self.tables.iter().enumerate() {
            let rows: Result<Vec<String>> = table.rows.iter().map(line).collect();
            write!(
                text,
                "{}{{\"title\":{},\"columns\":{},\"words\":{},\"rows\":[\n{}\n]}}",
                if n == 0 { "\n" } else { ",\n" },
                line(title)?,
                line(&table.columns)?,
                table.words,
                rows?.join(",\n")
            )?;
        }
        text.push_str("\n]}\n");
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_json_with_a_line_for_each_row() {
        let found = ["one", "two"].map(|name| Found {
            name: name.to_owned(),
            outcome: String::from("hang"),
            ..Found::default()
        });
        let text = of_planted(&found).json().unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let rows = value["tables"][0]["rows"].as_array().unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(
            value["tables"][0]["columns"].as_array().unwrap().len(),
            rows[0].as_array().unwrap().len()
        );
        assert!(
            text.lines().any(|line| line.starts_with("[\"two")),
            "{text}"
        );
    }
}
