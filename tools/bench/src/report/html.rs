//! The report as one page that needs nothing else: table, plots, command lines.

use std::fmt::Write;

use plot::{PAGE_END, escaped, short};
use workload::phase::Phase;

use crate::figures::Figures;
use crate::goals::{GUESTS, Row};
use crate::guest::Guest;
use crate::measured::Measured;
use crate::report::history::{Change, Kept};
use crate::report::markdown::{caption, cell, facts, met, told};
use crate::report::svg::{Bar, Bars, lines};

/// The whole page.
#[must_use]
pub fn page(measured: &Measured, rows: &[Row], changes: Option<&(Kept, Vec<Change>)>) -> String {
    let mut page = plot::page("Airlock against Linux");
    let _fits = write!(
        page,
        "<h1>What confidential I/O costs: Airlock against Linux</h1>\
         <p class=\"soft\">{}</p>",
        escaped(&caption(measured))
    );
    if measured.host.forced {
        page.push_str(
            "<p class=\"warn\">The host was busy: counts are good, wall times are not. Run it again on a \
             quiet machine.</p>",
        );
    }
    page.push_str(&tiles(rows));
    section(
        &mut page,
        "Instructions",
        INSTRUCTIONS,
        &instruction_plots(measured, rows),
    );
    section(
        &mut page,
        "Against the clock",
        CLOCK,
        &wall_plots(measured, rows),
    );
    section(
        &mut page,
        "What crosses the boundary",
        CROSSES,
        &boundary_plots(measured, rows),
    );
    section(
        &mut page,
        "Boot and size",
        SIZE,
        &plots_of(rows, &["P6.", "P7."]),
    );
    let curves: Vec<String> = measured.curves.iter().map(lines).collect();
    section(&mut page, "Growth", GROWTH, &curves);
    page.push_str("<h2>All figures</h2>");
    page.push_str(&table(rows));
    if let Some((before, changes)) = changes {
        page.push_str(&since(before, changes));
    }
    page.push_str(&how(measured));
    page.push_str(PAGE_END);
    page
}

const INSTRUCTIONS: &str = "QEMU TCG. Instructions of guest and monitor for each byte of payload or operation, between \
    marks, after a warm-up; median of all runs, lines from the smallest to the largest. Linux reads by io_submit.";
const CLOCK: &str = "QEMU TCG. Wall time on the host in interleaved rounds. Times as fast as bounced Linux in the same \
    round (realms: as Linux as a realm): median with its 95 % interval by bootstrap.";
const CROSSES: &str = "QEMU TCG. Bytes stored to and loaded from the memory that devices reach, for each byte of payload; \
    accesses to device registers (each is an exit in a realm); instructions of blocks that touch that memory.";
const SIZE: &str = "QEMU TCG. From the guest's first instruction to the first doorbell of the card's transmit queue. Images on disk; Linux is Debian's kernel with a user space of two programs.";
const GROWTH: &str =
    "QEMU TCG. What a change of one size does to the cost of one unit; one run each.";

fn section(page: &mut String, title: &str, caption: &str, plots: &[String]) {
    let plots: Vec<&String> = plots.iter().filter(|plot| !plot.is_empty()).collect();
    if plots.is_empty() {
        return;
    }
    let _fits = write!(page, "<h2>{title}</h2><div class=\"grid\">");
    for plot in plots {
        let _fits = write!(page, "<figure>{plot}</figure>");
    }
    let _fits = write!(page, "</div><p class=\"soft\">{caption}</p>");
}

/// The few numbers that a reader takes along.
fn tiles(rows: &[Row]) -> String {
    let judged = rows.iter().filter_map(Row::met);
    let (met, all) = judged.fold((0, 0), |(met, all), yes| (met + i32::from(yes), all + 1));
    let mut tiles =
        format!("<div class=\"tiles\"><div class=\"tile\"><b>{met} of {all}</b>goals met</div>");
    for (id, text) in [
        ("P10.send", "times Linux' speed, sending"),
        ("P10.receive", "times Linux' speed, receiving"),
        ("P8", "instructions for a round trip"),
        ("P6.instructions", "instructions to the first packet"),
        ("P7.memory", "MiB of RAM suffice"),
    ] {
        let row = rows.iter().find(|row| row.id == id);
        if let Some(value) = row.and_then(|row| row.value(Guest::Airlock)) {
            let value = short(value.median);
            let _fits = write!(tiles, "<div class=\"tile\"><b>{value}</b>{text}</div>");
        }
    }
    tiles + "</div>"
}

fn plots_of(rows: &[Row], ids: &[&str]) -> Vec<String> {
    let wanted = rows.iter().filter(|row| {
        ids.iter()
            .any(|id| row.id == *id || id.ends_with('.') && row.id.starts_with(id))
    });
    wanted.map(plot).collect()
}

fn plot(row: &Row) -> String {
    let bars = GUESTS.iter().filter_map(|guest| {
        let value = row.value(*guest)?;
        Some(Bar {
            guest: *guest,
            value,
        })
    });
    Bars {
        title: format!("{} · {}, {}", row.id, row.name, row.unit),
        bars: bars.collect(),
        goal: Some(row.goal),
    }
    .svg()
}

