//! `bench all`: everything, and the report.

use airlock_cli::qemu;
use airlock_cli::workspace::Workspace;
use anyhow::Result;
use clap::Args;
use tcg::plugin::Plugin;

use crate::effort::Effort;
use crate::figures::as_float;
use crate::goals::Row;
use crate::guest::{Guest, Parts};
use crate::host::Host;
use crate::measure::Session;
use crate::measured::Measured;
use crate::report::history::Kept;
use crate::report::{self};
use crate::{inside, peer, prepare};

/// Options of `bench all`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// What three minutes allow.
    #[arg(long)]
    pub quick: bool,
    /// Keeps the figures in bench/history.
    #[arg(long)]
    pub keep: bool,
}

/// Measures, writes the report, and says where it is.
///
/// # Errors
/// The host is busy, something does not build, or the user interrupts.
pub fn all(options: &Options) -> Result<()> {
    qemu::catch_interrupts()?;
    let workspace = Workspace::find()?;
    let parts = prepare::parts(&workspace, true, false)?;
    let sizes = prepare::sizes(&workspace, &parts)?;
    let host = Host::look(&parts.qemu)?;
    let how = inside::enter(1500)?;
    let plugin = Plugin::build(&parts.qemu, &workspace.out().join("plugin"))?;
    peer::start(inside::peer())?;
    let effort = match options.quick {
        true => Effort::QUICK,
        false => Effort::FULL,
    };
    let measured = Measured {
        facts: told(&parts, &plugin, how, effort),
        sizes,
        host,
        ..Measured::default()
    };
    let mut session = Session::new(&parts, &plugin, effort, measured);
    session.measure()?;
    let folder = workspace.target().join("bench");
    let history = workspace.root().join("bench/history");
    let rows = report::write(&session.measured, &folder, &history)?;
    for row in &rows {
        println!("{}", line(row));
    }
    for problem in &session.measured.problems {
        println!("not measured: {problem}");
    }
    println!("bench: {}", folder.join("report.html").display());
    if options.keep {
        let kept = Kept::of(&session.measured.host, &rows).write(&history)?;
        println!("bench: kept as {}", kept.display());
    }
    Ok(())
}

fn told(parts: &Parts, plugin: &Plugin, how: String, effort: Effort) -> Vec<(String, String)> {
    let linux = parts.linux.as_ref().map(|linux| linux.version.clone());
    let mut facts = vec![
        ("plugin".to_owned(), plugin.interface.clone()),
        ("network".to_owned(), how),
        ("disk".to_owned(), "null-co, reads as zeros".to_owned()),
        ("Linux".to_owned(), linux.unwrap_or_default()),
    ];
    facts.push((
        "runs".to_owned(),
        format!(
            "{} for counts ({:.0} MiB a transfer, {} operations), {} rounds against the clock ({:.0} MiB, {})",
            effort.counts,
            as_float(effort.count_bytes) / 1_048_576.0,
            effort.operations,
            effort.pairs,
            as_float(effort.wall_bytes) / 1_048_576.0,
            effort.wall_operations
        ),
    ));
    facts
}

/// A row of the table on the terminal.
fn line(row: &Row) -> String {
    let value = |guest| {
        let value = row.value(guest);
        value.map_or("–".to_owned(), |value| plot::short(value.median))
    };
    let met = match row.met() {
        Some(true) => "met",
        Some(false) => "missed",
        None => "not measured",
    };
    format!(
        "{:<19} {:<42} {:>9} (realm {:>8}) {:<14} Linux bounced {:>8}  goal {:>7}  {met}",
        row.id,
        row.name,
        value(Guest::Airlock),
        value(Guest::AirlockRealm),
        row.unit,
        value(Guest::LinuxBounced),
        plot::short(row.goal)
    )
}
