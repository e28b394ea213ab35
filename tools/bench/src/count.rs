//! One guest's figures as a table: the quick form of `make bench`, for whoever changes the data path.

use std::time::Duration;

use airlock_cli::profile;
use airlock_cli::workspace::Workspace;
use anyhow::Result;
use clap::Args;
use workload::phase::{Phase, Unit};

use crate::figures::Figures;
use crate::guest::{Guest, Parts, Setting};
use crate::run::{Depth, run};
use crate::{figures, inside, measure, peer, prepare, window};
use tcg::plugin::Plugin;

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
    /// Instead of the table: so many functions of Airlock that have the most instructions, for each job.
    #[arg(long, default_value_t = 0)]
    pub functions: usize,
    /// Shows the guest's console.
    #[arg(long)]
    pub console: bool,
    /// Keeps a trace of what crosses in this file, for `airlock trace` (Airlock only).
    #[arg(long, value_name = "FILE")]
    pub trace: Option<String>,
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
    let parts = prepare::parts(&workspace, options.guest.is_linux(), options.guest.trusts())?;
    let how = inside::enter(options.mtu)?;
    let plugin = Plugin::build(&parts.qemu, &workspace.out().join("plugin"))?;
    peer::start(inside::peer())?;
    let line = format!(
        "bench.jobs={} bench.bytes={} bench.count={}",
        options.jobs,
        options.mib << 20,
        options.count
    );
    let mut setting = Setting {
        memory: options.memory << 20,
        mtu: options.mtu,
        workload: line.clone(),
        append: match &options.trace {
            Some(_) => format!("{} trace=stream", options.append),
            None => options.append.clone(),
        },
        card: match options.card.as_str() {
            "" => String::new(),
            card => format!(",{card}"),
        },
        console: options.console,
        trace: options.trace.clone(),
        window: None,
    };
    let limit = Duration::from_secs(options.limit);
    if options.functions != 0 {
        return functions(&workspace, options, (&parts, &setting), &plugin, limit);
    }
    let depth = if options.time {
        Depth::Time
    } else {
        Depth::Memory
    };
    if depth == Depth::Memory {
        let found = window::find(options.guest, &parts, &setting, &plugin, limit)?;
        setting.window = Some(found);
    }
    let outcome = run(options.guest, &parts, &setting, &plugin, depth, limit)?;
    println!(
        "{}: QEMU TCG, plugin {}, {how}{}",
        options.guest.name(),
        plugin.interface,
        match &setting.window {
            Some(window) => format!(", window {:#x} to {:#x}", window.start, window.end),
            None => String::new(),
        }
    );
    let amounts = figures::amounts(&line)?;
    if let Some(boot) = measure::boot(&outcome.record) {
        let (instructions, exits) = (boot.instructions, boot.exits);
        println!("first packet after {instructions} instructions and {exits} exits");
    }
    if options.registers {
        println!("before main:");
        print_registers(&outcome.record.phase(Phase::Boot).registers);
    }
    println!("{HEAD}");
    for phase in Phase::jobs() {
        let found = figures::figures(&outcome.record, phase, &amounts, setting.window.as_ref());
        if let Some(figures) = found {
            println!("{}", row(phase, &figures));
        }
        if options.registers {
            print_registers(&outcome.record.phase(phase).registers);
        }
    }
    Ok(())
}

/// Prints where the instructions of each job go.
fn functions(
    workspace: &Workspace,
    options: &Options,
    (parts, setting): (&Parts, &Setting),
    plugin: &Plugin,
    limit: Duration,
) -> Result<()> {
    let program = workspace.build(&workspace.program("bench")?, false)?;
    let named = |phase: &Phase| options.jobs.split(',').any(|job| job == phase.name());
    for phase in Phase::ALL.into_iter().filter(named) {
        let depth = Depth::Functions(phase);
        let outcome = run(options.guest, parts, setting, plugin, depth, limit)?;
        let (mode, top) = (options.guest.mode(), options.functions);
        let table = profile::functions(&outcome.record, &program, mode, top)?;
        println!("{}:\n{table}", phase.name());
    }
    Ok(())
}

const HEAD: &str =
    "job          instructions     (EL2) per       exits window stores   loads  copying       rate";

fn row(phase: Phase, figures: &Figures) -> String {
    let (per, exits, rate) = match phase.unit() {
        Unit::Byte => ("byte", "/MiB", format!("{:.1} MB/s", figures.rate / 1e6)),
        Unit::Operation => ("each", "", format!("{:.0} /s", figures.rate)),
    };
    format!(
        "{:<12} {:>12.3} {:>9.3} {per} {:>7.2}{exits:<4} {:>13.3} {:>7.3} {:>8.3} {rate:>10}",
        phase.name(),
        figures.instructions,
        figures.monitor,
        figures.exits,
        figures.window_stores,
        figures.window_loads,
        figures.touching
    )
}

fn print_registers(registers: &std::collections::BTreeMap<u64, tcg::counts::Register>) {
    for (address, register) in registers {
        println!(
            "    register {address:#12x}: {} loads, {} stores",
            register.loads, register.stores
        );
    }
}
