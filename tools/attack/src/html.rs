//! The report as a page that needs nothing else: tables, and two curves.

use crate::state::{Moment, State};
use crate::table;
use plot::escaped;

const WIDTH: u64 = 640;
const HEIGHT: u64 = 200;

/// The page.
pub fn page(state: &State) -> String {
    let rows = table::by_kind(state).into_iter().map(|((part, point), cell)| {
        let bar = cell.lies.saturating_mul(200) / most_lies(state).max(1);
        format!(
            "<tr><td>{part}<td>{point}<td class=n>{}<td class=n>{}<td><div class=b style=width:{bar}px></div>",
            cell.said, cell.lies
        )
    });
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Attacks</title><style>\
         body{{font:15px/1.4 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}}\
         pre{{overflow:auto}}td,th{{padding:0 .6em;text-align:left}}.n{{text-align:right}}\
         .b{{height:.8em;background:#48c}}svg{{border:1px solid #ccc}}</style>\
         <h1>A campaign of attacks</h1><p>Commit {}, {}: {} lies in {} rounds; {} outcomes that must not be.\
         <h2>Outcomes</h2><pre>{}</pre>\
         <h2>Lines of code reached, by lies told</h2>{}<h2>Different endings, by lies told</h2>{}\
         <h2>Lies by part and point</h2><table><tr><th>part<th>point<th class=n>said<th class=n>lies<th>{}</table></html>",
        escaped(&state.commit),
        escaped(&state.date),
        state.events,
        state.rounds,
        state.bad.len(),
        escaped(&table::outcomes(state).to_string()),
        curve(&state.curve, |moment| moment.sites),
        curve(&state.curve, |moment| moment.endings),
        rows.collect::<String>()
    )
}

fn most_lies(state: &State) -> u64 {
    table::by_kind(state)
        .values()
        .map(|cell| cell.lies)
        .max()
        .unwrap_or(0)
}

fn curve(moments: &[Moment], height: impl Fn(&Moment) -> u64) -> String {
    let (most, wide) = (
        moments.iter().map(&height).max().unwrap_or(0).max(1),
        moments.last().map_or(1, |last| last.events.max(1)),
    );
    let points = moments.iter().map(|moment| {
        let x = moment.events * WIDTH / wide;
        let y = HEIGHT - height(moment) * HEIGHT / most;
        format!("{x},{y} ")
    });
    format!(
        "<svg width={WIDTH} height={HEIGHT} role=img><polyline fill=none stroke=#48c points=\"{}\"/>\
         <text x=4 y=14>{most}</text></svg><p>{wide} lies",
        points.collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_holds_the_figures_and_no_foreign_markup() {
        let state = State {
            commit: String::from("<b>"),
            events: 17,
            ..State::default()
        };
        let page = page(&state);
        assert!(page.contains("17 lies") && page.contains("&lt;b&gt;"));
        assert!(!page.contains("<script") && !page.contains("http"));
    }
}
