//! Tables in Markdown.

use crate::session::SWEEP;
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
    let columns = ["part", "point", "said", "lies", "of the sweep"];
    let mut table = Table::new(2, columns).with_outcomes();
    let swept = swept(state);
    for (kind, cell) in by_kind(state) {
        let told = swept.get(&kind).map_or(0, |cell| cell.lies);
        let (part, point) = kind;
        let numbers = [cell.said, cell.lies, told].map(|number| number.to_string());
        let [said, lies, told] = numbers;
        table
            .rows
            .push(row([part, point, said, lies, told], &cell.outcomes));
    }
    table
}

/// What the sweep told least often, and how often; nothing if there was none.
pub fn seldom(state: &State) -> Option<(String, u64)> {
    if state.sweep.rounds == 0 {
        return None;
    }
    let swept = swept(state);
    let told = |kind| swept.get(kind).map_or(0, |cell| cell.lies);
    let all = by_kind(state);
    let kinds = all
        .keys()
        .map(|kind| (format!("{}.{}", kind.0, kind.1), told(kind)));
    kinds.min_by_key(|(_, lies)| *lies)
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
        // Kept without its lies.
        1..200 if !lies.contains('@') => lies.to_owned(),
        1..200 => format!("`{lies}`"),
        _ => format!("{} lies", lies.matches('@').count()),
    }
}

/// Places by part and point, with all units of a part as one.
type Kinds = BTreeMap<(String, String), Cell>;

/// Of the whole campaign.
pub fn by_kind(state: &State) -> Kinds {
    kinds(state.places.values().flatten())
}

/// Of the rounds of a sweep.
fn swept(state: &State) -> Kinds {
    let worlds = state
        .places
        .iter()
        .filter(|(world, _)| world.starts_with(SWEEP));
    kinds(worlds.flat_map(|(_, places)| places))
}

fn kinds<'s>(places: impl Iterator<Item = (&'s String, &'s Cell)>) -> Kinds {
    let mut kinds = Kinds::new();
    for (place, cell) in places {
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
            ("sweep, plain", "disk.isr"),
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
        assert!(text.contains("| disk | isr | 15 | 6 | 2 |"), "{text}");
        assert_eq!(seldom(&state), None);
        state.sweep.rounds = 1;
        let plain = state.places.entry("plain".into()).or_default();
        plain.insert("card.isr".into(), Cell::default());
        assert_eq!(seldom(&state), Some((String::from("card.isr"), 0)));
    }
}
