//! The attestation token: its two calls. The loop around them, with its budgets, is the caller's.

use ipa::{GRANULE_SIZE, ProtectedIpa};

use crate::conduit;
use crate::measurement::pack;
use crate::{Call, Conduit, Error, Rsi, Status};

/// Bytes of a challenge.
pub const CHALLENGE_SIZE: usize = 64;

/// How far a token has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenProgress {
    /// These many bytes were written, and more will come: call again, at the next byte. 0 is
    /// normal: the RMM was interrupted.
    Incomplete(usize),
    /// These many bytes were written, and they are the last.
    Complete(usize),
}

impl<C: Conduit> Rsi<C> {
    /// Begins a token over `challenge` and says how many bytes it has at most. One that was begun
    /// before is given up.
    ///
    /// # Errors
    ///
    /// [`Error::Call`].
    ///
    /// Ref: DEN0137 1.0-rel0, B5.3.2 `RSI_ATTESTATION_TOKEN_INIT`.
    pub fn attestation_token_init(&self, challenge: &[u8; CHALLENGE_SIZE]) -> Result<u64, Error> {
        let mut operands = [0; CHALLENGE_SIZE / size_of::<u64>()];
        pack(challenge, &mut operands);
        let results = self.succeed(Call::AttestationTokenInit, &operands)?;
        let most = conduit::answer(&results, 1);
        Ok(most.any_value("a hint: attest has budgets of its own"))
    }

    /// Has the RMM write the next bytes of the token, at most `len`, at `offset` of `granule`.
    ///
    /// # Errors
    ///
    /// [`Error::PieceOutsideGranule`], [`Error::TokenOverrun`], and [`Error::Call`], with
    /// [`Status::State`] if no token was begun or the last one is complete.
    ///
    /// Ref: DEN0137 1.0-rel0, B5.3.1 `RSI_ATTESTATION_TOKEN_CONTINUE`.
    pub fn attestation_token_continue(
        &self,
        granule: ProtectedIpa,
        offset: usize,
        len: usize,
    ) -> Result<TokenProgress, Error> {
        let outside = Error::PieceOutsideGranule { offset, len };
        let end = offset.checked_add(len).ok_or(outside)?;
        if end as u64 > GRANULE_SIZE || offset as u64 == GRANULE_SIZE {
            return Err(outside);
        }
        let call = Call::AttestationTokenContinue;
        let operands = [granule.get(), offset as u64, len as u64];
        let (status, results) = self.call(call, &operands);
        let written = || conduit::answer(&results, 1).check(|written| fitting(written, len));
        match status {
            Status::Success => Ok(TokenProgress::Complete(written()?)),
            Status::Incomplete => Ok(TokenProgress::Incomplete(written()?)),
            status => Err(Error::Call { call, status }),
        }
    }
}

fn fitting(written: u64, room: usize) -> Result<usize, Error> {
    usize::try_from(written)
        .ok()
        .filter(|written| *written <= room)
        .ok_or(Error::TokenOverrun { written, room })
}
