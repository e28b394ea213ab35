//! Certificates of the maker: a root, an intermediate one, and that of the device.
//!
//! Ref: RFC 5280, 4.1; RFC 5480; RFC 5758, 3.2.

use alloc::vec::Vec;

use p384::ecdsa::signature::Signer as _;
use sha2::{Digest, Sha256, Sha384};

use crate::der::{
    BOOLEAN, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET, UTC_TIME, UTF8_STRING, bits, integer,
    tagged, value,
};

const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const P384: &[u8] = &[0x2b, 0x81, 4, 0, 0x22];
const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const ECDSA_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const SIGN_CERTIFICATES: u8 = 0x04;
const SIGN: u8 = 0x80;

/// Which curve, and with it which hash, a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// P-256 with SHA-256.
    P256,
    /// P-384 with SHA-384.
    P384,
}

/// A private key.
pub(crate) enum Key {
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
}

impl Key {
    /// The key that `seed` gives. Everybody who has the seed has the key.
    pub(crate) fn from_seed(curve: Curve, seed: &[u8]) -> Self {
        let below = "every seed here gives a scalar below the order";
        match curve {
            Curve::P256 => {
                let scalar = Sha256::digest(seed);
                Self::P256(p256::ecdsa::SigningKey::from_slice(&scalar).expect(below))
            }
            Curve::P384 => {
                let scalar = Sha384::digest(seed);
                Self::P384(p384::ecdsa::SigningKey::from_slice(&scalar).expect(below))
            }
        }
    }

    pub(crate) const fn curve(&self) -> Curve {
        match self {
            Self::P256(_) => Curve::P256,
            Self::P384(_) => Curve::P384,
        }
    }

    /// Signs: `r`, then `s`, each as long as a coordinate. Always the same (RFC 6979).
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
            Self::P384(key) => {
                let signature: p384::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
        }
    }

    fn point(&self) -> Vec<u8> {
        match self {
            Self::P256(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Self::P384(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
        }
    }

    fn algorithm(&self) -> Vec<u8> {
        let curve = match self.curve() {
            Curve::P256 => ECDSA_SHA256,
            Curve::P384 => ECDSA_SHA384,
        };
        value(SEQUENCE, &[&object(curve)])
    }

    fn public_key(&self) -> Vec<u8> {
        let curve = match self.curve() {
            Curve::P256 => P256,
            Curve::P384 => P384,
        };
        let algorithm = value(SEQUENCE, &[&object(EC_PUBLIC_KEY), &object(curve)]);
        value(SEQUENCE, &[&algorithm, &bits(&self.point())])
    }
}

/// What one certificate says.
pub(crate) struct Certificate<'a> {
    pub(crate) number: u8,
    pub(crate) issuer: &'a str,
    pub(crate) subject: &'a str,
    /// Whether its key may sign certificates.
    pub(crate) authority: bool,
}

impl Certificate<'_> {
    /// The certificate for `key`, signed by `by`.
    pub(crate) fn sign(&self, key: &Key, by: &Key) -> Vec<u8> {
        let always = value(
            SEQUENCE,
            &[
                &value(UTC_TIME, &[b"250101000000Z"]),
                &value(UTC_TIME, &[b"491231235959Z"]),
            ],
        );
        let content = value(
            SEQUENCE,
            &[
                &tagged(0, &integer(&[2])),
                &integer(&[self.number]),
                &by.algorithm(),
                &name(self.issuer),
                &always,
                &name(self.subject),
                &key.public_key(),
                &tagged(3, &self.extensions()),
            ],
        );
        let signature = by.sign(&content);
        let (r, s) = signature.split_at(signature.len() / 2);
        let signature = value(SEQUENCE, &[&integer(r), &integer(s)]);
        value(SEQUENCE, &[&content, &by.algorithm(), &bits(&signature)])
    }

    fn extensions(&self) -> Vec<u8> {
        let truth = value(BOOLEAN, &[&[0xff]]);
        let authority: &[u8] = if self.authority { &truth } else { &[] };
        let usage = if self.authority {
            [2, SIGN_CERTIFICATES]
        } else {
            [7, SIGN]
        };
        value(
            SEQUENCE,
            &[
                &critical(BASIC_CONSTRAINTS, &value(SEQUENCE, &[authority])),
                &critical(KEY_USAGE, &value(crate::der::BIT_STRING, &[&usage])),
            ],
        )
    }
}

fn critical(kind: &[u8], content: &[u8]) -> Vec<u8> {
    let truth = value(BOOLEAN, &[&[0xff]]);
    let content = value(OCTET_STRING, &[content]);
    value(SEQUENCE, &[&object(kind), &truth, &content])
}

fn object(identifier: &[u8]) -> Vec<u8> {
    value(OBJECT_IDENTIFIER, &[identifier])
}

fn name(text: &str) -> Vec<u8> {
    let text = value(UTF8_STRING, &[text.as_bytes()]);
    let attribute = value(SEQUENCE, &[&object(COMMON_NAME), &text]);
    value(SEQUENCE, &[&value(SET, &[&attribute])])
}
