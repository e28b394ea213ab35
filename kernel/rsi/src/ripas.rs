//! The state of pages: whose they are.

use core::fmt;

use ipa::GranuleRange;

use crate::conduit;
use crate::stepwise::{ACCEPT, INSIDE, REJECT, stepwise};
use crate::{Call, Conduit, Error, Rsi};

/// Realm IPA state (RIPAS): what the realm says about a page of the protected half.
///
/// Ref: DEN0137 1.0-rel0, A5.2.2 "Realm IPA state".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ripas {
    /// Not the realm's: private accesses fault, and the shared alias may be used.
    Empty,
    /// The realm's own memory.
    Ram,
    /// The host took it away. An access to it never returns.
    Destroyed,
    /// An assigned device; RSI 1.1 and later.
    Device,
    /// A number that we know nothing about.
    Unknown(u64),
}

impl Ripas {
    const fn from_code(code: u64) -> Self {
        match code {
            0 => Self::Empty,
            1 => Self::Ram,
            2 => Self::Destroyed,
            3 => Self::Device,
            other => Self::Unknown(other),
        }
    }
}

impl fmt::Display for Ripas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("empty"),
            Self::Ram => f.write_str("ram"),
            Self::Destroyed => f.write_str("destroyed"),
            Self::Device => f.write_str("device"),
            Self::Unknown(code) => write!(f, "unknown state {code}"),
        }
    }
}

/// What a change does where the host destroyed the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetFlags {
    /// Stops there. For memory whose content counts.
    NoChangeDestroyed,
    /// Goes on, with a new page. For memory whose content is to be lost anyway.
    ChangeDestroyed,
}

/// The two states that a realm can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Empty = 0,
    Ram = 1,
}

impl<C: Conduit> Rsi<C> {
    /// Makes every granule in `range` RAM. What was RAM before keeps its content; the content of
    /// the rest is undefined.
    ///
    /// # Errors
    ///
    /// [`Error::Call`], [`Error::Rejected`], [`Error::NoProgress`], [`Error::Misplaced`],
    /// [`Error::UnknownResponse`]. Granules before the address in the error have changed.
    pub fn set_ram(&self, range: GranuleRange, flags: SetFlags) -> Result<(), Error> {
        self.ipa_state_set(range, Target::Ram, flags)
    }

    /// Makes every granule in `range` empty: its content is lost, and its alias may be shared. The
    /// caller has unmapped it from both halves.
    ///
    /// # Errors
    ///
    /// As for [`Self::set_ram`].
    pub fn set_empty(&self, range: GranuleRange, flags: SetFlags) -> Result<(), Error> {
        self.ipa_state_set(range, Target::Empty, flags)
    }

    /// Changes the state of every granule in `range`.
    ///
    /// Ref: DEN0137 1.0-rel0, B5.3.6 `RSI_IPA_STATE_SET` and A5.4 "RIPAS change".
    fn ipa_state_set(&self, range: GranuleRange, to: Target, flags: SetFlags) -> Result<(), Error> {
        stepwise(range, |rest| self.ipa_state_set_once(rest, to, flags))
    }

    /// Makes one call; says what is left to do.
    fn ipa_state_set_once(
        &self,
        rest: GranuleRange,
        to: Target,
        flags: SetFlags,
    ) -> Result<Option<GranuleRange>, Error> {
        let at = rest.base().get();
        let flags = u64::from(flags == SetFlags::ChangeDestroyed);
        let operands = [at, rest.top(), to as u64, flags];
        let results = self.succeed(Call::IpaStateSet, &operands)?;
        let claimed = conduit::answer(&results, 1).any_value(INSIDE);
        let left = if claimed == rest.top() {
            None
        } else {
            let left = rest.part(claimed, rest.top());
            Some(left.ok_or(Error::Misplaced { at, claimed })?)
        };
        let response = conduit::answer(&results, 2);
        match (response.any_value("accepted, rejected, or an error"), left) {
            (ACCEPT, left) => Ok(left),
            (REJECT, _) => Err(Error::Rejected { at: claimed }),
            (response, _) => Err(Error::UnknownResponse { at, response }),
        }
    }

    /// The states of the granules in `range`, run by run. Neighbouring runs may have the same
    /// state: the RMM may stop where nothing changes. After an error there is nothing more.
    pub const fn ipa_states(&self, range: GranuleRange) -> States<'_, C> {
        States {
            rsi: self,
            rest: Some(range),
        }
    }

    /// Asks for the state at the base of `range`; the answer holds for the run it comes with.
    ///
    /// # Errors
    ///
    /// [`Error::Call`], [`Error::Misplaced`].
    ///
    /// Ref: DEN0137 1.0-rel0, B5.3.5 `RSI_IPA_STATE_GET`.
    pub fn ipa_state_get(&self, range: GranuleRange) -> Result<(GranuleRange, Ripas), Error> {
        let at = range.base().get();
        let results = self.succeed(Call::IpaStateGet, &[at, range.top()])?;
        let claimed = conduit::answer(&results, 1).any_value(INSIDE);
        let run = range
            .part(at, claimed)
            .ok_or(Error::Misplaced { at, claimed })?;
        let state = conduit::answer(&results, 2).map(Ripas::from_code);
        Ok((run, state.any_value("each has a name, or is kept as it is")))
    }
}

/// The states of a range, run by run. Made by [`Rsi::ipa_states`].
#[derive(Debug)]
pub struct States<'a, C> {
    rsi: &'a Rsi<C>,
    rest: Option<GranuleRange>,
}

impl<C: Conduit> Iterator for States<'_, C> {
    type Item = Result<(GranuleRange, Ripas), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let range = self.rest.take()?;
        let answer = self.rsi.ipa_state_get(range);
        if let Ok((run, _)) = answer {
            self.rest = range.part(run.top(), range.top());
        }
        Some(answer)
    }
}
