//! How often values are of which size.

use std::fmt::Write;

use crate::{WIDTH, colour, legend, mark, open, round_up};

const HEIGHT: f64 = 220.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 28.0;
const BOTTOM: f64 = 40.0;

/// The bars of one kind.
#[derive(Clone, Debug)]
pub struct Bars {
    /// What is counted.
    pub name: String,
    /// How many of each class.
    pub counts: Vec<u64>,
}

/// Bars side by side for each class of values.
#[derive(Clone, Debug)]
pub struct Histogram {
    /// What is shown.
    pub title: String,
    /// The classes, from left to right.
    pub classes: Vec<String>,
    /// What a class is of.
    pub x: String,
    /// The bars.
    pub bars: Vec<Bars>,
}

impl Histogram {
    /// The plot, with what its colours stand for; nothing if nothing was counted.
    #[must_use]
    pub fn figure(&self) -> String {
        let counts = self.bars.iter().flat_map(|bars| &bars.counts);
        let Some(most) = counts.copied().max().filter(|most| *most > 0) else {
            return String::new();
        };
        let most = round_up(float(most));
        let columns = float(self.classes.len() as u64).max(1.0);
        let column = (WIDTH - LEFT - RIGHT) / columns;
        let width = column * 0.84 / float(self.bars.len() as u64).max(1.0);
        let y = |value: f64| HEIGHT - BOTTOM - value / most * (HEIGHT - BOTTOM - TOP);
        let mut svg = open(&self.title, HEIGHT);
        for step in 0..=4 {
            let value = most * f64::from(step) / 4.0;
            let _fits = write!(
                svg,
                "<path class=\"grid\" d=\"M{LEFT} {0:.1}H{1:.1}\"/>\
                 <text x=\"{2:.1}\" y=\"{3:.1}\" class=\"end small\">{4}</text>",
                y(value),
                WIDTH - RIGHT,
                LEFT - 6.0,
                y(value) + 4.0,
                mark(value),
            );
        }
        // Names need room: where there are many, every second stands there.
        let every = if self.classes.len() > 10 { 2 } else { 1 };
        for (number, class) in self.classes.iter().enumerate() {
            let left = LEFT + column * float(number as u64);
            if number % every == 0 {
                let _fits = write!(
                    svg,
                    "<text x=\"{:.1}\" y=\"{:.1}\" class=\"middle small\">{class}</text>",
                    left + column / 2.0,
                    HEIGHT - BOTTOM + 16.0,
                );
            }
            for (kind, bars) in self.bars.iter().enumerate() {
                let count = bars.counts.get(number).copied().unwrap_or(0);
                if count == 0 {
                    continue;
                }
                let top = y(float(count)).min(HEIGHT - BOTTOM - 1.0);
                let _fits = write!(
                    svg,
                    "<rect class=\"{}\" x=\"{:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{:.1}\"><title>{count}</title></rect>",
                    colour(kind),
                    left + column * 0.08 + width * float(kind as u64),
                    HEIGHT - BOTTOM - top,
                );
            }
        }
        let _fits = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" class=\"middle small\">{}</text></svg>",
            f64::midpoint(LEFT, WIDTH),
            HEIGHT - 6.0,
            self.x
        );
        let named: Vec<(String, &str)> = (0..)
            .map(colour)
            .zip(self.bars.iter().map(|bars| bars.name.as_str()))
            .collect();
        svg + &legend(named.iter().map(|(class, name)| (class.as_str(), *name)))
    }
}

/// Counts of plots are far below 2 to the 52nd.
#[expect(clippy::cast_precision_loss, reason = "a plot shows three digits")]
fn float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_count_that_is_not_0_has_a_bar() {
        let histogram = Histogram {
            title: "sizes".into(),
            classes: vec!["1".into(), "2".into(), "4".into()],
            x: "bytes".into(),
            bars: vec![
                Bars {
                    name: "in".into(),
                    counts: vec![5, 0, 1],
                },
                Bars {
                    name: "out".into(),
                    counts: vec![0, 7],
                },
            ],
        };
        let figure = histogram.figure();
        assert_eq!(figure.matches("<rect").count(), 3);
        assert!(figure.contains("<title>7</title>"), "{figure}");
    }
}
