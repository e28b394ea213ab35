//! Values over something: lines, steps, levels.

use std::fmt::Write;

use crate::{WIDTH, colour, legend, mark, open, round_up};

const HEIGHT: f64 = 240.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 28.0;
const BOTTOM: f64 = 40.0;

/// How points become a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// From point to point.
    Line,
    /// A value holds until the next one.
    Steps,
    /// A level that is only there to compare with.
    Level,
}

/// One line.
#[derive(Clone, Debug)]
pub struct Series {
    /// What it is.
    pub name: String,
    /// How it is drawn.
    pub form: Form,
    /// Where it goes through, by rising x.
    pub points: Vec<(f64, f64)>,
}

/// Lines over a common axis that begins at 0.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What is shown, with its unit.
    pub title: String,
    /// What goes to the right, with its unit.
    pub x: String,
    /// The lines.
    pub series: Vec<Series>,
}

impl Chart {
    /// The plot, with what its colours stand for; nothing without points.
    #[must_use]
    pub fn figure(&self) -> String {
        let points = || self.series.iter().flat_map(|one| &one.points);
        let Some(end) = points().map(|(x, _)| *x).max_by(f64::total_cmp) else {
            return String::new();
        };
        let most = round_up(points().map(|(_, y)| *y).fold(1e-9, f64::max));
        let end = round_up(end.max(1e-9));
        let x = |value: f64| LEFT + value / end * (WIDTH - LEFT - RIGHT);
        let y = |value: f64| HEIGHT - BOTTOM - value / most * (HEIGHT - BOTTOM - TOP);
        let mut svg = open(&self.title, HEIGHT);
        for step in 0..=4 {
            let part = f64::from(step) / 4.0;
            let _fits = write!(
                svg,
                "<path class=\"grid\" d=\"M{LEFT} {0:.1}H{1:.1}\"/>\
                 <text x=\"{2:.1}\" y=\"{3:.1}\" class=\"end small\">{4}</text>\
                 <text x=\"{5:.1}\" y=\"{6:.1}\" class=\"middle small\">{7}</text>",
                y(most * part),
                WIDTH - RIGHT,
                LEFT - 6.0,
                y(most * part) + 4.0,
                mark(most * part),
                x(end * part),
                HEIGHT - BOTTOM + 16.0,
                mark(end * part),
            );
        }
        let _fits = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" class=\"middle small\">{}</text>",
            f64::midpoint(LEFT, WIDTH),
            HEIGHT - 6.0,
            self.x
        );
        for (number, series) in self.series.iter().enumerate() {
            let class = class(series.form, number);
            let path = path(series, x, y);
            let _fits = write!(svg, "<path class=\"line {class}\" d=\"{path}\"/>");
        }
        svg.push_str("</svg>");
        let named = self.series.iter().enumerate();
        let named: Vec<(String, &str)> = named
            .map(|(number, series)| (class(series.form, number), series.name.as_str()))
            .collect();
        svg + &legend(named.iter().map(|(class, name)| (class.as_str(), *name)))
    }
}

fn class(form: Form, number: usize) -> String {
    match form {
        Form::Line | Form::Steps => colour(number),
        Form::Level => format!("{} level", colour(number)),
    }
}

fn path(series: &Series, x: impl Fn(f64) -> f64, y: impl Fn(f64) -> f64) -> String {
    let mut path = String::new();
    for (number, (at, value)) in series.points.iter().enumerate() {
        let (x, y) = (x(*at), y(*value));
        let _fits = match (number, series.form) {
            (0, _) => write!(path, "M{x:.1} {y:.1}"),
            (_, Form::Steps) => write!(path, "H{x:.1}V{y:.1}"),
            (_, Form::Line | Form::Level) => write!(path, "L{x:.1} {y:.1}"),
        };
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_has_a_line_for_each_series_and_says_what_it_is() {
        let series = |name: &str, form| Series {
            name: name.into(),
            form,
            points: vec![(0.0, 1.0), (2.0, 3.0)],
        };
        let chart = Chart {
            title: "t".into(),
            x: "seconds".into(),
            series: vec![series("one", Form::Line), series("<two>", Form::Steps)],
        };
        let figure = chart.figure();
        assert_eq!(figure.matches("class=\"line ").count(), 2);
        assert!(
            figure.contains("&lt;two&gt;") && figure.contains('H'),
            "{figure}"
        );
        let nothing = Chart {
            series: Vec::new(),
            ..chart
        };
        assert_eq!(nothing.figure(), "");
    }
}
