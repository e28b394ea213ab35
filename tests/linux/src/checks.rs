//! What the guest has to say, in its own words, and what the monitor must not.

use std::fmt;

use airlock_cli::qemu::{End, Session};
use airlock_cli::report::total;
use anyhow::{Context, Result, bail, ensure};

/// Digests that the guest has to find.
pub struct Expected {
    /// Of the download.
    pub download: String,
    /// Of the disk.
    pub disk: String,
}

/// Lines of Linux itself: it saw that it is a realm, and bounces what devices get.
const LINUX: [&str; 2] = [
    "RME: Using RSI version 1.0",
    "Memory encryption is active and system is using DMA bounce buffers",
];

/// Checks a run that has to be good in every respect.
///
/// # Errors
/// The first thing that is not.
pub fn passes(session: &Session, expected: &Expected) -> Result<()> {
    let report = session.console.report();
    let violations = match &report {
        Some(report) => report.violations.clone(),
        None => session.console.violations(),
    };
    ensure!(
        violations.is_empty(),
        "violations: {}",
        violations.join("; ")
    );
    match &session.end {
        End::PoweredOff(_) => {}
        End::Stopped | End::TimedOut if ran_dry(session) => bail!(RAN_DRY),
        End::Stopped | End::TimedOut => bail!(
            "the time limit passed; last line: {}",
            session.console.last_words()
        ),
        End::Interrupted => bail!("interrupted"),
    }
    for line in LINUX {
        says(session, line)?;
    }
    says(session, "guest: lease 10.0.2.15")?;
    says(session, &format!("guest: download {}", expected.download))?;
    says(session, &format!("guest: disk {}", expected.disk))?;
    says(session, "guest: done")?;
    let report = report.context("the monitor gave no report")?;
    ensure!(report.shared_pages > 0, "Linux shared no page");
    ensure!(total(&report.smmu_faults) == 0, "the SMMU stopped a device");
    Ok(())
}

/// What a run without `swiotlb=` came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmallPool {
    /// The pool was too small, and the guest waits for ever.
    RanDry,
    /// The pool was large enough.
    WasEnough,
}

impl fmt::Display for SmallPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RanDry => write!(f, "{RAN_DRY}, as expected: Linux hangs where Airlock waits"),
            Self::WasEnough => write!(f, "this kernel gives itself enough"),
        }
    }
}

/// Judges a run without `swiotlb=`: both ends are known, and every other is a failure.
///
/// # Errors
/// It failed for another reason.
pub fn small_pool(session: &Session, expected: &Expected) -> Result<SmallPool> {
    if ran_dry(session) {
        return Ok(SmallPool::RanDry);
    }
    passes(session, expected)?;
    Ok(SmallPool::WasEnough)
}

/// The end of a guest whose kernel gave itself too few bounce buffers, by name.
const RAN_DRY: &str = "the guest's own bounce pool ran dry";

/// Whether a line of the console says that the kernel has no bounce buffer left.
pub fn tells_full_pool(line: &str) -> bool {
    line.contains("swiotlb buffer is full")
}

/// Whether the guest hangs because its pool is used up. A pool that is full for a moment is none: the
/// guest went on.
fn ran_dry(session: &Session) -> bool {
    let powered_off = matches!(session.end, End::PoweredOff(_));
    let full = session.console.lines().iter();
    !powered_off && full.filter(|line| tells_full_pool(line)).count() > 1
}

fn says(session: &Session, text: &str) -> Result<()> {
    let found = session.console.find(text);
    found
        .map(drop)
        .with_context(|| format!("there is no line `{text}`"))
}

/// Checks that the SMMU stopped a device, and that the guest got nothing through.
///
/// # Errors
/// It failed for another reason.
pub fn was_blocked(session: &Session) -> Result<()> {
    let blocked = session.console.violations();
    let blocked = blocked.iter().any(|text| text.contains("blocked from"));
    ensure!(
        blocked,
        "no device was blocked: the run failed for another reason"
    );
    ensure!(
        session.console.find("guest: lease").is_none(),
        "the guest got a lease although its devices were blocked"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;
    use std::time::Duration;

    use airlock_cli::console::Transcript;

    use super::*;

    /// As Debian's 7.3.4 said it.
    const FULL: &str = "[    3.014511] virtio-pci 0000:00:01.0: swiotlb buffer is full (sz: 4096 bytes), total 512 (slots), used 511 (slots)";
    const REPORT: &str = r#"report: {"violations":[],"shared_pages":600}"#;

    fn session(end: End, lines: &[&str]) -> Session {
        let mut console = Transcript::default();
        lines.iter().for_each(|line| console.push(line));
        Session {
            end,
            console,
            complaints: Vec::new(),
            elapsed: Duration::from_secs(1),
        }
    }

    fn expected() -> Expected {
        Expected {
            download: String::from("d1"),
            disk: String::from("d2"),
        }
    }

    fn good_lines() -> Vec<&'static str> {
        let mut lines = LINUX.to_vec();
        lines.extend([
            "guest: lease 10.0.2.15",
            "guest: download d1",
            "guest: disk d2",
            "guest: done",
            REPORT,
        ]);
        lines
    }

    fn off() -> End {
        End::PoweredOff(ExitStatus::from_raw(0))
    }

    #[test]
    fn a_pool_that_ran_dry_is_known_by_name() {
        for end in [End::Stopped, End::TimedOut] {
            let session = session(end, &[LINUX[0], "guest: lease 10.0.2.15", FULL, FULL]);
            let outcome = small_pool(&session, &expected()).unwrap();
            assert_eq!(outcome, SmallPool::RanDry);
            let reason = passes(&session, &expected()).unwrap_err().to_string();
            assert_eq!(reason, RAN_DRY);
        }
    }

    #[test]
    fn a_pool_that_was_full_for_a_moment_is_no_failure() {
        let mut lines = good_lines();
        lines.extend([FULL, FULL]);
        let session = session(off(), &lines);
        assert!(passes(&session, &expected()).is_ok());
        let outcome = small_pool(&session, &expected()).unwrap();
        assert_eq!(outcome, SmallPool::WasEnough);
    }

    #[test]
    fn a_guest_that_hangs_for_another_reason_is_a_failure_of_both_runs() {
        let session = session(End::TimedOut, &[LINUX[0], "guest: lease 10.0.2.15", FULL]);
        let reason = small_pool(&session, &expected()).unwrap_err().to_string();
        assert!(reason.contains("time limit"), "{reason}");
        assert!(passes(&session, &expected()).is_err());
    }

    #[test]
    fn a_digest_of_another_file_is_a_failure() {
        let mut lines = good_lines();
        lines.retain(|line| !line.contains("disk"));
        lines.push("guest: disk d3");
        assert!(passes(&session(off(), &lines), &expected()).is_err());
    }
}
