//! How a run ended, as a word and as an exit status.

use crate::console::Transcript;
use crate::report::Report;
use std::fmt;

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The payload said `payload: ok`, and the monitor saw no violation.
    Ok,
    /// The payload said `payload: failed: …`.
    PayloadFailed(String),
    /// The monitor saw rules broken.
    Violations(Vec<String>),
    /// The time limit passed; QEMU was ended.
    TimedOut,
    /// The machine stopped without a verdict of the payload.
    NoVerdict(String),
    /// The payload said ok, and the host's own check found otherwise.
    HostCheckFailed(String),
    /// The realm ended, and the monitor gave no report.
    NoReport,
    /// An attack leaked, hung, corrupted or broke a rule.
    Attacked(String),
    /// The arguments do not go together, or ask for what is not possible.
    WrongArguments,
    /// Something that the run needs is not there.
    SetUp,
    /// The user ended it.
    Interrupted,
}

/// The exit statuses, for `--help`.
pub const EXIT_CODES: &str = "\
Exit status:
  0    payload: ok, no violations, host checks passed
  1    payload: failed
  2    wrong arguments
  3    the monitor reported violations
  4    the time limit passed
  5    the machine stopped without a verdict of the payload
  6    something that is needed is not there (QEMU, disk, port, build)
  7    the payload said ok, and the host's own check found otherwise
  8    the realm ended without the monitor's report
  9    an attack did what must not be possible
  130  interrupted";

/// Arguments that are well formed each, and wrong together or for this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongArguments(pub String);

impl fmt::Display for WrongArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WrongArguments {}

impl Verdict {
    /// The exit status, as [`EXIT_CODES`] lists it.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::PayloadFailed(_) => 1,
            Self::WrongArguments => 2,
            Self::Violations(_) => 3,
            Self::TimedOut => 4,
            Self::NoVerdict(_) => 5,
            Self::SetUp => 6,
            Self::HostCheckFailed(_) => 7,
            Self::NoReport => 8,
            Self::Attacked(_) => 9,
            Self::Interrupted => 130,
        }
    }

    /// Judges a machine that we had to end.
    #[must_use]
    pub fn of_late(transcript: &Transcript, report: Option<&Report>) -> Self {
        Self::violations(transcript, report).unwrap_or(Self::TimedOut)
    }

    fn violations(transcript: &Transcript, report: Option<&Report>) -> Option<Self> {
        let list = match report {
            Some(report) => report.violations.clone(),
            None => transcript.violations(),
        };
        (!list.is_empty()).then_some(Self::Violations(list))
    }

    /// Judges a machine that powered off by itself. The gravest finding wins.
    #[must_use]
    pub fn of(transcript: &Transcript, report: Option<&Report>, monitored: bool) -> Self {
        if let Some(violations) = Self::violations(transcript, report) {
            return violations;
        }
        match transcript.payload_verdict() {
            Some(Ok(())) if monitored && report.is_none() => Self::NoReport,
            Some(Ok(())) => Self::Ok,
            Some(Err(reason)) => Self::PayloadFailed(reason.to_owned()),
            None => Self::NoVerdict(transcript.last_words().to_owned()),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => write!(f, "ok"),
            Self::PayloadFailed(reason) => write!(f, "payload failed: {reason}"),
            Self::Violations(list) => write!(f, "{} violations: {}", list.len(), list.join("; ")),
            Self::TimedOut => write!(f, "time limit passed, QEMU was ended; --timeout sets it"),
            Self::NoVerdict(last) => {
                write!(
                    f,
                    "the machine stopped without a verdict; its last line: {last}"
                )
            }
            Self::HostCheckFailed(what) => write!(f, "the host's check failed: {what}"),
            Self::Attacked(what) => write!(f, "the attack did what must not be possible: {what}"),
            Self::NoReport => write!(f, "the monitor gave no report"),
            Self::WrongArguments => write!(f, "wrong arguments"),
            Self::SetUp => write!(f, "set-up failed: QEMU ended with an error"),
            Self::Interrupted => write!(f, "interrupted"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transcript(lines: &[&str]) -> Transcript {
        let mut transcript = Transcript::default();
        for line in lines {
            transcript.push(line);
        }
        transcript
    }

    #[test]
    fn ok_needs_a_report_when_a_monitor_runs() {
        let said = transcript(&["payload: ok"]);
        assert_eq!(Verdict::of(&said, None, true), Verdict::NoReport);
        assert_eq!(Verdict::of(&said, None, false), Verdict::Ok);
        assert_eq!(
            Verdict::of(&said, Some(&Report::default()), true),
            Verdict::Ok
        );
    }

    #[test]
    fn a_violation_outweighs_what_the_payload_says() {
        let report = Report {
            violations: vec!["device 8 read a private page".into()],
            ..Report::default()
        };
        let verdict = Verdict::of(&transcript(&["payload: ok"]), Some(&report), true);
        assert_eq!(verdict.exit_code(), 3);
    }

    #[test]
    fn a_violation_that_was_told_counts_when_no_report_came() {
        let said = transcript(&["monitor: violation: touched a private register"]);
        assert_eq!(Verdict::of_late(&said, None).exit_code(), 3);
        assert_eq!(Verdict::of(&said, None, true).exit_code(), 3);
        assert_eq!(
            Verdict::of_late(&transcript(&["payload: ok"]), None),
            Verdict::TimedOut
        );
    }

    #[test]
    fn the_last_verdict_line_counts() {
        let said = transcript(&["payload: ok", "payload: failed: disk gone"]);
        assert_eq!(
            Verdict::of(&said, None, false),
            Verdict::PayloadFailed("disk gone".into())
        );
    }

    #[test]
    fn silence_is_not_ok() {
        let verdict = Verdict::of(&transcript(&["boot: no console", ""]), None, false);
        assert_eq!(verdict, Verdict::NoVerdict("boot: no console".into()));
    }
}
