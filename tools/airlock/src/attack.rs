//! `airlock run --attack`: everything that a host controls lies to the payload `victim`.

mod round;
mod script;
mod shrink;

use crate::console::Transcript;
use crate::network::Network;
use crate::options::{Mode, RunOptions};
use crate::qemu;
use crate::run::{self, Outcome};
use crate::verdict::{Verdict, WrongArguments};
use crate::workspace::Workspace;
use anyhow::{Context, Result, ensure};
use hostile::Lie;
use hostile::script::Script;
use std::path::PathBuf;

pub use round::{Round, Row, rounds, rows};
pub use script::{read, write};
pub use shrink::shrink;

/// The address of the payload; nobody gives it one.
const ADDRESS: &str = "ip=10.0.2.15/24,10.0.2.2";
/// Cards, disks, sources of random bytes, and consoles with ports.
const MODELS: &str = "models=1,3,2,1";
/// Microseconds between two looks at the guest.
const TICK: &str = "tick=100";
/// Time passes by instructions, 16 ns each, and not while the guest sleeps: a deadline of ten seconds costs
/// nothing, and a tick falls on any instruction.
const TIME: [&str; 2] = ["-icount", "shift=4,sleep=off"];
/// With two processors there is no such time.
const RACE: &str = "race=yes";
/// Microseconds between two looks at the guest then.
const TICK_OF_RACE: &str = "tick=1000";
/// Runs that may be spent on finding a shorter script.
const PATIENCE: u32 = 40;

/// The options of a run in which `script` is followed.
#[must_use]
pub fn dress(options: &RunOptions, script: &Script) -> RunOptions {
    let mut dressed = options.clone();
    (dressed.attack, dressed.seed) = (None, None);
    dressed
        .payload
        .get_or_insert_with(|| String::from("victim"));
    dressed.net = Network::None;
    dressed.append = format!("{ADDRESS} {}", options.append).trim().to_owned();
    let race = options.monitor.iter().any(|option| option.ends_with(RACE));
    let ours = [
        String::from(MODELS),
        String::from(if race { TICK_OF_RACE } else { TICK }),
        format!("attack={script}"),
        format!("lies={}", options.events),
    ];
    // The first round of a sweep is honest.
    let two = matches!(script, Script::Sweep(_)).then(|| String::from("rounds=2"));
    // What the user says comes last, and counts.
    let ours = ours
        .into_iter()
        .chain(two)
        .map(|option| format!("monitor.{option}"));
    dressed.monitor = ours.chain(options.monitor.iter().cloned()).collect();
    if race {
        dressed.cpus = 2;
    } else {
        dressed.qemu_arg.extend(TIME.map(str::to_owned));
    }
    dressed
}

/// Runs the attack that `options` describe, tells what came of it, and looks for a shorter script if it
/// should not have come to that.
///
/// # Errors
/// The script cannot be read, or something that the run needs is not there.
pub fn run(options: &RunOptions) -> Result<Outcome> {
    qemu::catch_interrupts()?;
    run_once(options)
}

/// As [`run()`], for a caller that has its own way with signals, such as a test.
///
/// # Errors
/// As [`run()`].
pub fn run_once(options: &RunOptions) -> Result<Outcome> {
    ensure!(
        options.mode == Mode::Realm,
        WrongArguments(String::from(
            "--attack needs the monitor; for a plain machine: --monitor rsi=none --monitor stage2=open"
        ))
    );
    let text = options.attack.as_deref().unwrap_or("honest");
    let script = script::of(text, options.seed)?;
    let dressed = dress(options, &script);
    let mut outcome = run::run_once(&dressed)?;
    let round = rounds(&outcome.console).pop();
    let Some(round) = round else {
        return Ok(outcome);
    };
    println!("airlock: {round}");
    let mut lies = round.lies()?;
    outcome.verdict = if round.is_bad() {
        let wanted = round.outcome.clone();
        lies = shorter(options, &lies, &wanted)?;
        Verdict::Attacked(round.to_string())
    } else {
        Verdict::Ok
    };
    if !lies.is_empty() {
        let path = keep(options, &lies)?;
        println!("airlock: the same again: --attack {}", path.display());
    }
    println!("airlock: {}", outcome.verdict);
    Ok(outcome)
}

/// Leaves out what is not needed to come to the outcome `wanted`.
fn shorter(options: &RunOptions, lies: &[Lie], wanted: &str) -> Result<Vec<Lie>> {
    println!(
        "airlock: looks for a shorter script than these {} lies",
        lies.len()
    );
    let short = shrink(lies, PATIENCE, |some| {
        let dressed = dress(options, &Script::Lies(some.to_vec()));
        let session = run::silently(&dressed)?;
        Ok(came_to(&session.console, wanted))
    })?;
    println!(
        "airlock: {} lies do it: {}",
        short.len(),
        Script::Lies(short.clone())
    );
    Ok(short)
}

/// Whether the last round ended so.
fn came_to(console: &Transcript, wanted: &str) -> bool {
    rounds(console)
        .last()
        .is_some_and(|round| round.outcome == wanted)
}

/// Writes a script where the next run finds it.
fn keep(options: &RunOptions, lies: &[Lie]) -> Result<PathBuf> {
    let folder = match &options.keep_logs {
        Some(folder) => folder.clone(),
        None => Workspace::find()?.out(),
    };
    let path = folder.join("attack.toml");
    std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(&path, write(lies)))
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}
