//! CCA attestation tokens: decoding, encoding, signing, verifying.
//!
//! A token is an envelope with two signed parts. The *platform token* says on which machine and
//! firmware the realm runs, and is signed by a key that the verifier knows. The *realm token* says
//! what the realm is, and is signed by the realm attestation key (RAK), whose hash the platform token
//! carries. [`Token::decode`] takes the envelope apart without judging it; `verify::appraise` judges,
//! check by check; `sign` makes tokens, for tests and for the test monitor.
//!
//! Everything that is decoded comes from strangers: sizes and counts are bounded, nothing panics, and
//! what is kept borrows from the input.
//!
//! Ref: DEN0137 1.0-rel0, A7.2 "Realm attestation"; RFC 9052 (COSE).
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod algorithm;
mod cbor;
mod claims;
mod envelope;
mod error;
mod lifecycle;
mod rak;
#[cfg(feature = "sign")]
pub mod sign;
mod sign1;
#[cfg(feature = "sign")]
pub mod test_platform;
mod token;
#[cfg(feature = "verify")]
pub mod verify;

pub use algorithm::SignatureAlgorithm;
pub use claims::{
    Component, MecPolicy, PlatformClaims, PlatformProfile, RealmClaims, RealmProfile,
};
pub use envelope::{Envelope, Form};
pub use error::{DecodeError, Part};
pub use lifecycle::{Lifecycle, LifecycleState};
pub use rak::RealmKey;
pub use sign1::Sign1;
pub use token::Token;

/// The longest token that is looked at, in bytes.
pub const MAX_TOKEN: usize = 64 << 10;

/// Bytes of a challenge.
///
/// Ref: DEN0137 1.0-rel0, A7.2.3.1.1 "Realm challenge claim".
pub const CHALLENGE_SIZE: usize = 64;
