//! What the guest has to say, in its own words, and what the monitor must not.

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
        End::TimedOut => bail!(
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
