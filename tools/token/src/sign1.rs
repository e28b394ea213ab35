//! `COSE_Sign1`: a payload and its signature.

use alloc::vec::Vec;

use crate::cbor::{Once, Reader, Writer};
use crate::{DecodeError, Part, SignatureAlgorithm};

const SIGN1_TAG: u64 = 18;
const ALGORITHM: i64 = 1;
const CRITICAL: i64 = 2;

/// A payload and its signature, not yet checked.
///
/// Ref: RFC 9052, 4.2 "Signing with One Signer".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sign1<'a> {
    /// The protected header, as it is signed.
    pub protected: &'a [u8],
    /// The algorithm that the protected header names.
    pub algorithm: SignatureAlgorithm,
    /// What is signed.
    pub payload: &'a [u8],
    /// `r` and `s`, one behind the other.
    pub signature: &'a [u8],
}

impl<'a> Sign1<'a> {
    /// Takes `bytes` apart; `part` is what errors name.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] says what is not as it should be.
    pub fn decode(bytes: &'a [u8], part: Part) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes, part);
        reader.expect_tag(SIGN1_TAG)?;
        if reader.array()? != 4 {
            return Err(reader.here());
        }
        let protected = reader.bytes()?;
        let algorithm = algorithm(protected, part)?;
        reader.map_to_skip()?;
        let payload = reader.bytes()?;
        let signature = reader.bytes()?;
        reader.end()?;
        Ok(Self {
            protected,
            algorithm,
            payload,
            signature,
        })
    }

    /// Writes the structure, with an empty unprotected header.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.tag(SIGN1_TAG).array(4).bytes(self.protected).map(0);
        writer.bytes(self.payload).bytes(self.signature);
        writer.finish()
    }

    /// The bytes that the signature is made over.
    ///
    /// Ref: RFC 9052, 4.4 "Signing and Verification Process".
    pub fn to_be_signed(protected: &[u8], payload: &[u8]) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.array(4).text("Signature1");
        writer.bytes(protected).bytes(&[]).bytes(payload);
        writer.finish()
    }
}

/// The protected header that names `algorithm` and nothing else.
#[cfg(feature = "sign")]
pub(crate) fn protected_header(algorithm: SignatureAlgorithm) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.map(1).integer(ALGORITHM).integer(algorithm.number());
    writer.finish()
}

/// Reads the algorithm out of a protected header.
fn algorithm(protected: &[u8], part: Part) -> Result<SignatureAlgorithm, DecodeError> {
    let mut reader = Reader::new(protected, part);
    let mut number = Once::default();
    for _ in 0..reader.map()? {
        match reader.key()? {
            Some(ALGORITHM) => number.fill(part, ALGORITHM, reader.integer()?)?,
            // Somebody demands that we understand a header; we know none.
            Some(CRITICAL) => {
                return Err(DecodeError::Value {
                    part,
                    key: CRITICAL,
                });
            }
            _ => reader.skip()?,
        }
    }
    reader.end()?;
    let number = number.required(part, ALGORITHM)?;
    SignatureAlgorithm::from_number(number).ok_or(DecodeError::Algorithm { part, number })
}

impl Reader<'_> {
    /// Passes over a map, which nothing signs and nothing here needs.
    fn map_to_skip(&mut self) -> Result<(), DecodeError> {
        for _ in 0..self.map()? {
            self.skip()?;
            self.skip()?;
        }
        Ok(())
    }
}
