//! Figures of one run, by unit: what was counted in a phase, divided by what it did.

use std::ops::Range;

use anyhow::Result;
use serde::Serialize;
use workload::amounts::Amounts;
use workload::phase::{Phase, Unit};

use tcg::counts::Record;

/// What one unit of a phase cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Instructions of the guest.
    pub instructions: f64,
    /// Instructions of the monitor under it.
    pub monitor: f64,
    /// Instructions of the guest's blocks that touch the window: copies, clearing, rings.
    pub touching: f64,
    /// Accesses to device registers, for each MiB or operation.
    pub exits: f64,
    /// Bytes stored to the window, for each byte or operation.
    pub window_stores: f64,
    /// Bytes loaded from the window.
    pub window_loads: f64,
    /// Units in a second of the host's clock.
    pub rate: f64,
}

/// The figures of `phase`, if it ran.
#[must_use]
pub fn figures(
    record: &Record,
    phase: Phase,
    amounts: &Amounts,
    window: Option<&Range<u64>>,
) -> Option<Figures> {
    let counts = record.phases.get(&phase)?;
    let units = as_float(amounts.units(phase));
    let per_unit = |count: u64| as_float(count) / units;
    let traffic = window
        .map(|window| counts.window(window))
        .unwrap_or_default();
    let (guest, monitor) = (counts.guest(), counts.monitor());
    let per_exit = match phase.unit() {
        Unit::Byte => 1_048_576.0,
        Unit::Operation => 1.0,
    };
    Some(Figures {
        instructions: per_unit(guest.instructions),
        monitor: per_unit(monitor.instructions),
        touching: per_unit(counts.touching),
        exits: per_unit(guest.mmio() + monitor.mmio()) * per_exit,
        window_stores: per_unit(traffic.stores),
        window_loads: per_unit(traffic.loads),
        rate: units / counts.time.as_secs_f64().max(1e-9),
    })
}

/// The amounts that a line of boot arguments asks for.
///
/// # Errors
/// One of them is wrong.
pub fn amounts(line: &str) -> Result<Amounts> {
    Amounts::read(|key| {
        let mut pairs = line.split(' ').filter_map(|word| word.split_once('='));
        pairs.find(|(name, _)| *name == key).map(|(_, value)| value)
    })
    .map_err(|bad| anyhow::anyhow!("{}= is wrong", bad.0))
}

/// A count for arithmetic; beyond 2^53 it would be rounded.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts are far below 2^53, and figures are shown with four digits"
)]
#[must_use]
pub fn as_float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_divided_by_what_was_done() {
        let text = "phase 2 1 1000000000\ncpu 0 500 1 3 0 0 0\npage 0x40000000 100 1000\n";
        let record = Record::parse(text).unwrap();
        let amounts = Amounts::read(|key| (key == "bench.bytes").then_some("1000")).unwrap();
        let window = 0x4000_0000..0x4000_1000;
        let found = figures(&record, Phase::Send, &amounts, Some(&window)).unwrap();
        assert!((found.instructions - 0.5).abs() < 1e-9);
        assert!((found.window_stores - 1.0).abs() < 1e-9);
        assert!((found.exits - 4.0 * 1_048_576.0 / 1000.0).abs() < 1e-6);
        assert!((found.rate - 1000.0).abs() < 1e-6);
        assert_eq!(figures(&record, Phase::Receive, &amounts, None), None);
    }
}
