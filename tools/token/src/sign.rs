//! Making tokens.
//!
//! Signatures are deterministic (RFC 6979), so that no randomness is needed and the same input gives
//! the same token.

use alloc::vec::Vec;
use p384::ecdsa::signature::Signer;
use p384::ecdsa::{Signature, SigningKey};
use sha2::{Digest, Sha256};

use crate::sign1::protected_header;
use crate::{
    Envelope, Form, PlatformClaims, RealmClaims, RealmKey, RealmProfile, Sign1, SignatureAlgorithm,
};

/// The name of the algorithm that [`binding`] uses.
pub const BINDING_ALGORITHM: &str = "sha-256";

/// Signs `payload` with ES384.
pub fn sign(payload: &[u8], key: &SigningKey) -> Vec<u8> {
    let algorithm = SignatureAlgorithm::Es384;
    let protected = protected_header(algorithm);
    let signature: Signature = key.sign(&Sign1::to_be_signed(&protected, payload));
    let sign1 = Sign1 {
        protected: &protected,
        algorithm,
        payload,
        signature: &signature.to_bytes(),
    };
    sign1.encode()
}

/// The public half of `key`, as a realm token of `profile` carries it.
pub fn public_key(key: &SigningKey, profile: RealmProfile) -> Vec<u8> {
    let point = key.verifying_key().to_sec1_point(false);
    let key = RealmKey::from_point(point.as_bytes()).expect("an uncompressed point has 97 bytes");
    key.encode(profile)
}

/// The challenge of a platform token that vouches for a realm's `public_key`, as encoded there.
pub fn binding(public_key: &[u8]) -> [u8; 32] {
    Sha256::digest(public_key).into()
}

/// Signs both payloads and wraps them.
pub fn token(
    form: Form,
    platform: (&PlatformClaims<'_>, &SigningKey),
    realm: (&RealmClaims<'_>, &SigningKey),
) -> Vec<u8> {
    let envelope = Envelope {
        form,
        platform: &sign(&platform.0.encode(), platform.1),
        realm: &sign(&realm.0.encode(), realm.1),
    };
    envelope.encode()
}
