//! What the two tokens say.

mod component;
mod platform;
mod realm;

pub use component::Component;
pub use platform::{PlatformClaims, PlatformProfile};
pub use realm::{MecPolicy, RealmClaims, RealmProfile};

use alloc::vec::Vec;

use crate::cbor::Reader;
use crate::{DecodeError, Part};

const CHALLENGE: i64 = 10;
const INSTANCE_ID: i64 = 256;
const PROFILE: i64 = 265;
/// The longest text that is taken as the name of a hash algorithm, in bytes.
const MAX_NAME: usize = 16;

/// Takes `bytes` as an array of exactly `N`.
fn exactly<const N: usize>(bytes: &[u8], part: Part, key: i64) -> Result<&[u8; N], DecodeError> {
    bytes
        .try_into()
        .map_err(|_| DecodeError::Value { part, key })
}

/// Takes `bytes` as a digest: 32, 48 or 64 bytes.
fn digest(bytes: &[u8], part: Part, key: i64) -> Result<&[u8], DecodeError> {
    matches!(bytes.len(), 32 | 48 | 64)
        .then_some(bytes)
        .ok_or(DecodeError::Value { part, key })
}

/// Takes `text` as the name of a hash algorithm.
fn name(text: &str, part: Part, key: i64) -> Result<&str, DecodeError> {
    (text.len() <= MAX_NAME)
        .then_some(text)
        .ok_or(DecodeError::Value { part, key })
}

/// Passes over a claim that this version does not know, and remembers its key.
fn pass(
    reader: &mut Reader<'_>,
    key: Option<i64>,
    unknown: &mut Vec<i64>,
) -> Result<(), DecodeError> {
    unknown.extend(key);
    reader.skip()
}
