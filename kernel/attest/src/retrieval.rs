//! The loop that fetches a token piece by piece.

use alloc::vec::Vec;
use core::time::Duration;

use clock::{Clock, Instant};
use ipa::GRANULE_SIZE;
use rsi::{Conduit, Granule, Rsi, TokenProgress};
use zeroize::Zeroizing;

use crate::token::{Challenge, LONGEST_TOKEN, Token, TokenError};

/// How much patience a token may cost.
///
/// The RMM signs in pieces and lets the host in between them, so a call that brings nothing is normal;
/// a host that never lets it finish must not keep us for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The most calls, with or without bytes.
    pub calls: u32,
    /// The longest time.
    pub time: Duration,
}

impl Default for Budget {
    /// Enough for the longest token in pieces of a byte each, and for ten seconds.
    fn default() -> Self {
        Self {
            calls: 1 << 17,
            time: Duration::from_secs(10),
        }
    }
}

/// Has the RMM make a token over `challenge`, and fetches all of it through `granule`.
///
/// The token of a virtual CPU is begun and fetched on that CPU: the caller must not move in between.
/// Whatever comes of it, `granule` is clear afterwards.
///
/// # Errors
/// Each way in which there can be no token; see [`TokenError`].
///
/// Ref: DEN0137 1.0-rel0, A7.2 "Realm attestation".
pub fn retrieve<C: Conduit>(
    rsi: &Rsi<C>,
    granule: &mut dyn Granule,
    challenge: &Challenge,
    budget: Budget,
    clock: &dyn Clock,
) -> Result<Token, TokenError> {
    let fetched = begin(rsi, challenge).and_then(|limit| {
        let fetch = Fetch {
            bytes: Zeroizing::new(Vec::with_capacity(limit)),
            limit,
            calls: 0,
            begun: clock.now(),
        };
        fetch.all(rsi, granule, budget, clock)
    });
    granule.clear();
    fetched
}

/// Begins a token and says how many bytes it has at most.
fn begin<C: Conduit>(rsi: &Rsi<C>, challenge: &Challenge) -> Result<usize, TokenError> {
    let bytes = rsi.attestation_token_init(challenge.as_bytes())?;
    usize::try_from(bytes)
        .ok()
        .filter(|bytes| *bytes <= LONGEST_TOKEN)
        .ok_or(TokenError::TooLong {
            bytes,
            limit: LONGEST_TOKEN as u64,
        })
}

/// A token that is being fetched. Its room was taken at once, so that no copy stays where it grew.
struct Fetch {
    bytes: Zeroizing<Vec<u8>>,
    limit: usize,
    calls: u32,
    begun: Instant,
}

impl Fetch {
    fn all<C: Conduit>(
        mut self,
        rsi: &Rsi<C>,
        granule: &mut dyn Granule,
        budget: Budget,
        clock: &dyn Clock,
    ) -> Result<Token, TokenError> {
        let page = usize::try_from(GRANULE_SIZE).unwrap_or(usize::MAX);
        let mut offset = 0;
        loop {
            self.spend(budget, clock)?;
            let progress =
                rsi.attestation_token_continue(granule.address(), offset, page - offset)?;
            let (TokenProgress::Incomplete(count) | TokenProgress::Complete(count)) = progress;
            self.take(granule, offset, count)?;
            if matches!(progress, TokenProgress::Complete(_)) {
                return self.finish();
            }
            offset = (offset + count) % page;
        }
    }

    /// Counts a call, if there is budget for it.
    fn spend(&mut self, budget: Budget, clock: &dyn Clock) -> Result<(), TokenError> {
        let elapsed = clock.now().since(self.begun);
        if self.calls >= budget.calls || elapsed > budget.time {
            return Err(TokenError::Budget {
                calls: self.calls,
                bytes: self.bytes.len(),
                elapsed,
            });
        }
        self.calls += 1;
        Ok(())
    }

    /// Copies `count` bytes, which `rsi` has checked to lie in the granule, to the end of the token.
    fn take(
        &mut self,
        granule: &dyn Granule,
        offset: usize,
        count: usize,
    ) -> Result<(), TokenError> {
        let old = self.bytes.len();
        let new = old.saturating_add(count);
        if new > self.limit {
            return Err(TokenError::TooLong {
                bytes: new as u64,
                limit: self.limit as u64,
            });
        }
        self.bytes.resize(new, 0);
        let piece = granule.take_answer(offset, self.bytes.get_mut(old..).unwrap_or_default());
        piece.opaque("whoever verifies the token");
        Ok(())
    }

    fn finish(self) -> Result<Token, TokenError> {
        if self.bytes.is_empty() {
            return Err(TokenError::Empty);
        }
        Ok(Token::new(self.bytes))
    }
}
