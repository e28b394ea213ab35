//! A challenge, the token over it, and why there may be none.

use alloc::vec::Vec;
use core::{fmt, time::Duration};

use minicbor::{Decoder, data::Type};
use rsi::CHALLENGE_SIZE;
use zeroize::Zeroizing;

/// The longest token that we take, in bytes.
pub const LONGEST_TOKEN: usize = 64 * 1024;

/// 64 bytes that somebody else chose, so that a token is known to be new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge([u8; CHALLENGE_SIZE]);

impl Challenge {
    /// The challenge of these bytes.
    pub const fn new(bytes: [u8; CHALLENGE_SIZE]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; CHALLENGE_SIZE] {
        &self.0
    }
}

/// The bytes are not 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAChallenge;

impl TryFrom<&[u8]> for Challenge {
    type Error = NotAChallenge;

    fn try_from(bytes: &[u8]) -> Result<Self, NotAChallenge> {
        bytes.try_into().map(Self).map_err(|_| NotAChallenge)
    }
}

/// A CCA attestation token: CBOR, at most 64 KiB, in protected memory, cleared when dropped.
///
/// It is no secret, but whoever has it can tell what runs here: it goes where its owner sends it, and
/// stays nowhere else. [`Debug`](fmt::Debug) tells its length only.
pub struct Token(Zeroizing<Vec<u8>>);

impl Token {
    /// The token of these bytes.
    pub(crate) fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// Its bytes, as the RMM wrote them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Checks that it is one tagged map of CBOR and nothing else, before it is shown to anybody.
    ///
    /// Which tag, and what is in the map, is for the verifier to know.
    ///
    /// # Errors
    /// [`TokenError::NotCbor`].
    pub fn check_form(&self) -> Result<(), TokenError> {
        tagged_map(self.as_bytes()).ok_or(TokenError::NotCbor)
    }
}

fn tagged_map(bytes: &[u8]) -> Option<()> {
    let mut decoder = Decoder::new(bytes);
    decoder.tag().ok()?;
    if decoder.datatype().ok()? != Type::Map {
        return None;
    }
    decoder.skip().ok()?;
    (decoder.position() == bytes.len()).then_some(())
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({} bytes)", self.0.len())
    }
}

/// Why there is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// This is no realm, or its RMM does not make tokens.
    NotSupported,
    /// The RMM has no token in the making, where there should be one.
    State,
    /// The token is, or may become, longer than we take.
    TooLong {
        /// Its length in bytes, as far as known.
        bytes: u64,
        /// The most that was agreed, in bytes.
        limit: u64,
    },
    /// The RMM made nothing, or not all of it, within the budget.
    Budget {
        /// Calls that were made.
        calls: u32,
        /// Bytes that came.
        bytes: usize,
        /// Time that it took.
        elapsed: Duration,
    },
    /// The RMM says that it is done, and there is no byte.
    Empty,
    /// The bytes are not one tagged map of CBOR.
    NotCbor,
    /// A call failed for another reason.
    Rsi(rsi::Error),
}

impl From<rsi::Error> for TokenError {
    fn from(error: rsi::Error) -> Self {
        match error {
            error if error.is_unsupported() => Self::NotSupported,
            rsi::Error::Call {
                status: rsi::Status::State,
                ..
            } => Self::State,
            error => Self::Rsi(error),
        }
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSupported => f.write_str("no attestation: nobody here makes tokens"),
            Self::State => f.write_str("the RMM lost the token that it was making"),
            Self::TooLong { bytes, limit } => {
                write!(f, "a token of {bytes} bytes, where {limit} are the most")
            }
            Self::Budget {
                calls,
                bytes,
                elapsed,
            } => write!(
                f,
                "the token is not done after {calls} calls and {} ms ({bytes} bytes)",
                u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
            ),
            Self::Empty => f.write_str("the RMM made a token without a byte"),
            Self::NotCbor => f.write_str("the token is not CBOR"),
            Self::Rsi(error) => write!(f, "{error}"),
        }
    }
}

impl core::error::Error for TokenError {}

#[cfg(test)]
mod tests {
    use alloc::{format, vec};

    use super::*;

    fn token(bytes: &[u8]) -> Token {
        Token::new(Zeroizing::new(bytes.to_vec()))
    }

    #[test]
    fn a_tagged_map_of_cbor_has_the_form_of_a_token() {
        // 399({44234: h'01', 44241: h'02'})
        let bytes = [
            0xd9, 0x01, 0x8f, 0xa2, 0x19, 0xac, 0xca, 0x41, 1, 0x19, 0xac, 0xd1, 0x41, 2,
        ];
        assert_eq!(token(&bytes).check_form(), Ok(()));
        for end in 0..bytes.len() {
            assert_eq!(token(&bytes[..end]).check_form(), Err(TokenError::NotCbor));
        }
        let mut longer = bytes.to_vec();
        longer.push(0);
        assert_eq!(token(&longer).check_form(), Err(TokenError::NotCbor));
        for other in [&[0xff][..], &[0xa0], &[0xd9, 0x01, 0x8f, 0x80]] {
            assert_eq!(token(other).check_form(), Err(TokenError::NotCbor));
        }
    }

    #[test]
    fn cbor_of_any_depth_is_refused_without_a_full_stack() {
        assert_eq!(
            token(&vec![0x81; LONGEST_TOKEN]).check_form(),
            Err(TokenError::NotCbor)
        );
        let nested = [&[0xd9, 0x01, 0x8f, 0xa1, 0x01][..], &vec![0x81; 60_000]].concat();
        assert_eq!(token(&nested).check_form(), Err(TokenError::NotCbor));
    }

    #[test]
    fn a_token_is_not_printed() {
        assert_eq!(format!("{:?}", token(&[1, 2, 3])), "Token(3 bytes)");
    }
}
