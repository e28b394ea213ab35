//! The report as text: the table that goes into a commit or a mail.

use std::fmt::Write;

use crate::goals::{GUESTS, Row};
use crate::guest::Guest;
use crate::measured::Measured;
use crate::report::history::{Change, Kept};
use crate::stats::Interval;
use plot::short;

/// The whole text.
#[must_use]
pub fn text(measured: &Measured, rows: &[Row], changes: Option<&(Kept, Vec<Change>)>) -> String {
    let mut text = String::from("# Airlock against Linux\n\n");
    let _fits = writeln!(text, "{}\n", caption(measured));
    let titles = GUESTS.map(Guest::name).join(" | ");
    let _fits = writeln!(
        text,
        "| | figure | unit | {titles} | goal | met |\n| --- | --- | --- | {}--- | --- |",
        "--: | ".repeat(GUESTS.len())
    );
    for row in rows {
        let values = row.values.map(|value| cell(value.as_ref())).join(" | ");
        let _fits = writeln!(
            text,
            "| {} | {} | {} | {values} | {} | {} |",
            row.id,
            row.name,
            row.unit,
            short(row.goal),
            met(row)
        );
    }
    text.push('\n');
    if let Some((before, changes)) = changes {
        let _fits = writeln!(text, "## Since {} ({})\n", before.commit, before.date);
        for change in changes {
            let _fits = writeln!(text, "- {}", told(change));
        }
        if changes.is_empty() {
            text.push_str("Nothing changed by more than 3 %.\n");
        }
        text.push('\n');
    }
    text.push_str("## How it was measured\n\n");
    for (name, value) in facts(measured) {
        let _fits = writeln!(text, "- {name}: {value}");
    }
    for problem in &measured.problems {
        let _fits = writeln!(text, "- not measured: {problem}");
    }
    text.push_str("\n```\n");
    for (guest, command) in &measured.commands {
        let _fits = writeln!(text, "# {}\n{command}", guest.name());
    }
    text.push_str("```\n");
    text
}

/// What stands below each table and plot.
#[must_use]
pub fn caption(measured: &Measured) -> String {
    let host = &measured.host;
    let busy = if host.forced {
        format!(
            " The host was busy (load {:.1}), so wall times mean little.",
            host.load
        )
    } else {
        String::new()
    };
    format!(
        "QEMU TCG: instructions are those of an emulated Cortex-A57, and no wall time here is one of a \
         realm on hardware. {}, {}, commit {}.{busy}",
        host.qemu, host.date, host.commit
    )
}

/// A value with what lies around it.
#[must_use]
pub fn cell(value: Option<&Interval>) -> String {
    match value {
        None => "–".to_owned(),
        Some(value) if value.n > 1 && short(value.low) != short(value.high) => format!(
            "{} ({}–{})",
            short(value.median),
            short(value.low),
            short(value.high)
        ),
        Some(value) => short(value.median),
    }
}

/// Whether the goal is met, in a word.
#[must_use]
pub fn met(row: &Row) -> &'static str {
    match row.met() {
        Some(true) => "yes",
        Some(false) => "no",
        None => "not measured",
    }
}

/// A change, in words.
#[must_use]
pub fn told(change: &Change) -> String {
    format!(
        "{}: {} → {} ({:+.0} %)",
        change.id,
        short(change.before),
        short(change.now),
        (change.now / change.before - 1.0) * 100.0
    )
}

/// What figures depend on.
#[must_use]
pub fn facts(measured: &Measured) -> Vec<(String, String)> {
    let host = &measured.host;
    let own = [
        (
            "host",
            format!("{} × {}, {}", host.cpus, host.model, host.kernel),
        ),
        ("load before", format!("{:.2}", host.load)),
        ("QEMU", host.qemu.clone()),
        ("compiler", host.rustc.clone()),
        ("commit", host.commit.clone()),
        ("date", host.date.clone()),
    ];
    let own = own.map(|(name, value)| (name.to_owned(), value));
    own.into_iter().chain(measured.facts.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_line_for_each_figure_and_says_what_is_missing() {
        let measured = Measured::default();
        let rows = crate::goals::rows(&measured);
        let text = text(&measured, &rows, None);
        assert!(
            text.contains("| P1 | TCP send | instructions/B | – |"),
            "{text}"
        );
        assert!(text.contains("not measured |") && text.contains("QEMU TCG"));
    }

    #[test]
    fn an_interval_is_shown_where_there_is_one() {
        let interval = |low, high| Interval {
            median: 1.0,
            low,
            high,
            n: 5,
        };
        assert_eq!(cell(Some(&interval(0.9, 1.1))), "1.00 (0.90–1.10)");
        assert_eq!(cell(Some(&interval(1.0, 1.0))), "1.00");
        assert_eq!(cell(None), "–");
    }
}
