//! Public keys, and what they are endorsed for.

use core::fmt;

use alloc::boxed::Box;
use p384::ecdsa::signature::Verifier;

use crate::{PlatformClaims, SignatureAlgorithm};

/// Why bytes are not a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyError {
    /// The algorithm whose key they should be.
    pub algorithm: SignatureAlgorithm,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a point on the curve of {}", self.algorithm)
    }
}

impl core::error::Error for KeyError {}

/// A public key, known to be a point on its curve.
#[derive(Clone, Debug)]
pub struct PublicKey(Curve);

#[derive(Clone, Debug)]
enum Curve {
    P256(Box<p256::ecdsa::VerifyingKey>),
    P384(Box<p384::ecdsa::VerifyingKey>),
    P521(Box<p521::ecdsa::VerifyingKey>),
}

impl PublicKey {
    /// Takes an uncompressed point: `04`, then both coordinates.
    ///
    /// # Errors
    ///
    /// [`KeyError`] if it is not on the curve of `algorithm`.
    pub fn from_point(algorithm: SignatureAlgorithm, point: &[u8]) -> Result<Self, KeyError> {
        let curve = match algorithm {
            SignatureAlgorithm::Es256 => p256::ecdsa::VerifyingKey::from_sec1_bytes(point)
                .map(|key| Curve::P256(Box::new(key))),
            SignatureAlgorithm::Es384 => p384::ecdsa::VerifyingKey::from_sec1_bytes(point)
                .map(|key| Curve::P384(Box::new(key))),
            SignatureAlgorithm::Es512 => p521::ecdsa::VerifyingKey::from_sec1_bytes(point)
                .map(|key| Curve::P521(Box::new(key))),
        };
        curve.map(Self).map_err(|_| KeyError { algorithm })
    }

    /// The algorithm that it belongs to.
    pub const fn algorithm(&self) -> SignatureAlgorithm {
        match self.0 {
            Curve::P256(_) => SignatureAlgorithm::Es256,
            Curve::P384(_) => SignatureAlgorithm::Es384,
            Curve::P521(_) => SignatureAlgorithm::Es512,
        }
    }

    /// Checks `signature`, `r` and `s` one behind the other, over `message`.
    pub(super) fn verify_message(&self, message: &[u8], signature: &[u8]) -> Result<(), ()> {
        let verified = match &self.0 {
            Curve::P256(key) => p256::ecdsa::Signature::from_slice(signature)
                .and_then(|signature| key.verify(message, &signature)),
            Curve::P384(key) => p384::ecdsa::Signature::from_slice(signature)
                .and_then(|signature| key.verify(message, &signature)),
            Curve::P521(key) => p521::ecdsa::Signature::from_slice(signature)
                .and_then(|signature| key.verify(message, &signature)),
        };
        verified.map_err(|_| ())
    }
}

/// A key that somebody vouches for, and for which platforms.
#[derive(Clone, Debug)]
pub struct PlatformKey {
    /// The key.
    pub public_key: PublicKey,
    /// The only make of platform that it is good for; `None`: any.
    pub implementation_id: Option<[u8; 32]>,
    /// The only platform that it is good for; `None`: any.
    pub instance_id: Option<[u8; 33]>,
}

impl PlatformKey {
    /// A key that is good for every platform.
    pub const fn for_any(public_key: PublicKey) -> Self {
        Self {
            public_key,
            implementation_id: None,
            instance_id: None,
        }
    }

    /// Whether it is endorsed for the platform that `claims` describe.
    pub(super) fn is_for(&self, claims: &PlatformClaims<'_>) -> bool {
        let make = self.implementation_id.as_ref();
        let instance = self.instance_id.as_ref();
        make.is_none_or(|id| id == claims.implementation_id)
            && instance.is_none_or(|id| id == claims.instance_id)
    }
}
