//! Tables in Markdown.

use crate::state::{Cell, State};
use hostile::judge::Outcome;
use std::collections::BTreeMap;
use std::fmt::Write;

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

/// Rounds by world and outcome.
pub fn outcomes(state: &State) -> String {
    let mut text = String::from("| world | lies | rounds |");
    for outcome in Outcome::ALL {
        push(&mut text, format_args!(" {outcome} |"));
    }
    text.push_str("\n| --- |");
    text.push_str(&" ---: |".repeat(2 + Outcome::ALL.len()));
    text.push('\n');
    for (world, counts) in &state.outcomes {
        let lies = state.lies.get(world).copied().unwrap_or(0);
        let rounds: u64 = counts.values().sum();
        push(&mut text, format_args!("| {world} | {lies} | {rounds} |"));
        columns(&mut text, counts);
    }
    text
}

/// Lies by part and point, all worlds together, and how rounds ended in which there was one.
pub fn places(state: &State) -> String {
    let mut text = String::from("| part | point | said | lies |");
    for outcome in Outcome::ALL {
        push(&mut text, format_args!(" {outcome} |"));
    }
    text.push_str("\n| --- | --- |");
    text.push_str(&" ---: |".repeat(2 + Outcome::ALL.len()));
    text.push('\n');
    for ((part, point), cell) in by_kind(state) {
        push(
            &mut text,
            format_args!("| {part} | {point} | {} | {} |", cell.said, cell.lies),
        );
        columns(&mut text, &cell.outcomes);
    }
    text
}

fn columns(text: &mut String, counts: &BTreeMap<String, u64>) {
    for outcome in Outcome::ALL {
        let count = counts.get(outcome.name()).copied().unwrap_or(0);
        push(text, format_args!(" {count} |"));
    }
    text.push('\n');
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

fn bad(state: &State) -> String {
    if state.bad.is_empty() {
        return String::from("Nothing.\n");
    }
    let mut text = String::new();
    for bad in &state.bad {
        push(
            &mut text,
            format_args!(
                "- {} {} (seed {}): {}\n  `{}`\n",
                bad.world, bad.outcome, bad.seed, bad.why, bad.lies
            ),
        );
    }
    text
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
        let text = places(&state);
        assert!(text.contains("| disk | isr | 15 | 6 |"), "{text}");
    }
}
