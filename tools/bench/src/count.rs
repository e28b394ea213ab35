//! One guest's figures as a table: the quick form of `make bench`, for whoever changes the data path.

use std::ops::Range;
use std::time::Duration;

use airlock_cli::workspace::Workspace;
use anyhow::{Context, Result};
use clap::Args;
use workload::amounts::Amounts;
use workload::phase::{Phase, Unit};

use crate::figures::{Figures, figures};
use crate::guest::{Guest, Parts, Setting};
use crate::plugin::Plugin;
use crate::run::{Depth, run};
use crate::{inside, peer, prepare};

/// Options of `bench count`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Who runs.
    #[arg(long, value_enum, default_value = "airlock")]
    pub guest: Guest,
    /// What runs, by commas: send, receive, rtt, read128k, read4k-1, read4k-4, read4k-32, send-32,
    /// receive-32, connect.
    #[arg(
        long,
        default_value = "send,receive,rtt,read128k,read4k-1,read4k-4,read4k-32"
    )]
    pub jobs: String,
    /// MiB of each transfer.
    #[arg(long, default_value_t = 8)]
    pub mib: u64,
    /// Round trips, requests, connections.
    #[arg(long, default_value_t = 1000)]
    pub count: u64,
    /// MiB of memory.
    #[arg(long, default_value_t = 256)]
    pub memory: u64,
    /// The largest packet.
    #[arg(long, default_value_t = 1500)]
    pub mtu: u32,
    /// More boot arguments for Airlock.
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    pub append: String,
    /// More of the network card's properties, such as host_tso4=off.
    #[arg(long, default_value = "")]
    pub card: String,
    /// Only the time, at full speed.
    #[arg(long)]
    pub time: bool,
    /// Also device registers, each with its accesses.
    #[arg(long)]
    pub registers: bool,
    /// Shows the guest's console.
    #[arg(long)]
    pub console: bool,
    /// A run ends after so many seconds.
    #[arg(long, default_value_t = 120)]
    pub limit: u64,
}

/// Runs it, and prints the table.
///
/// # Errors
/// A run does not end well.
pub fn count(options: &Options) -> Result<()> {
    let workspace = Workspace::find()?;
    let parts = prepare::parts(&workspace, options.guest.is_linux())?;
    let how = inside::enter(options.mtu)?;
    let plugin = Plugin::build(&parts.qemu, &workspace.out().join("plugin"))?;
    peer::start(inside::peer())?;
    let line = format!(
        "bench.jobs={} bench.bytes={} bench.count={}",
        options.jobs,
        options.mib << 20,
        options.count
    );
    let setting = Setting {
        memory: options.memory << 20,
        mtu: options.mtu,
        workload: line.clone(),
        append: options.append.clone(),
        card: match options.card.as_str() {
            "" => String::new(),
            card => format!(",{card}"),
        },
        console: options.console,
    };
    let depth = if options.time {
        Depth::Time
    } else {
        Depth::Memory
    };
    let limit = Duration::from_secs(options.limit);
    let mut outcome = run(options.guest, &parts, &setting, &plugin, depth, limit)?;
    if !options.guest.is_linux() && depth == Depth::Memory {
        outcome.window = airlock_window(options.guest, &parts, &setting, &plugin, limit)?;
    }
    println!(
        "{}: QEMU TCG, plugin {}, {how}{}",
        options.guest.name(),
        plugin.interface,
        match &outcome.window {
            Some(window) => format!(", window {:#x} to {:#x}", window.start, window.end),
            None => String::new(),
        }
    );
    let amounts = Amounts::read(|key| {
        let mut pairs = line.split(' ').filter_map(|word| word.split_once('='));
        pairs.find(|(name, _)| *name == key).map(|(_, value)| value)
    })
    .map_err(|bad| anyhow::anyhow!("{}= is wrong", bad.0))?;
    println!("{HEAD}");
    for phase in Phase::jobs() {
        let found = figures(&outcome.record, phase, &amounts, outcome.window.as_ref());
        if let Some(figures) = found {
            println!("{}", row(phase, &figures));
        }
        if options.registers {
            print_registers(&outcome.record.phase(phase).registers);
        }
    }
    Ok(())
}

const HEAD: &str =
    "job          instructions     (EL2) per       exits window stores   loads       rate";

fn row(phase: Phase, figures: &Figures) -> String {
    let (per, exits, rate) = match phase.unit() {
        Unit::Byte => ("byte", "/MiB", format!("{:.1} MB/s", figures.rate / 1e6)),
        Unit::Operation => ("each", "", format!("{:.0} /s", figures.rate)),
    };
    format!(
        "{:<12} {:>12.3} {:>9.3} {per} {:>7.2}{exits:<4} {:>13.3} {:>7.3} {rate:>10}",
        phase.name(),
        figures.instructions,
        figures.monitor,
        figures.exits,
        figures.window_stores,
        figures.window_loads
    )
}

fn print_registers(registers: &std::collections::BTreeMap<u64, crate::counts::Register>) {
    for (address, register) in registers {
        println!(
            "    register {address:#12x}: {} loads, {} stores",
            register.loads, register.stores
        );
    }
}

/// Where Airlock's shared region lies: it says so in its trace, which would disturb a measured run.
///
/// # Errors
/// The run fails, or has no trace.
pub fn airlock_window(
    guest: Guest,
    parts: &Parts,
    setting: &Setting,
    plugin: &Plugin,
    limit: Duration,
) -> Result<Option<Range<u64>>> {
    let setting = Setting {
        workload: "bench.jobs=rtt bench.count=4".to_owned(),
        append: format!("{} trace=bounce", setting.append),
        ..setting.clone()
    };
    let outcome = run(guest, parts, &setting, plugin, Depth::Time, limit)?;
    let size = outcome.console.lines().iter().find_map(|line| shared(line));
    let low = outcome
        .console
        .lines()
        .iter()
        .filter_map(|line| address(line));
    let low = low.min().context("Airlock traced no copy")?;
    let size = size.context("Airlock did not say how much it shares")?;
    let start = low & !(REGION - 1);
    Ok(Some(start..start + size))
}

/// Regions begin at whole 2 MiB.
const REGION: u64 = 2 << 20;

/// `bounce: 2048 KiB shared, …`.
fn shared(line: &str) -> Option<u64> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_read_from_what_airlock_says() {
        assert_eq!(shared("[0.1] bounce: 2048 KiB shared, 0000"), Some(2 << 20));
        assert_eq!(shared("bounce: nothing"), None);
        let line =
            "[0.2] swiotlb_bounced: dev_name: 0000:00:01.0 dev_addr=10047e8588c size=589 out";
        assert_eq!(address(line), Some(0x47e8_588c));
    }
}
