//! One run: a guest, its peer, and what the plugin counted.

use std::path::Path;
use std::time::Duration;

use airlock_cli::console::Transcript;
use airlock_cli::options::Mode;
use airlock_cli::qemu::{self, End};
use anyhow::{Context, Result, bail, ensure};

use crate::guest::{Guest, Parts, Setting};
use tcg::counts::Record;
use tcg::plugin::Plugin;
use workload::phase::Phase;

/// How much is counted; the more, the slower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// The time of each phase, at full speed.
    Time,
    /// Instructions.
    Instructions,
    /// Instructions, and each access to memory.
    Memory,
    /// Instructions of one phase, by function.
    Functions(Phase),
}

impl Depth {
    fn options(self) -> String {
        match self {
            Self::Time => "counts=off".to_owned(),
            Self::Instructions => "mem=off".to_owned(),
            Self::Memory => "mem=on".to_owned(),
            Self::Functions(phase) => format!("profile={}", phase.number()),
        }
    }
}

/// Where the monitor's code lies: its instructions are counted apart.
const MONITOR: &str = "split=0x40000000-0x44000000";

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was counted.
    pub record: Record,
    /// What the guest said.
    pub console: Transcript,
}

/// Runs `guest` once.
///
/// # Errors
/// It does not end well, or the comparison would be none: a bounced guest that bounced nothing.
pub fn run(
    guest: Guest,
    parts: &Parts,
    setting: &Setting,
    plugin: &Plugin,
    depth: Depth,
    limit: Duration,
) -> Result<Outcome> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("counts");
    let mut arguments = guest.arguments(parts, setting);
    arguments.push("-plugin".into());
    arguments.push(plugin.option(&options(guest, setting, depth), &out).into());
    let session = qemu::run(&parts.qemu, &arguments, limit, |_, line| {
        if setting.console {
            eprintln!("{line}");
        }
    })?;
    let console = session.console;
    match session.end {
        End::PoweredOff(status) if status.success() => {}
        End::Interrupted => bail!("interrupted"),
        End::PoweredOff(_) => bail!("QEMU failed: {}", session.complaints.join("; ")),
        End::TimedOut | End::Stopped => bail!(
            "{} was not done after {} s; its last line: {}",
            guest.name(),
            limit.as_secs(),
            console.last_words()
        ),
    }
    ended_well(guest, &console)?;
    guarded(guest, &console)?;
    Ok(Outcome {
        record: read(&out)?,
        console,
    })
}

/// The command line of QEMU, without the plugin, for people.
#[must_use]
pub fn command(guest: Guest, parts: &Parts, setting: &Setting) -> String {
    qemu::shell_line(&parts.qemu, &guest.arguments(parts, setting))
}

fn options(guest: Guest, setting: &Setting, depth: Depth) -> String {
    let mut options = depth.options();
    if guest.mode() == Mode::Realm {
        options.push(',');
        options.push_str(MONITOR);
    }
    match &setting.window {
        Some(window) if depth == Depth::Memory => {
            format!("{options},window={:#x}-{:#x}", window.start, window.end)
        }
        _ => options,
    }
}

fn read(out: &Path) -> Result<Record> {
    let text = std::fs::read_to_string(out).context("the plugin wrote no counts")?;
    Record::parse(&text)
}

/// Whether the guest did all of its work, and as it was told to.
fn ended_well(guest: Guest, console: &Transcript) -> Result<()> {
    if guest.is_linux() {
        ensure!(
            console.find("guest: bench ok").is_some(),
            "{}: {}",
            guest.name(),
            console
                .find("guest: bench failed")
                .unwrap_or(console.last_words())
        );
        return bounced_as_told(guest, console);
    }
    match console.payload_verdict() {
        Some(Ok(())) => Ok(()),
        Some(Err(reason)) => bail!("{}: {reason}", guest.name()),
        None => bail!("{} gave no verdict: {}", guest.name(), console.last_words()),
    }
}

/// A realm that breaks a rule is no realm, and its figures are none.
fn guarded(guest: Guest, console: &Transcript) -> Result<()> {
    if guest.mode() == Mode::Realm {
        let report = console.report().context("the monitor gave no report")?;
        ensure!(
            report.violations.is_empty(),
            "{} broke rules: {}",
            guest.name(),
            report.violations.join("; ")
        );
    }
    Ok(())
}

/// `swiotlb=force` bounces nothing where a device does not ask the platform for addresses. A comparison
/// with such a run would be none.
fn bounced_as_told(guest: Guest, console: &Transcript) -> Result<()> {
    let slots = console
        .find("guest: bounced slots ")
        .and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .context("Linux did not say how many slots it bounced")?;
    match (guest.is_bounced(), slots) {
        (true, 0) => bail!("Linux was told to bounce, and bounced nothing: no comparison"),
        (false, 1..) => bail!("Linux was not to bounce, and used {slots} slots: no comparison"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(lines: &[&str]) -> Transcript {
        let mut transcript = Transcript::default();
        lines.iter().for_each(|line| transcript.push(line));
        transcript
    }

    #[test]
    fn figures_of_a_realm_that_broke_a_rule_are_refused() {
        let good = said(&[r#"report: {"violations":[]}"#]);
        let bad = said(&[r#"report: {"violations":["a device read a private page"]}"#]);
        assert!(guarded(Guest::AirlockRealm, &good).is_ok());
        assert!(guarded(Guest::AirlockRealm, &bad).is_err());
        assert!(guarded(Guest::LinuxRealm, &said(&[])).is_err());
        assert!(guarded(Guest::Airlock, &said(&[])).is_ok());
    }

    #[test]
    fn a_comparison_in_which_nothing_bounced_is_refused() {
        let dry = said(&["guest: bench ok", "guest: bounced slots 0"]);
        let wet = said(&["guest: bench ok", "guest: bounced slots 4096"]);
        assert!(ended_well(Guest::LinuxBounced, &dry).is_err());
        assert!(ended_well(Guest::LinuxBounced, &wet).is_ok());
        assert!(ended_well(Guest::LinuxRealm, &dry).is_err());
        assert!(ended_well(Guest::Linux, &dry).is_ok());
        assert!(ended_well(Guest::Linux, &wet).is_err());
        assert!(ended_well(Guest::LinuxBounced, &said(&["guest: bench ok"])).is_err());
    }
}