fn instruction_plots(measured: &Measured, rows: &[Row]) -> Vec<String> {
    let mut plots = plots_of(rows, &["P1", "P2", "P8", "P9."]);
    for (title, phase) in [
        (
            "4 KiB request at depth 1, instructions",
            Phase::Read4KDepth1,
        ),
        (
            "4 KiB request at depth 4, instructions",
            Phase::Read4KDepth4,
        ),
    ] {
        plots.push(free_plot(measured, title, |guest| {
            measured.counted(guest, phase, |one: &Figures| one.instructions + one.monitor)
        }));
    }
    plots
}

fn wall_plots(measured: &Measured, rows: &[Row]) -> Vec<String> {
    let mut plots = plots_of(rows, &["P10."]);
    for (title, phase, unit) in [
        ("TCP send, MB/s", Phase::Send, 1e6),
        ("TCP receive, MB/s", Phase::Receive, 1e6),
        ("64 B round trips in a second", Phase::RoundTrip, 1.0),
        ("128 KiB reads, MB/s", Phase::Read128K, 1e6),
    ] {
        plots.push(free_plot(measured, title, |guest| {
            let mut rate = measured.rate(guest, phase)?;
            rate.median /= unit;
            rate.low /= unit;
            rate.high /= unit;
            Some(rate)
        }));
    }
    plots
}

fn boundary_plots(_measured: &Measured, rows: &[Row]) -> Vec<String> {
    plots_of(rows, &["P4.", "P5.", "P3."])
}

fn free_plot(
    _measured: &Measured,
    title: &str,
    value: impl Fn(Guest) -> Option<crate::stats::Interval>,
) -> String {
    let bars = GUESTS.iter().filter_map(|guest| {
        Some(Bar {
            guest: *guest,
            value: value(*guest)?,
        })
    });
    Bars {
        title: title.to_owned(),
        bars: bars.collect(),
        goal: None,
    }
    .svg()
}

fn table(rows: &[Row]) -> String {
    let mut table =
        String::from("<div class=\"wide\"><table><thead><tr><th></th><th>figure</th><th>unit</th>");
    for guest in GUESTS {
        let _fits = write!(table, "<th>{}</th>", guest.name());
    }
    table.push_str("<th>goal</th><th>met</th></tr></thead><tbody>");
    for row in rows {
        let _fits = write!(
            table,
            "<tr><td>{}</td><td>{}</td><td>{}</td>",
            row.id, row.name, row.unit
        );
        for value in &row.values {
            let _fits = write!(table, "<td>{}</td>", cell(value.as_ref()));
        }
        let word = met(row);
        let class = if row.met().is_some() { word } else { "soft" };
        let _fits = write!(
            table,
            "<td>{}</td><td class=\"{class}\">{word}</td></tr>",
            short(row.goal)
        );
    }
    table
        + "</tbody></table></div><p class=\"soft\">QEMU TCG. In brackets: smallest and largest of the runs for counts, \
        95 % interval for wall times. A goal is met by the machine and by the realm, or it is not.</p>"
}

fn since(before: &Kept, changes: &[Change]) -> String {
    let mut text = format!(
        "<h2>Since {} ({})</h2>",
        escaped(&before.commit),
        escaped(&before.date)
    );
    if changes.is_empty() {
        text.push_str("<p>Nothing changed by more than 3 %.</p>");
        return text;
    }
    text.push_str("<ul>");
    for change in changes {
        let _fits = write!(text, "<li>{}</li>", escaped(&told(change)));
    }
    text + "</ul>"
}

fn how(measured: &Measured) -> String {
    let mut text = String::from(
        "<h2>How it was measured</h2><div class=\"wide\"><table class=\"facts\"><tbody>",
    );
    for (name, value) in facts(measured) {
        let _fits = write!(
            text,
            "<tr><th>{}</th><td>{}</td></tr>",
            escaped(&name),
            escaped(&value)
        );
    }
    text.push_str("</tbody></table></div>");
    for problem in &measured.problems {
        let _fits = write!(
            text,
            "<p class=\"warn\">Not measured: {}</p>",
            escaped(problem)
        );
    }
    text.push_str("<h2>To do it again</h2><pre>make bench            # all of it, at most 20 minutes\nmake bench QUICK=1    # three minutes\n");
    for (guest, command) in &measured.commands {
        let _fits = write!(text, "\n# {}\n{}\n", guest.name(), escaped(command));
    }
    text + "</pre>"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_needs_nothing_else_and_says_what_it_is_not() {
        let measured = Measured {
            problems: vec!["<b>".into()],
            ..Measured::default()
        };
        let rows = crate::goals::rows(&measured);
        let page = page(&measured, &rows, None);
        assert!(!page.contains("http"), "it refers to something outside");
        assert!(page.contains("QEMU TCG") && page.contains("&lt;b&gt;"));
        assert_eq!(page.matches("<tr>").count(), page.matches("</tr>").count());
    }
}
