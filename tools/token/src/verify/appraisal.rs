//! The outcome: a verdict for each check.

use core::fmt;

use crate::Lifecycle;

/// One check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// The platform token is signed by an endorsed key.
    PlatformSignature,
    /// The platform is in an allowed state.
    Lifecycle,
    /// The platform vouches for the realm's key.
    Binding,
    /// The realm token is signed by the realm's key.
    RealmSignature,
    /// The token answers the challenge.
    Challenge,
    /// The initial measurement is known.
    Rim,
    /// An extensible measurement, 1 to 4, is as demanded.
    Rem(u8),
    /// REM 3 shows no device but those that may be trusted.
    Devices,
    /// The personalization value is as demanded.
    Personalization,
}

/// Why a check failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No key is endorsed for this platform.
    PlatformNotEndorsed,
    /// None of the keys endorsed for this platform made the signature.
    PlatformSignature,
    /// The platform is in a state that the policy does not allow.
    Lifecycle {
        /// What the token says.
        lifecycle: Lifecycle,
    },
    /// The hash that binds the realm's key is none that is known.
    BindingAlgorithm,
    /// The platform token vouches for another realm key.
    Binding,
    /// The realm's key is not a point on its curve.
    RealmKey,
    /// The realm's key did not make the signature.
    RealmSignature,
    /// The token answers another challenge.
    Challenge,
    /// The initial measurement is not a reference value.
    Rim,
    /// An extensible measurement differs from the policy.
    Rem {
        /// Which: 1 to 4.
        index: u8,
    },
    /// REM 3 shows that the realm trusts a device which the policy does not know.
    Devices,
    /// The personalization value differs from the policy.
    Personalization,
}

/// The outcome of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Passed,
    /// It does not.
    Failed(Reason),
    /// The policy does not ask.
    NotAsked,
}

const CHECKS: usize = 12;

/// The outcome: a verdict for each check, in order. Displays every reason to refuse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Appraisal {
    verdicts: [Option<(Check, Verdict)>; CHECKS],
}

impl Appraisal {
    /// The verdicts, in the order of the checks.
    pub fn verdicts(&self) -> impl Iterator<Item = (Check, Verdict)> {
        self.verdicts.iter().flatten().copied()
    }

    /// Why each check failed that did.
    pub fn failures(&self) -> impl Iterator<Item = Reason> {
        self.verdicts().filter_map(|(_, verdict)| match verdict {
            Verdict::Failed(reason) => Some(reason),
            Verdict::Passed | Verdict::NotAsked => None,
        })
    }

    /// Why the token is refused: the first check that failed. `None`: it is accepted.
    pub fn refusal(&self) -> Option<Reason> {
        self.failures().next()
    }

    pub(super) fn record(&mut self, check: Check, outcome: Result<(), Reason>) {
        let verdict = outcome.map_or_else(Verdict::Failed, |()| Verdict::Passed);
        self.push(check, verdict);
    }

    /// Records a check that only some policies ask for.
    pub(super) fn ask(&mut self, check: Check, holds: Option<bool>, reason: Reason) {
        self.push(
            check,
            match holds {
                None => Verdict::NotAsked,
                Some(true) => Verdict::Passed,
                Some(false) => Verdict::Failed(reason),
            },
        );
    }

    fn push(&mut self, check: Check, verdict: Verdict) {
        let free = self.verdicts.iter_mut().find(|slot| slot.is_none());
        *free.expect("there is room for each check") = Some((check, verdict));
    }
}

impl fmt::Display for Appraisal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.refusal().is_none() {
            return f.write_str("accepted");
        }
        for (at, reason) in self.failures().enumerate() {
            let separator = if at > 0 { "; " } else { "" };
            write!(f, "{separator}{reason}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PlatformSignature => f.write_str("platform signature"),
            Self::Lifecycle => f.write_str("lifecycle"),
            Self::Binding => f.write_str("binding"),
            Self::RealmSignature => f.write_str("realm signature"),
            Self::Challenge => f.write_str("challenge"),
            Self::Rim => f.write_str("RIM"),
            Self::Rem(index) => write!(f, "REM {index}"),
            Self::Devices => f.write_str("trusted devices"),
            Self::Personalization => f.write_str("personalization value"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PlatformNotEndorsed => f.write_str("no key is endorsed for this platform"),
            Self::PlatformSignature => {
                f.write_str("the platform token is not signed by an endorsed key")
            }
            Self::Lifecycle { lifecycle } => {
                write!(f, "the platform's lifecycle {lifecycle} is not allowed")
            }
            Self::BindingAlgorithm => f.write_str("the hash of the realm key is of unknown kind"),
            Self::Binding => f.write_str("the platform token vouches for another realm key"),
            Self::RealmKey => f.write_str("the realm key is not on its curve"),
            Self::RealmSignature => f.write_str("the realm token is not signed by the realm key"),
            Self::Challenge => f.write_str("the token answers another challenge"),
            Self::Rim => f.write_str("the RIM is not a reference value"),
            Self::Rem { index } => write!(f, "REM {index} is not what the policy demands"),
            Self::Devices => f.write_str(
                "REM 3 shows that the realm trusts a device which the policy does not know",
            ),
            Self::Personalization => {
                f.write_str("the personalization value is not what the policy demands")
            }
        }
    }
}

impl core::error::Error for Reason {}
