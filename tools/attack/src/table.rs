//! Tables in Markdown.

use crate::state::{Cell, State};
use hostile::judge::Outcome;
use std::collections::BTreeMap;
use std::fmt::{self, Write};

/// The whole report.
pub fn whole(state: &State) -> String {
    format!(
        "# A campaign of attacks\n\nCommit {}, {}. {} lies in {} rounds of {} machines, {} seconds of them.\n\n{}\n\
         ## By part and point\n\n{}\n## What must not be\n\n{}\n## How rounds ended\n\n{}",
        state.commit,
        state.date,
        state.events,
        state.rounds,
        state.sessions,
        state.machine_seconds,
        outcomes(state),
        places(state),
        bad(state),
        endings(state)
    )
}

/// A table: words first, then numbers.
pub struct Table {
    pub columns: Vec<String>,
    /// So many columns are words.
    pub words: usize,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// With these columns, of which the first `words` are words.
    pub fn new<const N: usize>(words: usize, columns: [&str; N]) -> Self {
        Self {
            columns: columns.map(str::to_owned).to_vec(),
            words,
            rows: Vec::new(),
        }
    }

    fn with_outcomes(mut self) -> Self {
        let names = Outcome::ALL.iter().map(|outcome| outcome.name().to_owned());
        self.columns.extend(names);
        self
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| {} |", self.columns.join(" | "))?;
        let words = " --- |".repeat(self.words);
        let numbers = " ---: |".repeat(self.columns.len() - self.words);
        writeln!(f, "|{words}{numbers}")?;
        self.rows
            .iter()
            .try_for_each(|row| writeln!(f, "| {} |", row.join(" | ")))
    }
}

/// Rounds by world and outcome.
pub fn outcomes(state: &State) -> Table {
    let mut table = Table::new(1, ["world", "lies", "rounds"]).with_outcomes();
    let mut all = (0, 0, BTreeMap::new());
    for (world, counts) in &state.outcomes {
        let lies = state.lies.get(world).copied().unwrap_or(0);
        let rounds: u64 = counts.values().sum();
        all.0 += lies;
        all.1 += rounds;
        for (outcome, count) in counts {
            *all.2.entry(outcome.clone()).or_default() += count;
        }
        table.rows.push(row(
            [world.clone(), lies.to_string(), rounds.to_string()],
            counts,
        ));
    }
    let (lies, rounds, counts) = all;
    table.rows.push(row(
        [String::from("all"), lies.to_string(), rounds.to_string()],
        &counts,
    ));
    table
}

/// Lies by part and point, all worlds together, and how rounds ended in which there was one.
pub fn places(state: &State) -> Table {
    let mut table = Table::new(2, ["part", "point", "said", "lies"]).with_outcomes();
    for ((part, point), cell) in by_kind(state) {
        let first = [part, point, cell.said.to_string(), cell.lies.to_string()];
        table.rows.push(row(first, &cell.outcomes));
    }
    table
}

fn row<const N: usize>(first: [String; N], counts: &BTreeMap<String, u64>) -> Vec<String> {
    let count = |outcome: &Outcome| counts.get(outcome.name()).copied().unwrap_or(0).to_string();
    first
        .into_iter()
        .chain(Outcome::ALL.iter().map(count))
        .collect()
}

/// What must not be.
pub fn bad(state: &State) -> Table {
    let mut table = Table::new(5, ["world", "outcome", "seed", "last word", "what does it"]);
    for bad in &state.bad {
        let (why, lies) = (bad.why.replace('|', "/"), some(&bad.lies));
        let cells = [
            bad.world.clone(),
            bad.outcome.clone(),
            bad.seed.clone(),
            why,
            lies,
        ];
        table.rows.push(cells.to_vec());
    }
    table
}

/// Lies, or how many there are if they are too many to be read.
pub fn some(lies: &str) -> String {
    match lies.chars().count() {
        0 => String::from("nothing: an honest host"),
        1..200 => format!("`{lies}`"),
        _ => format!("{} lies", lies.matches('@').count()),
    }
}

/// The places, with all units of a part as one.
pub fn by_kind(state: &State) -> BTreeMap<(String, String), Cell> {
    let mut kinds: BTreeMap<(String, String), Cell> = BTreeMap::new();
    for (place, cell) in state.places.values().flatten() {
        let (part, point) = place.split_once('.').unwrap_or((place, ""));
        let part = part
            .trim_end_matches(|c: char| c.is_ascii_digit())
            .to_owned();
        let sum = kinds.entry((part, point.to_owned())).or_default();
        sum.said += cell.said;
        sum.lies += cell.lies;
        for (outcome, count) in &cell.outcomes {
            *sum.outcomes.entry(outcome.clone()).or_default() += count;
        }
    }
    kinds
}

fn endings(state: &State) -> String {
    let mut list: Vec<_> = state.endings.iter().collect();
    list.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let mut text = String::from("| rounds | last word |\n| ---: | --- |\n");
    for (ending, count) in list {
        push(&mut text, format_args!("| {count} | {ending} |\n"));
    }
    text
}

fn push(text: &mut String, more: std::fmt::Arguments<'_>) {
    // A string takes whatever is written to it.
    let _ = text.write_fmt(more);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_a_part_are_one_row() {
        let mut state = State::default();
        for (world, place) in [
            ("realm", "disk.isr"),
            ("realm", "disk1.isr"),
            ("plain", "disk.isr"),
        ] {
            let cell = Cell {
                said: 5,
                lies: 2,
                ..Cell::default()
            };
            state
                .places
                .entry(world.into())
                .or_default()
                .insert(place.into(), cell);
        }
        let text = places(&state).to_string();
        assert!(text.contains("| disk | isr | 15 | 6 |"), "{text}");
    }
}
