//! The figures that the project is judged by, P1 to P11, each with its goal.

use serde::Serialize;
use workload::phase::Phase;

use crate::figures::Figures;
use crate::guest::Guest;
use crate::measured::{Measured, RECEIVE_CURVE, SEND_CURVE, Sizes};
use crate::stats::{Interval, range};

/// Which way a figure should go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Less is better.
    Lower,
    /// More is better.
    Higher,
}

/// A figure, for everybody who has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// `P1` to `P11`, with a part where a figure has several.
    pub id: String,
    /// What it is.
    pub name: String,
    /// Its unit.
    pub unit: &'static str,
    /// By guest, in the order of [`GUESTS`].
    pub values: [Option<Interval>; 5],
    /// What is to be reached.
    pub goal: f64,
    /// Which way.
    pub better: Better,
}

/// The columns of a row.
pub const GUESTS: [Guest; 5] = [
    Guest::Airlock,
    Guest::AirlockRealm,
    Guest::LinuxBounced,
    Guest::Linux,
    Guest::LinuxRealm,
];

/// One object of `report.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    id: String,
    name: String,
    unit: &'static str,
    airlock: Option<f64>,
    linux_bounced: Option<f64>,
    linux_unbounced: Option<f64>,
    goal: f64,
    met: Option<bool>,
    airlock_realm: Option<f64>,
    linux_realm: Option<f64>,
    airlock_low: Option<f64>,
    airlock_high: Option<f64>,
    n: usize,
}

impl Row {
    /// The value of one guest.
    #[must_use]
    pub fn value(&self, guest: Guest) -> Option<Interval> {
        let column = GUESTS.iter().position(|known| *known == guest)?;
        self.values.get(column).copied().flatten()
    }

    /// Whether Airlock reaches the goal, as a machine and as a realm; nothing if it was not measured.
    #[must_use]
    pub fn met(&self) -> Option<bool> {
        let ours = [Guest::Airlock, Guest::AirlockRealm].map(|guest| self.value(guest));
        let mut ours = ours.into_iter().flatten().peekable();
        ours.peek()?;
        Some(ours.all(|value| match self.better {
            Better::Lower => value.median <= self.goal,
            Better::Higher => value.median >= self.goal,
        }))
    }

    /// As `report.json` has it.
    #[must_use]
    pub fn entry(&self) -> Entry {
        let median = |guest| self.value(guest).map(|value| value.median);
        let airlock = self.value(Guest::Airlock);
        Entry {
            id: self.id.clone(),
            name: self.name.clone(),
            unit: self.unit,
            airlock: median(Guest::Airlock),
            linux_bounced: median(Guest::LinuxBounced),
            linux_unbounced: median(Guest::Linux),
            goal: self.goal,
            met: self.met(),
            airlock_realm: median(Guest::AirlockRealm),
            linux_realm: median(Guest::LinuxRealm),
            airlock_low: airlock.map(|value| value.low),
            airlock_high: airlock.map(|value| value.high),
            n: airlock.map_or(0, |value| value.n),
        }
    }
}

struct Rows<'a> {
    measured: &'a Measured,
    rows: Vec<Row>,
}

/// All figures.
#[must_use]
pub fn rows(measured: &Measured) -> Vec<Row> {
    let mut rows = Rows {
        measured,
        rows: Vec::new(),
    };
    rows.instructions();
    rows.window();
    rows.exits();
    rows.boot_and_sizes();
    rows.operations();
    rows.wall();
    rows.growth();
    rows.rows
}

