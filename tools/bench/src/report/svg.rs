//! Plots as SVG: bars with intervals, and lines. Colours are those of the page, so they follow its theme.

use std::fmt::Write;

use plot::{WIDTH, open, short};

use crate::guest::Guest;
use crate::measured::Curve;
use crate::stats::Interval;

/// A bar of a plot.
#[derive(Clone, Debug)]
pub struct Bar {
    /// Whose it is.
    pub guest: Guest,
    /// How long, and how sure.
    pub value: Interval,
}

/// Bars below each other, with an optional line at a goal.
#[derive(Clone, Debug)]
pub struct Bars {
    /// What is measured, with its unit.
    pub title: String,
    /// The bars.
    pub bars: Vec<Bar>,
    /// Where the goal is.
    pub goal: Option<f64>,
}

const LEFT: f64 = 128.0;
const RIGHT: f64 = 62.0;
const ROW: f64 = 24.0;

/// The class of a guest's colour.
#[must_use]
pub const fn class(guest: Guest) -> &'static str {
    match guest {
        Guest::Airlock => "a",
        Guest::AirlockRealm => "ar",
        Guest::AirlockTrusted => "at",
        Guest::Linux => "l",
        Guest::LinuxBounced => "lb",
        Guest::LinuxRealm => "lr",
    }
}

impl Bars {
    /// The plot; nothing without bars.
    #[must_use]
    pub fn svg(&self) -> String {
        let values = self.bars.iter().map(|bar| bar.value.high).chain(self.goal);
        let Some(most) = values.max_by(f64::total_cmp).filter(|most| *most > 0.0) else {
            return String::new();
        };
        let rows = crate::figures::as_float(self.bars.len() as u64);
        let height = 30.0 + rows * ROW + 22.0;
        let scale = (WIDTH - LEFT - RIGHT) / most;
        let mut svg = open(&self.title, height);
        for (bar, row) in self.bars.iter().zip(0_u32..) {
            let y = 28.0 + f64::from(row) * ROW;
            let middle = y + 8.0;
            let x = |value: f64| LEFT + value * scale;
            let value = bar.value;
            let _fits = write!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" class=\"end\">{}</text>\
                 <rect class=\"{}\" x=\"{LEFT}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"16\" rx=\"2\"/>",
                LEFT - 8.0,
                middle + 4.0,
                bar.guest.name(),
                class(bar.guest),
                (value.median * scale).max(1.0),
            );
            if value.high > value.low {
                let _fits = write!(
                    svg,
                    "<path class=\"whisker\" d=\"M{0:.1} {2:.1}H{1:.1}M{0:.1} {3:.1}v8M{1:.1} {3:.1}v8\"/>",
                    x(value.low),
                    x(value.high),
                    middle,
                    middle - 4.0,
                );
            }
            let _fits = write!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                x(value.high) + 6.0,
                middle + 4.0,
                short(value.median),
            );
        }
        if let Some(goal) = self.goal {
            let x = LEFT + goal * scale;
            let _fits = write!(
                svg,
                "<path class=\"goal\" d=\"M{x:.1} 22V{:.1}\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" class=\"middle small\">goal {}</text>",
                height - 20.0,
                height - 6.0,
                short(goal),
            );
        }
        svg.push_str("</svg>");
        svg
    }
}

const HEIGHT: f64 = 260.0;
const BOTTOM: f64 = 44.0;
const TOP: f64 = 48.0;
const SIDE: f64 = 56.0;

