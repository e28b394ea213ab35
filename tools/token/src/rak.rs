//! The realm attestation key, as a realm token carries it.

use alloc::vec::Vec;

use crate::cbor::{Once, Reader, Writer};
use crate::{DecodeError, Part, RealmProfile};

/// Bytes of one coordinate on P-384.
const COORDINATE: usize = 48;
const KEY_TYPE: i64 = 1;
const EC2: i64 = 2;
const CURVE: i64 = -1;
const P384: i64 = 2;
const X: i64 = -2;
const Y: i64 = -3;

/// A point that says it is on P-384. Whether it is shows when it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RealmKey {
    /// First coordinate, big-endian.
    pub x: [u8; COORDINATE],
    /// Second coordinate, big-endian.
    pub y: [u8; COORDINATE],
}

impl RealmKey {
    /// Reads the claim of a token with `profile`: a `COSE_Key`, or 97 bytes in legacy tokens.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] says what is not as it should be.
    pub fn decode(bytes: &[u8], profile: RealmProfile) -> Result<Self, DecodeError> {
        match profile {
            RealmProfile::Legacy => Self::from_point(bytes).ok_or(WRONG_POINT),
            RealmProfile::V1_0_0 | RealmProfile::V2_0_0 => Self::from_cose(bytes),
        }
    }

    /// Writes the claim of a token with `profile`.
    pub fn encode(&self, profile: RealmProfile) -> Vec<u8> {
        match profile {
            RealmProfile::Legacy => self.to_point(),
            RealmProfile::V1_0_0 | RealmProfile::V2_0_0 => self.to_cose(),
        }
    }

    /// Reads an uncompressed point: `04`, then both coordinates.
    ///
    /// Ref: SEC 1, 2.3.3.
    pub fn from_point(bytes: &[u8]) -> Option<Self> {
        let (x, y) = bytes.strip_prefix(&[4])?.split_at_checked(COORDINATE)?;
        Some(Self {
            x: x.try_into().ok()?,
            y: y.try_into().ok()?,
        })
    }

    /// Writes an uncompressed point: 97 bytes.
    pub fn to_point(&self) -> Vec<u8> {
        [&[4], &self.x[..], &self.y[..]].concat()
    }

    fn from_cose(bytes: &[u8]) -> Result<Self, DecodeError> {
        let part = Part::RealmKey;
        let mut reader = Reader::new(bytes, part);
        let (mut kind, mut curve) = (Once::default(), Once::default());
        let (mut x, mut y) = (Once::default(), Once::default());
        for _ in 0..reader.map()? {
            match reader.key()? {
                Some(KEY_TYPE) => kind.fill(part, KEY_TYPE, reader.integer()?)?,
                Some(CURVE) => curve.fill(part, CURVE, reader.integer()?)?,
                Some(X) => x.fill(part, X, coordinate(reader.bytes()?, X)?)?,
                Some(Y) => y.fill(part, Y, coordinate(reader.bytes()?, Y)?)?,
                _ => reader.skip()?,
            }
        }
        reader.end()?;
        expect(kind.required(part, KEY_TYPE)?, EC2, KEY_TYPE)?;
        expect(curve.required(part, CURVE)?, P384, CURVE)?;
        Ok(Self {
            x: x.required(part, X)?,
            y: y.required(part, Y)?,
        })
    }

    fn to_cose(self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.map(4).integer(KEY_TYPE).integer(EC2);
        writer.integer(CURVE).integer(P384);
        writer.integer(X).bytes(&self.x);
        writer.integer(Y).bytes(&self.y);
        writer.finish()
    }
}

const WRONG_POINT: DecodeError = DecodeError::Cbor {
    part: Part::RealmKey,
    at: 0,
};

fn coordinate(bytes: &[u8], key: i64) -> Result<[u8; COORDINATE], DecodeError> {
    let part = Part::RealmKey;
    bytes
        .try_into()
        .map_err(|_| DecodeError::Value { part, key })
}

fn expect(value: i64, expected: i64, key: i64) -> Result<(), DecodeError> {
    let part = Part::RealmKey;
    (value == expected)
        .then_some(())
        .ok_or(DecodeError::Value { part, key })
}
