//! Public keys and hashes.

use core::fmt;

use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use rsi::HashAlgorithm;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// Bytes of the longest digest.
const LONGEST: usize = 64;

/// A hash that devices, their certificates and the RMM use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Hash {
    /// The hash that the RMM names, if we know it.
    pub const fn of(algorithm: HashAlgorithm) -> Option<Self> {
        match algorithm {
            HashAlgorithm::Sha256 => Some(Self::Sha256),
            HashAlgorithm::Sha384 => Some(Self::Sha384),
            HashAlgorithm::Sha512 => Some(Self::Sha512),
            HashAlgorithm::Unknown(_) => None,
        }
    }

    /// The digest of `parts`, one behind the other.
    pub fn digest(self, parts: &[&[u8]]) -> Computed {
        match self {
            Self::Sha256 => Computed::over::<Sha256>(parts),
            Self::Sha384 => Computed::over::<Sha384>(parts),
            Self::Sha512 => Computed::over::<Sha512>(parts),
        }
    }
}

/// A digest that we made.
#[derive(Clone, Copy, Debug)]
pub struct Computed {
    bytes: [u8; LONGEST],
    len: usize,
}

impl Computed {
    fn over<H: Digest>(parts: &[&[u8]]) -> Self {
        let digest = parts.iter().fold(H::new(), H::chain_update).finalize();
        let mut bytes = [0; LONGEST];
        for (byte, value) in bytes.iter_mut().zip(&digest) {
            *byte = *value;
        }
        let len = digest.len().min(LONGEST);
        Self { bytes, len }
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&self.bytes)
    }
}

/// Why bytes are no key of ours, or why a signature is not by the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// The curve is neither P-256 nor P-384.
    Curve,
    /// The bytes are no point on the curve.
    Point,
    /// The signature is not over this by this key.
    Signature,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Curve => "the key is on a curve that is not supported",
            Self::Point => "the key is no point on its curve",
            Self::Signature => "the signature is wrong",
        })
    }
}

/// A public key of a device or of its maker, known to be a point on its curve.
#[derive(Clone, Debug)]
pub struct PublicKey(Curve);

#[derive(Clone, Debug)]
enum Curve {
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
}

impl PublicKey {
    /// Takes a point on P-256.
    ///
    /// # Errors
    ///
    /// [`KeyError::Point`].
    pub fn p256(point: &[u8]) -> Result<Self, KeyError> {
        let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(point);
        key.map(|key| Self(Curve::P256(key)))
            .map_err(|_| KeyError::Point)
    }

    /// Takes a point on P-384.
    ///
    /// # Errors
    ///
    /// [`KeyError::Point`].
    pub fn p384(point: &[u8]) -> Result<Self, KeyError> {
        let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(point);
        key.map(|key| Self(Curve::P384(key)))
            .map_err(|_| KeyError::Point)
    }

    /// Bytes of a coordinate, and of each half of a signature.
    pub const fn coordinate(&self) -> usize {
        match self.0 {
            Curve::P256(_) => 32,
            Curve::P384(_) => 48,
        }
    }

    /// Checks `signature`, `r` and `s` one behind the other, over what `digest` is the digest of.
    ///
    /// # Errors
    ///
    /// [`KeyError::Signature`].
    pub fn verify(&self, digest: &Computed, signature: &[u8]) -> Result<(), KeyError> {
        let digest = digest.as_bytes();
        let verified = match &self.0 {
            Curve::P256(key) => p256::ecdsa::Signature::from_slice(signature)
                .and_then(|signature| key.verify_prehash(digest, &signature)),
            Curve::P384(key) => p384::ecdsa::Signature::from_slice(signature)
                .and_then(|signature| key.verify_prehash(digest, &signature)),
        };
        verified.map_err(|_| KeyError::Signature)
    }
}
