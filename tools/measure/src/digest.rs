//! The two hash algorithms of a realm, and what they make.

use core::fmt;
use sha2::{Digest as _, Sha256, Sha512};

use crate::MAX_DIGEST;

/// How a realm is measured.
///
/// Ref: DEN0137 1.0-rel0, B4.4.5 "RmiHashAlgorithm type".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// SHA-256: 32 bytes.
    #[default]
    Sha256,
    /// SHA-512: 64 bytes.
    Sha512,
}

impl Algorithm {
    /// Bytes of its digests.
    pub const fn size(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// The number that stands for it in RMI and RSI structures.
    pub const fn code(self) -> u8 {
        match self {
            Self::Sha256 => 0,
            Self::Sha512 => 1,
        }
    }

    /// The name that a token has for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha-256",
            Self::Sha512 => "sha-512",
        }
    }

    /// Hashes `bytes`.
    pub fn hash(self, bytes: &[u8]) -> Digest {
        let mut hasher = Hasher::new(self);
        hasher.update(bytes);
        hasher.finish()
    }
}

/// A digest: 32 or 64 bytes, by its algorithm.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest {
    bytes: [u8; MAX_DIGEST],
    algorithm: Algorithm,
}

impl Digest {
    /// The digest that a REM starts with: zeros only.
    pub const fn zero(algorithm: Algorithm) -> Self {
        Self {
            bytes: [0; MAX_DIGEST],
            algorithm,
        }
    }

    /// The digest itself: as many bytes as its algorithm makes.
    pub fn as_bytes(&self) -> &[u8] {
        let (bytes, _) = self.bytes.split_at(self.algorithm.size());
        bytes
    }

    /// The digest with zeros behind it: the form that a 64-byte field has.
    pub const fn padded(&self) -> &[u8; MAX_DIGEST] {
        &self.bytes
    }

    /// What made it.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl fmt::Display for Digest {
    /// Writes lower-case hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes()
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// A digest in the making. It takes its input in pieces, so that nobody needs a page of stack.
#[derive(Clone)]
pub struct Hasher(State);

#[derive(Clone)]
enum State {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    /// Starts with no input.
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Sha512 => State::Sha512(Sha512::new()),
        })
    }

    /// Takes in `bytes`.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha256(state) => state.update(bytes),
            State::Sha512(state) => state.update(bytes),
        }
    }

    /// Takes in `count` zero bytes.
    pub fn zeros(&mut self, count: usize) {
        const ZEROS: [u8; 256] = [0; 256];
        let mut left = count;
        while left > 0 {
            let (piece, _) = ZEROS.split_at(left.min(ZEROS.len()));
            self.update(piece);
            left -= piece.len();
        }
    }

    /// Ends the input.
    pub fn finish(self) -> Digest {
        let mut bytes = [0; MAX_DIGEST];
        let algorithm = match self.0 {
            State::Sha256(state) => {
                let (head, _) = bytes.split_at_mut(Algorithm::Sha256.size());
                head.copy_from_slice(&state.finalize());
                Algorithm::Sha256
            }
            State::Sha512(state) => {
                bytes.copy_from_slice(&state.finalize());
                Algorithm::Sha512
            }
        };
        Digest { bytes, algorithm }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::string::ToString;

    #[test]
    fn the_digest_of_abc_is_the_published_one() {
        assert_eq!(
            Algorithm::Sha256.hash(b"abc").to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert!(
            Algorithm::Sha512
                .hash(b"abc")
                .to_string()
                .starts_with("ddaf35a193617abacc417349ae204131")
        );
    }

    #[test]
    fn zeros_are_as_many_as_asked_for() {
        for count in [0, 1, 255, 256, 257, 4096] {
            let mut hasher = Hasher::new(Algorithm::Sha256);
            hasher.zeros(count);
            assert_eq!(
                hasher.finish(),
                Algorithm::Sha256.hash(&std::vec![0; count])
            );
        }
    }

    #[test]
    fn a_short_digest_is_padded_with_zeros() {
        let digest = Algorithm::Sha256.hash(b"abc");
        assert_eq!(digest.as_bytes().len(), 32);
        assert_eq!(digest.padded()[..32], *digest.as_bytes());
        assert_eq!(digest.padded()[32..], [0; 32]);
    }
}
