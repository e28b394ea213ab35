//! Why there is no key.

use core::{fmt, time::Duration};

use crate::{
    keybroker::{
        connector::ConnectError,
        messages::{Fault, Refusal},
    },
    token::TokenError,
};

/// Where in the protocol something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Asking for the key, which is answered by a challenge.
    Challenge,
    /// Submitting evidence, which is answered by the key.
    Evidence,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Challenge => "when it was asked for the key",
            Self::Evidence => "when evidence was submitted",
        })
    }
}

/// Why there is no key. Nothing of a key, a token or a challenge is in here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// No key has this name: 1 to 128 letters, digits, `-`, `.`, `_` and `~`.
    Name,
    /// There is no hardware randomness, without which no key is made.
    NoRandomness,
    /// No RSA key could be made of the randomness.
    KeyGeneration,
    /// There is no token.
    Token(TokenError),
    /// The broker is not there.
    NotThere(ConnectError),
    /// The broker did not answer in time.
    TimedOut {
        /// Where.
        step: Step,
        /// What it was given.
        limit: Duration,
    },
    /// The connection ended or broke before the answer was there.
    Lost {
        /// Where.
        step: Step,
    },
    /// What came is not HTTP/1.1, or more than we take.
    NotHttp {
        /// Where.
        step: Step,
    },
    /// What came is HTTP, but not an answer of the protocol.
    Garbage {
        /// Where.
        step: Step,
        /// What is wrong with it.
        fault: Fault,
    },
    /// The broker says no.
    Refused(Refusal),
    /// The challenge is not bound to our request: somebody changed that on its way, or the broker binds
    /// none.
    OtherRequest,
    /// The key does not open with our ephemeral key: it was wrapped for somebody else.
    NotForUs,
}

impl From<TokenError> for Error {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}

impl From<ConnectError> for Error {
    fn from(error: ConnectError) -> Self {
        Self::NotThere(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("no key can have that name"),
            Self::NoRandomness => {
                f.write_str("no hardware randomness (RNDR): no key is made without it")
            }
            Self::KeyGeneration => f.write_str("no RSA key could be made"),
            Self::Token(error) => write!(f, "{error}"),
            Self::NotThere(error) => write!(f, "the key broker is not there: {error}"),
            Self::TimedOut { step, limit } => write!(
                f,
                "the key broker did not answer within {} s {step}; is it running behind that address, \
                 and what does its log say?",
                limit.as_secs()
            ),
            Self::Lost { step } => {
                write!(f, "the connection to the key broker ended {step}")
            }
            Self::NotHttp { step } => write!(f, "the key broker answered garbage {step}"),
            Self::Garbage { step, fault } => {
                write!(f, "the key broker answered garbage {step}: {fault}")
            }
            Self::Refused(refusal) => write!(f, "{refusal}"),
            Self::OtherRequest => f.write_str(
                "the challenge is not bound to our request: somebody changed it on its way, or this \
                 broker binds none (Arm's demonstration does not; keybroker.binding=none takes its \
                 challenges, and then whoever stands in the way can have the key)",
            ),
            Self::NotForUs => f.write_str("the key was wrapped for somebody else"),
        }
    }
}

impl core::error::Error for Error {}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn a_broker_that_binds_nothing_is_told_with_the_argument_and_its_price() {
        let text = Error::OtherRequest.to_string();
        assert!(text.contains("keybroker.binding=none"), "{text}");
        assert!(text.contains("can have the key"), "{text}");
    }

    #[test]
    fn silence_is_told_with_what_to_look_at() {
        let limit = Duration::from_secs(20);
        let step = Step::Challenge;
        for error in [
            Error::NotThere(ConnectError::TimedOut),
            Error::TimedOut { step, limit },
        ] {
            let text = error.to_string();
            assert!(text.contains("is it running"), "{text}");
        }
        let text = ConnectError::TimedOut.to_string();
        assert!(text.contains("lkvm's user network"), "{text}");
    }
}
