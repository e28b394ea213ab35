//! A piece of firmware, as a platform token lists it.

use alloc::vec::Vec;

use super::{digest, name};
use crate::cbor::{Once, Reader, Writer};
use crate::{DecodeError, Part};

const KIND: i64 = 1;
const MEASUREMENT: i64 = 2;
const VERSION: i64 = 4;
const SIGNER: i64 = 5;
const ALGORITHM: i64 = 6;
const PART: Part = Part::PlatformClaims;

/// A piece of firmware.
///
/// Ref: DEN0137 1.0-rel0, A7.2.4 "CCA platform token", software components claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Component<'a> {
    /// Which piece it is.
    pub kind: Option<&'a str>,
    /// Hash of it.
    pub measurement: &'a [u8],
    /// Its version.
    pub version: Option<&'a str>,
    /// Hash of the key that signed it.
    pub signer: &'a [u8],
    /// How it was hashed, if not as the platform token says.
    pub hash_algorithm: Option<&'a str>,
}

impl<'a> Component<'a> {
    pub(super) fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (mut kind, mut version) = (Once::default(), Once::default());
        let (mut measurement, mut signer) = (Once::default(), Once::default());
        let mut algorithm = Once::default();
        for _ in 0..reader.map()? {
            match reader.key()? {
                Some(KIND) => kind.fill(PART, KIND, reader.text()?)?,
                Some(MEASUREMENT) => {
                    let bytes = digest(reader.bytes()?, PART, MEASUREMENT)?;
                    measurement.fill(PART, MEASUREMENT, bytes)?;
                }
                Some(VERSION) => version.fill(PART, VERSION, reader.text()?)?,
                Some(SIGNER) => {
                    signer.fill(PART, SIGNER, digest(reader.bytes()?, PART, SIGNER)?)?;
                }
                Some(ALGORITHM) => {
                    algorithm.fill(PART, ALGORITHM, name(reader.text()?, PART, ALGORITHM)?)?;
                }
                _ => reader.skip()?,
            }
        }
        Ok(Self {
            kind: kind.optional(),
            measurement: measurement.required(PART, MEASUREMENT)?,
            version: version.optional(),
            signer: signer.required(PART, SIGNER)?,
            hash_algorithm: algorithm.optional(),
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        let texts: Vec<(i64, &str)> = [
            (KIND, self.kind),
            (VERSION, self.version),
            (ALGORITHM, self.hash_algorithm),
        ]
        .into_iter()
        .filter_map(|(key, text)| Some((key, text?)))
        .collect();
        writer.map(2 + texts.len());
        writer.integer(MEASUREMENT).bytes(self.measurement);
        writer.integer(SIGNER).bytes(self.signer);
        for (key, text) in texts {
            writer.integer(key).text(text);
        }
    }
}
