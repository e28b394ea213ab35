//! The machine that measures: what it is, and whether it has time.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde::Serialize;

/// What a figure depends on, besides the guests.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Host {
    /// Processors.
    pub cpus: usize,
    /// Their model.
    pub model: String,
    /// The host's kernel.
    pub kernel: String,
    /// QEMU's version.
    pub qemu: String,
    /// The compiler.
    pub rustc: String,
    /// The commit that is measured, with `+` if there is more than the commit.
    pub commit: String,
    /// The day.
    pub date: String,
    /// Processes that wanted to run in the minute before.
    pub load: f64,
    /// Whether it was too busy, and was told to measure all the same.
    pub forced: bool,
}

/// Up to this load for each processor, wall times are those of a quiet host.
const QUIET: f64 = 0.25;

/// How often it is looked whether a busy host becomes quiet, and how long between two looks: what was built a moment
/// ago for this very measurement is part of the load for two minutes.
const LOOKS: usize = 24;
const PAUSE: Duration = Duration::from_secs(5);

impl Host {
    /// Looks at this machine. Waits up to two minutes if it is busy.
    ///
    /// # Errors
    /// It stays busy, and nobody said `FORCE=1`.
    pub fn look(qemu: &Path) -> Result<Self> {
        let forced = std::env::var("FORCE").is_ok_and(|value| value == "1");
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let load = || load_of(&std::fs::read_to_string("/proc/loadavg").unwrap_or_default());
        let load = match forced {
            true => load(),
            false => settled(cpus, load, || thread::sleep(PAUSE)),
        };
        let busy = is_busy(load, cpus);
        ensure!(
            !busy || forced,
            "this host is busy (load {load} on {cpus} processors), so wall times would mean nothing; \
             wait until it is quiet, or FORCE=1"
        );
        Ok(Self {
            cpus,
            model: model(&std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default()),
            kernel: said("uname", &["-sr"]),
            qemu: airlock_cli::qemu::version(qemu)?,
            rustc: said("rustc", &["--version"]),
            commit: commit(),
            date: said("date", &["-u", "+%Y-%m-%d"]),
            load,
            forced: busy,
        })
    }
}

/// The load when the host has become quiet, or the last one that was looked at.
fn settled(cpus: usize, mut load: impl FnMut() -> f64, mut pause: impl FnMut()) -> f64 {
    let mut now = load();
    for look in 0..LOOKS {
        if !is_busy(now, cpus) {
            break;
        }
        if look == 0 {
            let most = PAUSE.as_secs() * LOOKS as u64;
            eprintln!("bench: this host is busy (load {now}): waits up to {most} s for quiet");
        }
        pause();
        now = load();
    }
    now
}

fn is_busy(load: f64, cpus: usize) -> bool {
    load > QUIET * crate::figures::as_float(cpus as u64)
}

/// The first number: the load of the last minute.
fn load_of(text: &str) -> f64 {
    let first = text.split(' ').next().and_then(|word| word.parse().ok());
    first.unwrap_or(0.0)
}

fn model(cpuinfo: &str) -> String {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"));
    let name = line.and_then(|line| line.split_once(": "));
    name.map_or("unknown", |(_, name)| name).to_owned()
}

fn commit() -> String {
    let commit = said("git", &["rev-parse", "--short", "HEAD"]);
    match said("git", &["status", "--porcelain", "--untracked-files=no"]).as_str() {
        "" => commit,
        _ => format!("{commit}+"),
    }
}

/// The first line that a program says; nothing if it cannot.
fn said(program: &str, words: &[&str]) -> String {
    let output = Command::new(program).args(words).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.unwrap_or_default()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_just_built_is_waited_for_and_somebody_elses_work_is_not() {
        let mut loads = [1.2, 0.9, 0.4, 9.0].into_iter();
        let mut pauses = 0;
        let load = settled(2, || loads.next().unwrap(), || pauses += 1);
        assert_eq!((load, pauses), (0.4, 2));
        let mut pauses = 0;
        assert_eq!(settled(2, || 3.0, || pauses += 1), 3.0);
        assert_eq!(pauses, LOOKS);
    }

    #[test]
    fn a_busy_host_is_known_by_its_load() {
        assert!(is_busy(load_of("1.20 0.50 0.10 1/100 5"), 2));
        assert!(!is_busy(load_of("0.30 0.50 0.10 1/100 5"), 2));
        assert!(!is_busy(load_of(""), 1));
    }

    #[test]
    fn the_model_is_read_from_what_the_kernel_says() {
        let text = "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nflags: x\n";
        assert_eq!(model(text), "Some CPU @ 2 GHz");
        assert_eq!(model(""), "unknown");
    }
}
