//! The machine that measures: what it is, and whether it has time.

use std::path::Path;
use std::process::Command;

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

impl Host {
    /// Looks at this machine.
    ///
    /// # Errors
    /// It is busy, and nobody said `FORCE=1`.
    pub fn look(qemu: &Path) -> Result<Self> {
        let forced = std::env::var("FORCE").is_ok_and(|value| value == "1");
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load_of(&load);
        let busy = is_busy(load, cpus);
        ensure!(
            !busy || forced,
            "this host is busy (load {load} on {cpus} processors), so wall times would mean nothing; \
             wait a minute, or FORCE=1"
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
