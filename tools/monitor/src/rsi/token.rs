//! The attestation token, handed out piece by piece.

use super::{ERROR_INPUT, ERROR_STATE, ERROR_UNKNOWN, INCOMPLETE, Realm, Reply, SUCCESS};
use crate::layout::GRANULE;

/// What the realm is told that a token may need, in bytes.
const UPPER_BOUND: u64 = GRANULE;

/// How far a token is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Token {
    /// None was asked for.
    #[default]
    Idle,
    /// It will never be finished.
    Endless,
}

impl Token {
    /// This monitor has no key to sign with, and says so as an RMM says that signing failed.
    ///
    /// Ref: DEN0137 1.0, B5.3.2.
    pub(super) fn init(&mut self, endless: bool) -> Reply {
        if !endless {
            *self = Self::Idle;
            return Reply::status(ERROR_UNKNOWN);
        }
        *self = Self::Endless;
        Reply::values([SUCCESS, UPPER_BOUND, 0, 0])
    }
}

impl Realm<'_> {
    /// Ref: DEN0137 1.0, B5.3.1.
    pub(super) fn token_continue(&mut self, address: u64, offset: u64, size: u64) -> Reply {
        let end = offset.checked_add(size);
        let fits = offset < GRANULE && end.is_some_and(|end| end <= GRANULE);
        if !fits || !self.is_operand(address, GRANULE) {
            return Reply::status(ERROR_INPUT);
        }
        match self.token {
            Token::Idle => Reply::status(ERROR_STATE),
            Token::Endless => Reply::status(INCOMPLETE),
        }
    }
}
