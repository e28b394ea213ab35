//! Everything that was measured, before anybody judges it.

use std::collections::BTreeMap;

use serde::Serialize;
use workload::phase::Phase;

use crate::figures::Figures;
use crate::guest::Guest;
use crate::host::Host;
use crate::stats::{Interval, bootstrap, range};

/// Titles of the curves of packet sizes.
pub const SEND_CURVE: &str = "TCP send by packet size";
/// See [`SEND_CURVE`].
pub const RECEIVE_CURVE: &str = "TCP receive by packet size";

/// What boot took, to the first packet on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Boot {
    /// Instructions of the guest.
    pub instructions: f64,
    /// Accesses to device registers.
    pub exits: f64,
}

/// What an image needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Sizes {
    /// Bytes of the image of `hello`; of kernel and user space, for Linux.
    pub hello: Option<f64>,
    /// Bytes of the image of `fetch`.
    pub fetch: Option<f64>,
    /// Least memory that the workload runs in, in MiB.
    pub memory: Option<f64>,
    /// Memory that devices can reach, in MiB.
    pub shared: Option<f64>,
}

/// Values along an axis, for each of several guests.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Curve {
    /// What it shows.
    pub title: String,
    /// What is along the axis.
    pub x: String,
    /// What is measured.
    pub y: String,
    /// Guests, and their points.
    pub series: Vec<(Guest, Vec<(f64, f64)>)>,
}

/// Everything that was measured.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// Where.
    pub host: Host,
    /// What else it depends on, and how it was done: pairs of name and value.
    pub facts: Vec<(String, String)>,
    /// Command lines of QEMU.
    pub commands: Vec<(Guest, String)>,
    /// Counting runs of each guest: figures by phase.
    pub counts: BTreeMap<Guest, Vec<BTreeMap<Phase, Figures>>>,
    /// Boots of each guest.
    pub boots: BTreeMap<Guest, Boot>,
    /// Rates of each round against the clock, by phase.
    pub rounds: Vec<BTreeMap<Guest, BTreeMap<Phase, f64>>>,
    /// Sizes of each system.
    pub sizes: BTreeMap<Guest, Sizes>,
    /// Curves.
    pub curves: Vec<Curve>,
    /// What could not be measured, and why.
    pub problems: Vec<String>,
}

impl Measured {
    /// A figure of a guest's counting runs: median, smallest and largest.
    #[must_use]
    pub fn counted(
        &self,
        guest: Guest,
        phase: Phase,
        pick: impl Fn(&Figures) -> f64,
    ) -> Option<Interval> {
        let runs = self.counts.get(&guest)?;
        let values: Vec<f64> = runs
            .iter()
            .filter_map(|run| run.get(&phase))
            .map(pick)
            .collect();
        range(&values)
    }

    /// A figure that only the runs with all accesses to memory have: that of the first run.
    #[must_use]
    pub fn first(
        &self,
        guest: Guest,
        phase: Phase,
        pick: impl Fn(&Figures) -> f64,
    ) -> Option<Interval> {
        let run = self.counts.get(&guest)?.first()?;
        range(&[pick(run.get(&phase)?)])
    }

    /// How many times as fast `guest` is as `other` in the rounds that have both.
    #[must_use]
    pub fn ratio(&self, guest: Guest, other: Guest, phase: Phase) -> Option<Interval> {
        let rate = |round: &BTreeMap<Guest, BTreeMap<Phase, f64>>, guest| {
            round
                .get(&guest)
                .and_then(|rates| rates.get(&phase).copied())
        };
        let ratios: Vec<f64> = self
            .rounds
            .iter()
            .filter_map(|round| Some(rate(round, guest)? / rate(round, other)?))
            .collect();
        bootstrap(&ratios)
    }

    /// Units in a second, over all rounds.
    #[must_use]
    pub fn rate(&self, guest: Guest, phase: Phase) -> Option<Interval> {
        let rates = self.rounds.iter().filter_map(|round| round.get(&guest));
        let rates: Vec<f64> = rates
            .filter_map(|rates| rates.get(&phase).copied())
            .collect();
        bootstrap(&rates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(airlock: f64, linux: f64) -> BTreeMap<Guest, BTreeMap<Phase, f64>> {
        [(Guest::Airlock, airlock), (Guest::LinuxBounced, linux)]
            .map(|(guest, rate)| (guest, BTreeMap::from([(Phase::Send, rate)])))
            .into()
    }

    #[test]
    fn a_ratio_is_taken_in_each_round_and_not_of_the_medians() {
        let measured = Measured {
            // The host was slow in the second round, for both.
            rounds: vec![round(40.0, 10.0), round(4.0, 1.0), round(44.0, 11.0)],
            ..Measured::default()
        };
        let ratio = measured.ratio(Guest::Airlock, Guest::LinuxBounced, Phase::Send);
        let ratio = ratio.unwrap();
        assert_eq!(
            (ratio.low, ratio.median, ratio.high, ratio.n),
            (4.0, 4.0, 4.0, 3)
        );
        assert!(
            measured
                .ratio(Guest::Airlock, Guest::Linux, Phase::Send)
                .is_none()
        );
    }
}
