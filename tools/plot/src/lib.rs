//! Plots as SVG, and the look of a page with them that needs nothing else. Colours are those of the page, so they
//! follow its theme.
#![forbid(unsafe_code)]

mod chart;
mod histogram;

use std::fmt::Write;

pub use chart::{Chart, Form, Series};
pub use histogram::{Bars, Histogram};

/// The look of a page: colours for day and night, tables, plots. It fits a phone.
pub const STYLE: &str = include_str!("page.css");
/// Units of width of a plot.
pub const WIDTH: f64 = 460.0;
/// Colours that series have, by class: `s0` and so on.
pub const COLOURS: usize = 6;

/// The class of the colour of series `number`.
#[must_use]
pub fn colour(number: usize) -> String {
    format!("s{}", number % COLOURS)
}

/// The start of a plot of so many units of height, with its title.
#[must_use]
pub fn open(title: &str, height: f64) -> String {
    let title = escaped(title);
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"{title}\">\
         <text x=\"0\" y=\"14\" class=\"title\">{title}</text>"
    )
}

/// The start of a page: head, style, and what everything is in. It ends with [`PAGE_END`].
#[must_use]
pub fn page(title: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{}</title><style>{STYLE}</style></head><body><main>",
        escaped(title)
    )
}

/// The end of a page.
pub const PAGE_END: &str = "</main></body></html>\n";

/// A number with three digits that count, and thousands as such.
#[must_use]
pub fn short(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if size >= 1e9 => format!("{:.2} G", value / 1e9),
        _ if size >= 1e6 => format!("{:.2} M", value / 1e6),
        _ if size >= 1e4 => format!("{:.1} k", value / 1e3),
        _ if size >= 100.0 => format!("{value:.0}"),
        _ if size >= 10.0 => format!("{value:.1}"),
        _ if size >= 0.1 || value == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// The same for a mark on an axis, which is round: without zeros that say nothing.
fn mark(value: f64) -> String {
    let text = short(value);
    let (number, unit) = text.split_once(' ').unwrap_or((&text, ""));
    let number = match number.contains('.') {
        true => number.trim_end_matches('0').trim_end_matches('.'),
        false => number,
    };
    format!("{number} {unit}").trim_end().to_owned()
}

/// Text that is no markup.
#[must_use]
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// A round number at or a little above `value`, so that a quarter of it is round, too.
fn round_up(value: f64) -> f64 {
    let unit = 10_f64.powf(value.max(1e-9).log10().floor());
    let steps = [1.0, 1.2, 1.6, 2.0, 2.4, 3.2, 4.0, 5.0, 6.0, 8.0, 10.0];
    let fits = steps.into_iter().map(|step| step * unit);
    fits.into_iter()
        .find(|round| *round >= value)
        .unwrap_or(10.0 * unit)
}

/// What the colours of a plot stand for, below it.
fn legend<'a>(names: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::from("<figcaption>");
    for (class, name) in names {
        let _fits = write!(
            text,
            "<span class=\"key\"><svg viewBox=\"0 0 10 10\"><circle class=\"{class}\" cx=\"5\" cy=\"5\" r=\"4\"/></svg>{}</span> ",
            escaped(name)
        );
    }
    text + "</figcaption>"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_what_counts() {
        let shown = [1.46e9, 2.64e6, 29_100.0, 512.0, 37.75, 0.5, 0.0042, 0.0];
        let texts = shown.map(short);
        assert_eq!(
            texts,
            [
                "1.46 G", "2.64 M", "29.1 k", "512", "37.8", "0.50", "0.0042", "0.00"
            ]
        );
    }

    #[test]
    fn the_end_of_an_axis_is_round_and_not_far_off() {
        for (value, round) in [
            (7.2e6, 8e6),
            (0.93, 1.0),
            (1.0, 1.0),
            (241.0, 320.0),
            (0.0, 1e-9),
        ] {
            let end = round_up(value);
            assert!((end - round).abs() <= round * 1e-9, "{value}: {end}");
        }
    }

    #[test]
    fn marks_of_an_axis_have_no_zeros_that_say_nothing() {
        let texts = [16e6, 0.0, 1.5, 100.0, 2.5e9].map(mark);
        assert_eq!(texts, ["16 M", "0", "1.5", "100", "2.5 G"]);
    }

    #[test]
    fn a_title_is_no_markup() {
        assert!(open("<b>\"", 10.0).contains("&lt;b&gt;&quot;"));
    }
}
