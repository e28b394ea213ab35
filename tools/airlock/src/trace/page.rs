//! A trace as one page that needs nothing else.

mod figures;
mod words;

use std::fmt::Write;

use audit::Purpose;
use plot::{PAGE_END, escaped, short};

use crate::trace::log::Log;

/// Rows of the table of first crossings.
const FIRST: usize = 24;

/// The whole page.
#[must_use]
pub fn page(log: &Log) -> String {
    let mut page = plot::page("What crossed the boundary of the realm");
    page.push_str("<h1>What crossed the boundary of the realm</h1>");
    page.push_str(&tiles(log));
    page.push_str(words::INTRODUCTION);
    if log.lost != 0 {
        let _fits = write!(
            page,
            "<p class=\"warn\">{} copies found no room in the ring and are not shown here. The counters of pools have them.</p>",
            log.lost
        );
    }
    if !log.complete {
        page.push_str(words::CUT);
    }
    section(
        &mut page,
        "Bytes over time",
        words::RATES,
        &figures::rates(log),
    );
    section(
        &mut page,
        "Occupancy",
        words::OCCUPANCY,
        &figures::occupancy(log),
    );
    section(&mut page, "Sizes", words::SIZES, &figures::sizes(log));
    section(
        &mut page,
        "Latencies",
        words::LATENCIES,
        &figures::latencies(log),
    );
    page.push_str("<h2>All of it, by purpose</h2>");
    page.push_str(&totals(log));
    page.push_str("<h2>The first crossings</h2>");
    page.push_str(words::FIRST);
    page.push_str(&first(log));
    page + PAGE_END
}

fn section(page: &mut String, title: &str, words: &str, figures: &[String]) {
    let figures: Vec<&String> = figures.iter().filter(|one| !one.is_empty()).collect();
    if figures.is_empty() {
        return;
    }
    let _fits = write!(page, "<h2>{title}</h2><p>{words}</p><div class=\"grid\">");
    for figure in figures {
        let _fits = write!(page, "<figure>{figure}</figure>");
    }
    page.push_str("</div>");
}

/// The few numbers that a reader takes along.
fn tiles(log: &Log) -> String {
    let last = log.samples.last();
    let sum = |of: fn(&audit::PoolSample) -> u64| {
        let pools = last
            .map(|sample| sample.pools.as_slice())
            .unwrap_or_default();
        figures::float(pools.iter().map(of).sum())
    };
    let seconds = last.map_or(0.0, |sample| log.seconds(sample.at));
    let mut tiles = String::from("<div class=\"tiles\">");
    for (value, text) in [
        (short(seconds), "seconds after entry"),
        (short(sum(|pool| pool.bytes_out)), "bytes copied out"),
        (short(sum(|pool| pool.bytes_in)), "bytes copied in"),
        (
            short(figures::float(log.events.len() as u64)),
            "crossings here",
        ),
        (log.lost.to_string(), "crossings lost"),
        (
            short(sum(|pool| pool.size) / 1024.0),
            "KiB of pools, shared",
        ),
    ] {
        let _fits = write!(tiles, "<div class=\"tile\"><b>{value}</b>{text}</div>");
    }
    tiles + "</div>"
}

/// A row for each device, direction and purpose.
fn totals(log: &Log) -> String {
    let mut rows = String::from(
        "<div class=\"wide\"><table><thead><tr><th>device</th><th>what for</th><th>way</th><th>crossings</th>\
         <th>bytes</th><th>mean</th><th>largest</th></tr></thead><tbody>",
    );
    for ((device, purpose, direction), sum) in figures::totals(log) {
        let _fits = write!(
            rows,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escaped(log.name(device)),
            meaning(purpose),
            direction.name(),
            sum.count,
            sum.bytes,
            short(figures::float(sum.bytes) / figures::float(sum.count)),
            sum.largest
        );
    }
    let own = log.own;
    let _fits = write!(
        rows,
        "<tr><td>the trace itself</td><td>this page's events, on their way to the host</td><td>both</td>\
         <td>{}</td><td>{}</td><td></td><td></td></tr></tbody></table></div>",
        own.events, own.bytes
    );
    rows
}

/// What a purpose means to somebody who has not read the source.
fn meaning(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Other => "other",
        Purpose::Frame => "frame of the network, with the card's 12 bytes before it",
        Purpose::FramePart => "rest of a long frame",
        Purpose::Read => "head and status of a request to read",
        Purpose::Write => "head and status of a request to write",
        Purpose::Flush => "head and status of a request to flush",
        Purpose::Data => "data of the disk",
        Purpose::Entropy => "random bytes of the host, mixed in at most",
        Purpose::Evidence => "what a device says of itself",
        Purpose::Pages => "numbers of pages that the host may take, or not any more",
    }
}

fn first(log: &Log) -> String {
    let mut rows = String::from(
        "<div class=\"wide\"><table><thead><tr><th>ms</th><th>device</th><th>way</th><th>what for</th><th>queue</th>\
         <th>slot</th><th>address</th><th>bytes</th></tr></thead><tbody>",
    );
    for event in log.events.iter().take(FIRST) {
        let _fits = write!(
            rows,
            "<tr><td>{:.3}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{:#x}</td><td>{}</td></tr>",
            log.seconds(event.at) * 1e3,
            escaped(log.name(event.device)),
            event.direction.name(),
            event.label.purpose.name(),
            event.label.queue,
            event.label.slot,
            event.address,
            event.len
        );
    }
    rows + "</tbody></table></div>"
}

#[cfg(test)]
mod tests {
    use audit::{Direction, Event, Label, PoolSample, QueueSample};
    use clock::Instant;

    use super::*;
    use crate::trace::log::Sample;

    fn event(at: u64, purpose: Purpose, direction: Direction, len: u32) -> Event {
        Event {
            at: Instant::from_nanos(at),
            address: 0x1000,
            len,
            device: 0,
            direction,
            label: Label {
                queue: 0,
                slot: 1,
                purpose,
            },
        }
    }

    fn log() -> Log {
        let pool = PoolSample {
            size: 4096,
            high_water: 2048,
            ..PoolSample::default()
        };
        let queue = QueueSample {
            lent: 100,
            high_water: 200,
            ..QueueSample::default()
        };
        let sample = |at| Sample {
            at: Instant::from_nanos(at),
            pools: vec![pool],
            queues: vec![queue],
        };
        Log {
            names: vec!["<script>".into()],
            events: vec![
                event(10, Purpose::Data, Direction::Out, 4096),
                event(20, Purpose::Write, Direction::Out, 17),
                event(5020, Purpose::Write, Direction::In, 1),
            ],
            samples: vec![sample(1), sample(9000)],
            ..Log::default()
        }
    }

    #[test]
    fn the_page_needs_nothing_else_and_takes_no_markup_from_the_guest() {
        let page = page(&log());
        for outside in ["http:", "https:", "<script", "src=", "@import"] {
            assert!(!page.contains(outside), "{outside}");
        }
        for (start, end) in [
            ("<svg", "</svg>"),
            ("<tr>", "</tr>"),
            ("<figure>", "</figure>"),
        ] {
            assert_eq!(page.matches(start).count(), page.matches(end).count());
        }
        for section in ["Bytes over time", "Occupancy", "Sizes", "Latencies"] {
            assert!(page.contains(&format!("<h2>{section}</h2>")), "{section}");
        }
    }

    #[test]
    fn a_trace_of_nothing_is_a_page_too() {
        assert!(page(&Log::default()).ends_with(PAGE_END));
    }
}
