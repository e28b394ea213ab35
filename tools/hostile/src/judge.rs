//! What came of a run, by a judge who does not believe the payload.

use core::fmt;

use crate::plan;

/// Disks of a machine, at most.
const MOST_DISKS: u8 = 8;

/// How a run ended. The last four must never be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The payload is done, and what it accepted is what honest devices hold.
    Ok,
    /// The payload, or boot, says what went wrong.
    Error,
    /// The machine stopped for a reason that it names: a fault that a lie of the RMM made.
    Stop,
    /// Private bytes were seen in a shared page.
    Leak,
    /// No verdict within the budget.
    Hang,
    /// Something was accepted that no honest device holds.
    Corruption,
    /// A rule of realms was broken, something panicked, or it ended without a word.
    Violation,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Ok,
        Self::Error,
        Self::Stop,
        Self::Leak,
        Self::Hang,
        Self::Corruption,
        Self::Violation,
    ];

    /// Whether this must never be.
    #[must_use]
    pub const fn is_bad(self) -> bool {
        matches!(
            self,
            Self::Leak | Self::Hang | Self::Corruption | Self::Violation
        )
    }

    /// What it is called in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Stop => "stop",
            Self::Leak => "leak",
            Self::Hang => "hang",
            Self::Corruption => "corruption",
            Self::Violation => "violation",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What else is no broken promise, because of what was said to the guest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Excuses {
    /// A fault, in words: the RMM did not do what it said, or there is no device where the host says.
    pub fault: bool,
    /// No last word: the RMM lied, or the device tree, by which a guest finds its console.
    pub silence: bool,
}

/// What the payload said last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Verdict {
    #[default]
    Nothing,
    Ok,
    Failed,
    Panic,
    Fault,
}

/// Reads what the guest prints.
#[derive(Clone, Debug, Default)]
pub struct Judge {
    verdict: Verdict,
    corrupt: bool,
}

impl Judge {
    /// Takes a line of the guest.
    pub fn line(&mut self, line: &str) {
        if let Some(said) = line.strip_prefix("payload: ") {
            self.verdict = match said.strip_prefix("failed: ") {
                None if said == "ok" => Verdict::Ok,
                Some(why) if why.starts_with("panic") => Verdict::Panic,
                Some(why) if why.starts_with("fault") => Verdict::Fault,
                // An end of which nobody says why.
                Some(why) if !why.contains(char::is_alphabetic) => Verdict::Nothing,
                Some(_) => Verdict::Failed,
                None => self.verdict,
            };
        } else if let Some(said) = line.strip_prefix("victim: ") {
            self.corrupt |= !is_honest(said).unwrap_or(true);
        }
    }

    /// Whether there is a verdict.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.verdict != Verdict::Nothing
    }

    /// The outcome by what was printed alone.
    #[must_use]
    pub fn outcome(&self, excuses: Excuses) -> Outcome {
        match self.verdict {
            _ if self.corrupt => Outcome::Corruption,
            Verdict::Ok => Outcome::Ok,
            Verdict::Failed => Outcome::Error,
            Verdict::Fault if excuses.fault => Outcome::Stop,
            Verdict::Nothing if excuses.silence => Outcome::Stop,
            Verdict::Panic | Verdict::Fault | Verdict::Nothing => Outcome::Violation,
        }
    }
}

/// Whether `DEVICE accepted=BITS digest=D` is what honest devices give; `None` if it is something else.
fn is_honest(said: &str) -> Option<bool> {
    let (device, rest) = said.split_once(" accepted=")?;
    let (accepted, digest) = rest.split_once(" digest=")?;
    let accepted = u64::from_str_radix(accepted, 16).ok()?;
    let digest = u64::from_str_radix(digest, 16).ok()?;
    if device == "port" {
        return Some(plan::digest(accepted, plan::record).0 == digest);
    }
    if !device.starts_with("disk") {
        return Some(plan::digest(accepted, plan::datagram).0 == digest);
    }
    // Which of the disks it is depends on how many were refused before it.
    let holds = |disk| plan::digest(accepted, |step| plan::bytes(disk, step)).0 == digest;
    Some((0..MOST_DISKS).any(holds))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::format;

    use super::*;

    fn judge(lines: &[&str]) -> Outcome {
        let mut judge = Judge::default();
        lines.iter().for_each(|line| judge.line(line));
        judge.outcome(Excuses::default())
    }

    #[test]
    fn what_was_accepted_has_to_be_what_honest_devices_hold() {
        let digest = plan::digest(0b101, |step| plan::bytes(1, step)).0;
        let good = format!("victim: disk1 accepted=5 digest={digest:x}");
        assert_eq!(judge(&[&good, "payload: ok"]), Outcome::Ok);
        let bad = format!("victim: disk1 accepted=7 digest={digest:x}");
        assert_eq!(judge(&[&bad, "payload: ok"]), Outcome::Corruption);
        assert_eq!(judge(&[&bad, "payload: failed: x"]), Outcome::Corruption);
        let digest = plan::digest(0b10, plan::record).0;
        let port = format!("victim: port accepted=2 digest={digest:x}");
        assert_eq!(judge(&[&port, "payload: ok"]), Outcome::Ok);
        let bad = format!("victim: port accepted=3 digest={digest:x}");
        assert_eq!(judge(&[&bad, "payload: ok"]), Outcome::Corruption);
    }

    #[test]
    fn an_end_without_a_reason_is_no_good_end() {
        assert_eq!(judge(&[]), Outcome::Violation);
        assert_eq!(
            judge(&["payload: failed: panic at a.rs:1: x"]),
            Outcome::Violation
        );
        assert_eq!(judge(&["payload: failed: fault: x"]), Outcome::Violation);
        assert_eq!(judge(&["payload: failed: "]), Outcome::Violation);
        assert_eq!(judge(&["payload: failed: (1)"]), Outcome::Violation);
        assert_eq!(judge(&["payload: failed: no disk"]), Outcome::Error);
    }

    #[test]
    fn a_lie_excuses_what_it_can_bring_about_and_no_panic() {
        let judge = |line: &str, excuses| {
            let mut judge = Judge::default();
            judge.line(line);
            judge.outcome(excuses)
        };
        let fault = Excuses {
            fault: true,
            ..Excuses::default()
        };
        let silence = Excuses {
            silence: true,
            ..Excuses::default()
        };
        assert_eq!(judge("payload: failed: fault: x", fault), Outcome::Stop);
        assert_eq!(
            judge("payload: failed: fault: x", silence),
            Outcome::Violation
        );
        assert_eq!(judge("", silence), Outcome::Stop);
        assert_eq!(judge("", fault), Outcome::Violation);
        let panic = "payload: failed: panic at a.rs:1: x";
        assert_eq!(judge(panic, fault), Outcome::Violation);
    }
}