/// A curve for each guest, over a logarithmic axis.
#[must_use]
pub fn lines(curve: &Curve) -> String {
    let points = || curve.series.iter().flat_map(|(_, points)| points);
    let xs = || points().map(|(x, _)| x.max(1e-9).log2());
    let (Some(low), Some(high)) = (xs().min_by(f64::total_cmp), xs().max_by(f64::total_cmp)) else {
        return String::new();
    };
    let most = points().map(|(_, y)| *y).fold(1e-12, f64::max) * 1.08;
    let x = |value: f64| {
        let part = (value.max(1e-9).log2() - low) / (high - low).max(1e-9);
        SIDE + part * (WIDTH - SIDE - 24.0)
    };
    let y = |value: f64| HEIGHT - BOTTOM - value / most * (HEIGHT - BOTTOM - TOP);
    let mut svg = open(&format!("{}: {}", curve.title, curve.y), HEIGHT);
    for step in 0..=4 {
        let value = most * f64::from(step) / 4.0;
        let _fits = write!(
            svg,
            "<path class=\"grid\" d=\"M{SIDE} {0:.1}H{1:.1}\"/>\
             <text x=\"{2:.1}\" y=\"{3:.1}\" class=\"end small\">{4}</text>",
            y(value),
            WIDTH - 24.0,
            SIDE - 6.0,
            y(value) + 4.0,
            short(value),
        );
    }
    let mut marks: Vec<f64> = points().map(|(x, _)| *x).collect();
    marks.sort_by(f64::total_cmp);
    marks.dedup();
    for mark in marks {
        let _fits = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" class=\"middle small\">{mark}</text>",
            x(mark),
            HEIGHT - BOTTOM + 16.0,
        );
    }
    let _fits = write!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" class=\"middle small\">{}</text>",
        f64::midpoint(SIDE, WIDTH),
        HEIGHT - 8.0,
        curve.x,
    );
    let mut legend = SIDE;
    for (guest, points) in curve.series.iter().filter(|(_, points)| !points.is_empty()) {
        let path: String = points
            .iter()
            .enumerate()
            .map(|(number, (at, value))| {
                let word = if number == 0 { 'M' } else { 'L' };
                format!("{word}{:.1} {:.1}", x(*at), y(*value))
            })
            .collect();
        let class = class(*guest);
        let _fits = write!(svg, "<path class=\"line {class}\" d=\"{path}\"/>");
        for (at, value) in points {
            let _fits = write!(
                svg,
                "<circle class=\"{class}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"><title>{}</title></circle>",
                x(*at),
                y(*value),
                short(*value),
            );
        }
        let _fits = write!(
            svg,
            "<circle class=\"{class}\" cx=\"{:.1}\" cy=\"32\" r=\"4\"/>\
             <text x=\"{:.1}\" y=\"36\" class=\"small\">{}</text>",
            legend + 4.0,
            legend + 12.0,
            guest.name(),
        );
        legend += 20.0 + 6.2 * crate::figures::as_float(guest.name().len() as u64);
    }
    svg.push_str("</svg>");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(median: f64, low: f64, high: f64) -> Interval {
        Interval {
            median,
            low,
            high,
            n: 5,
        }
    }

    #[test]
    fn bars_have_their_interval_and_the_goal_its_line() {
        let bars = Bars {
            title: "send".into(),
            bars: vec![Bar {
                guest: Guest::Airlock,
                value: interval(1.0, 0.5, 2.0),
            }],
            goal: Some(0.5),
        };
        let svg = bars.svg();
        assert!(
            svg.contains("whisker") && svg.contains("goal 0.50"),
            "{svg}"
        );
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>"));
        let none = Bars {
            bars: Vec::new(),
            goal: None,
            ..bars
        };
        assert_eq!(none.svg(), "");
    }

    #[test]
    fn a_curve_has_a_line_for_each_guest_with_points() {
        let curve = Curve {
            title: "t".into(),
            x: "x".into(),
            y: "y".into(),
            series: vec![
                (Guest::Airlock, vec![(1.0, 5.0), (32.0, 1.0)]),
                (Guest::Linux, Vec::new()),
            ],
        };
        let svg = lines(&curve);
        assert_eq!(svg.matches("class=\"line ").count(), 1);
        assert!(svg.contains(">32<"), "{svg}");
    }
}
