//! Where the memory lies that a guest shares with its devices, by its own words.

use std::ops::Range;
use std::time::Duration;

use airlock_cli::console::Transcript;
use anyhow::{Context, Result};
use tcg::plugin::Plugin;

use crate::guest::{Guest, Parts, Setting};
use crate::run::{Depth, run};

/// Finds it in a short run: Airlock says it in its trace, which would disturb a measured run. It is at the
/// same place each time, because nothing of the machine is random.
///
/// # Errors
/// The run fails, or the guest does not say.
pub fn find(
    guest: Guest,
    parts: &Parts,
    setting: &Setting,
    plugin: &Plugin,
    limit: Duration,
) -> Result<Range<u64>> {
    let setting = Setting {
        workload: "bench.jobs=rtt bench.count=4".to_owned(),
        append: format!("{} trace=bounce", setting.append),
        ..setting.clone()
    };
    let outcome = run(guest, parts, &setting, plugin, Depth::Time, limit)?;
    let found = match guest.is_linux() {
        true => outcome
            .console
            .find("software IO TLB: mapped")
            .and_then(linux),
        false => airlock(&outcome.console),
    };
    found.with_context(|| format!("{} does not say what it shares", guest.name()))
}

fn airlock(console: &Transcript) -> Option<Range<u64>> {
    let size = console.lines().iter().find_map(|line| shared(line))?;
    let low = console
        .lines()
        .iter()
        .filter_map(|line| address(line))
        .min()?;
    let start = low & !(REGION - 1);
    Some(start..start + size)
}

/// Regions begin at whole 2 MiB.
const REGION: u64 = 2 << 20;

/// `bounce: 2048 KiB shared, …`.
pub(crate) fn shared(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once("bounce: ")?;
    let (kib, rest) = rest.split_once(' ')?;
    rest.starts_with("KiB shared").then_some(())?;
    kib.parse::<u64>().ok().map(|kib| kib << 10)
}

/// The physical address in `… dev_addr=10047e8588c …`: without the shared bit of a realm.
fn address(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once("dev_addr=")?;
    let address = rest.split(' ').next()?.trim_start_matches("0x");
    let address = u64::from_str_radix(address, 16).ok()?;
    Some(address & 0xff_ffff_ffff)
}

/// `software IO TLB: mapped [mem 0x00000000f7fff000-0x00000000fbfff000] (64MB)`.
fn linux(line: &str) -> Option<Range<u64>> {
    let (_, range) = line.split_once("[mem ")?;
    let (range, _) = range.split_once(']')?;
    let (low, high) = range.split_once('-')?;
    let number = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok();
    Some(number(low)?..number(high)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_read_from_what_airlock_says() {
        let mut console = Transcript::default();
        for line in [
            "[0.1] bounce: 2048 KiB shared, 0000",
            "[0.2] swiotlb_bounced: dev_name: 0000:00:01.0 dev_addr=10047e8588c size=589 out",
            "[0.2] swiotlb_bounced: dev_name: 0000:00:01.0 dev_addr=10047f0588c size=589 out",
        ] {
            console.push(line);
        }
        assert_eq!(airlock(&console), Some(0x47e0_0000..0x4800_0000));
        assert_eq!(shared("bounce: nothing"), None);
    }

    #[test]
    fn linux_says_where_its_pool_is() {
        let line =
            "[ 0.1] software IO TLB: mapped [mem 0x0000000054000000-0x000000005c000000] (128MB)";
        assert_eq!(linux(line), Some(0x5400_0000..0x5c00_0000));
    }
}