impl Rows<'_> {
    fn add(
        &mut self,
        (id, name, unit): (&str, &str, &'static str),
        goal: f64,
        better: Better,
        value: impl Fn(&Measured, Guest) -> Option<Interval>,
    ) {
        let measured = self.measured;
        self.rows.push(Row {
            id: id.to_owned(),
            name: name.to_owned(),
            unit,
            values: GUESTS.map(|guest| value(measured, guest)),
            goal,
            better,
        });
    }

    fn counted(
        &mut self,
        what: (&str, &str, &'static str),
        goal: f64,
        phase: Phase,
        pick: fn(&Figures) -> f64,
    ) {
        self.add(what, goal, Better::Lower, |all, guest| {
            all.counted(guest, phase, pick)
        });
    }

    fn first(
        &mut self,
        what: (&str, &str, &'static str),
        goal: f64,
        phase: Phase,
        pick: fn(&Figures) -> f64,
    ) {
        self.add(what, goal, Better::Lower, |all, guest| {
            all.first(guest, phase, pick)
        });
    }

    fn instructions(&mut self) {
        let all = |figures: &Figures| figures.instructions + figures.monitor;
        let per_byte = "instructions/B";
        self.counted(("P1", "TCP send", per_byte), 0.50, Phase::Send, all);
        self.counted(("P2", "TCP receive", per_byte), 0.70, Phase::Receive, all);
        for (id, name, phase) in [
            ("P3.send", "bouncing itself, send", Phase::Send),
            ("P3.receive", "bouncing itself, receive", Phase::Receive),
            ("P3.read", "bouncing itself, read", Phase::Read128K),
        ] {
            self.add((id, name, per_byte), 0.15, Better::Lower, |all, guest| {
                let touching = all.first(guest, phase, |figures| figures.touching);
                touching.filter(|_| guest.is_bounced())
            });
        }
    }

    fn window(&mut self) {
        let stores = |figures: &Figures| figures.window_stores;
        let loads = |figures: &Figures| figures.window_loads;
        for (id, name, goal, phase, pick) in [
            (
                "P4.send.stores",
                "window stores, send",
                1.02,
                Phase::Send,
                stores as fn(&Figures) -> f64,
            ),
            (
                "P4.receive.stores",
                "window stores, receive",
                0.005,
                Phase::Receive,
                stores,
            ),
            (
                "P4.receive.loads",
                "window loads, receive",
                1.02,
                Phase::Receive,
                loads,
            ),
            (
                "P4.read.stores",
                "window stores, 128 KiB reads",
                0.005,
                Phase::Read128K,
                stores,
            ),
            (
                "P4.read.loads",
                "window loads, 128 KiB reads",
                1.02,
                Phase::Read128K,
                loads,
            ),
        ] {
            self.add((id, name, "B/B"), goal, Better::Lower, |all, guest| {
                all.first(guest, phase, pick).filter(|_| guest.is_bounced())
            });
        }
    }

    fn exits(&mut self) {
        let exits = |figures: &Figures| figures.exits;
        for (id, name, unit, goal, phase) in [
            ("P5.send", "exits, send", "1/MiB", 4.0, Phase::Send),
            ("P5.receive", "exits, receive", "1/MiB", 4.0, Phase::Receive),
            ("P5.rtt", "exits, round trip", "1", 1.0, Phase::RoundTrip),
            (
                "P5.read4k-32",
                "exits, 4 KiB request at depth 32",
                "1",
                0.1,
                Phase::Read4KDepth32,
            ),
        ] {
            self.first((id, name, unit), goal, phase, exits);
        }
    }

    fn boot_and_sizes(&mut self) {
        self.add(
            ("P6.instructions", "entry to first packet", "instructions"),
            1.5e6,
            Better::Lower,
            |all, guest| range(&[all.boots.get(&guest)?.instructions]),
        );
        self.add(
            ("P6.exits", "entry to first packet", "exits"),
            200.0,
            Better::Lower,
            |all, guest| range(&[all.boots.get(&guest)?.exits]),
        );
        for (id, name, unit, goal, pick) in [
            (
                "P7.hello",
                "image of hello",
                "kB",
                320.0,
                (|sizes: &Sizes| kilo(sizes.hello)) as fn(&Sizes) -> Option<f64>,
            ),
            ("P7.fetch", "image of fetch", "kB", 420.0, |sizes| {
                kilo(sizes.fetch)
            }),
            ("P7.memory", "least RAM", "MiB", 4.0, |sizes| sizes.memory),
            (
                "P7.shared",
                "memory that devices reach",
                "MiB",
                2.0,
                |sizes| sizes.shared,
            ),
        ] {
            self.add((id, name, unit), goal, Better::Lower, |all, guest| {
                range(&[pick(all.sizes.get(&guest)?)?])
            });
        }
    }

    fn operations(&mut self) {
        let all = |figures: &Figures| figures.instructions + figures.monitor;
        for (id, name, unit, goal, phase) in [
            (
                "P8",
                "64 B round trip",
                "instructions",
                5000.0,
                Phase::RoundTrip,
            ),
            (
                "P9.read128k",
                "128 KiB reads",
                "instructions/B",
                0.18,
                Phase::Read128K,
            ),
            (
                "P9.read4k-32",
                "4 KiB request at depth 32",
                "instructions",
                2000.0,
                Phase::Read4KDepth32,
            ),
        ] {
            self.counted((id, name, unit), goal, phase, all);
        }
    }

    /// Against bounced Linux in the same round; a realm against Linux as a realm.
    fn wall(&mut self) {
        for (id, name, phase) in [
            ("P10.send", "wall, send, Linux bounced = 1", Phase::Send),
            (
                "P10.receive",
                "wall, receive, Linux bounced = 1",
                Phase::Receive,
            ),
            (
                "P10.rtt",
                "wall, round trips, Linux bounced = 1",
                Phase::RoundTrip,
            ),
            (
                "P10.read",
                "wall, 128 KiB reads, Linux bounced = 1",
                Phase::Read128K,
            ),
        ] {
            self.add((id, name, "times"), 4.0, Better::Higher, |all, guest| {
                let other = match guest {
                    Guest::AirlockRealm | Guest::LinuxRealm => Guest::LinuxRealm,
                    _ => Guest::LinuxBounced,
                };
                all.ratio(guest, other, phase)
            });
        }
    }

    fn growth(&mut self) {
        let all = |figures: &Figures| figures.instructions + figures.monitor;
        for (id, name, many, one) in [
            (
                "P11.send",
                "32 connections, send, one = 1",
                Phase::SendMany,
                Phase::Send,
            ),
            (
                "P11.receive",
                "32 connections, receive, one = 1",
                Phase::ReceiveMany,
                Phase::Receive,
            ),
        ] {
            self.add(
                (id, name, "times"),
                1.2,
                Better::Lower,
                |measured, guest| {
                    let many = measured.counted(guest, many, all)?;
                    let one = measured.counted(guest, one, all)?;
                    range(&[many.median / one.median])
                },
            );
        }
        for (id, name, title) in [
            (
                "P11.packets.send",
                "worst of all packet sizes, send, 1500 = 1",
                SEND_CURVE,
            ),
            (
                "P11.packets.receive",
                "worst of all packet sizes, receive, 1500 = 1",
                RECEIVE_CURVE,
            ),
        ] {
            self.add(
                (id, name, "times"),
                1.2,
                Better::Lower,
                |measured, guest| worst(measured, guest, title),
            );
        }
    }
}

fn kilo(bytes: Option<f64>) -> Option<f64> {
    bytes.map(|bytes| bytes / 1000.0)
}

/// The largest of a curve's values, against the one at packets of 1500 bytes.
fn worst(measured: &Measured, guest: Guest, title: &str) -> Option<Interval> {
    let curve = measured.curves.iter().find(|curve| curve.title == title)?;
    let (_, points) = curve.series.iter().find(|(whose, _)| *whose == guest)?;
    let usual = points.iter().find(|(x, _)| (*x - 1500.0).abs() < 0.5)?.1;
    let worst = points
        .iter()
        .map(|(_, y)| y / usual)
        .max_by(f64::total_cmp)?;
    range(&[worst])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn measured(machine: f64, realm: f64) -> Measured {
        let run = |instructions| {
            let figures = Figures {
                instructions,
                ..Figures::default()
            };
            vec![BTreeMap::from([(Phase::Send, figures)])]
        };
        Measured {
            counts: [
                (Guest::Airlock, run(machine)),
                (Guest::AirlockRealm, run(realm)),
            ]
            .into(),
            ..Measured::default()
        }
    }

    fn row(measured: &Measured, id: &str) -> Row {
        let mut found = rows(measured).into_iter().filter(|row| row.id == id);
        found.next().unwrap()
    }

    #[test]
    fn a_goal_is_met_by_the_machine_and_the_realm_or_not_at_all() {
        assert_eq!(row(&measured(0.4, 0.4), "P1").met(), Some(true));
        assert_eq!(row(&measured(0.4, 0.6), "P1").met(), Some(false));
        assert_eq!(row(&measured(0.6, 0.4), "P1").met(), Some(false));
    }

    #[test]
    fn what_was_not_measured_is_neither_met_nor_missed() {
        let row = row(&measured(0.4, 0.4), "P2");
        assert_eq!(row.met(), None);
        assert_eq!(row.entry().airlock, None);
    }

    #[test]
    fn every_figure_from_p1_to_p11_has_a_row() {
        let rows = rows(&Measured::default());
        for number in 1..=11 {
            let id = format!("P{number}");
            let there = |row: &Row| row.id == id || row.id.starts_with(&format!("{id}."));
            assert!(rows.iter().any(there), "{id}");
        }
    }
}
