//! The messages of platform and device: how they agreed to speak, and what was measured.
//!
//! Ref: DSP0274 1.2, 10.3 to 10.5, 10.11 and 15.

use core::fmt;

use crate::bytes::{Bytes, Short};
use crate::key::KeyError;
use crate::{Hash, PublicKey};

const GET_VERSION: u8 = 0x84;
const VERSION: u8 = 0x04;
const GET_CAPABILITIES: u8 = 0xe1;
const CAPABILITIES: u8 = 0x61;
const NEGOTIATE_ALGORITHMS: u8 = 0xe3;
const ALGORITHMS: u8 = 0x63;
const GET_MEASUREMENTS: u8 = 0xe0;
const MEASUREMENTS: u8 = 0x60;

/// What `GET_VERSION` and its answer say of themselves, whatever is agreed on.
const FIRST: u8 = 0x10;
/// Signatures have a context from here on, and TDISP needs it.
const OLDEST: u8 = 0x12;
/// Messages have a context of whoever asked from here on.
const WITH_CONTEXT: u8 = 0x13;
const SIGNED: u8 = 1 << 0;
const RAW: u8 = 1 << 1;
const ALL: u8 = 0xff;
const DMTF: u8 = 1;
/// Bit of a measurement's type: it is what was measured, and not a digest.
const RAW_VALUE: u8 = 1 << 7;
const CONTEXT: &[u8; 30] = b"responder-measurements signing";

/// Why messages are not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpdmError {
    /// They end too early.
    Short,
    /// Something is behind their end.
    Trailing,
    /// Another message was to come here.
    Message {
        /// The code that was wanted.
        wanted: u8,
        /// The code that there is.
        found: u8,
    },
    /// The version of the protocol is not 1.2 or a later 1.x, or changes on the way.
    Version {
        /// The number that there is.
        found: u8,
    },
    /// They agreed on a signature or a hash that is not supported.
    Algorithm,
    /// Not everything was measured, or it was not signed.
    Incomplete,
    /// A block of the record has another length than it says.
    Record,
    /// The signature is not by the device.
    Signature,
}

impl fmt::Display for SpdmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => f.write_str("they end too early"),
            Self::Trailing => f.write_str("something is behind their end"),
            Self::Message { wanted, found } => {
                write!(f, "message {found:#04x} is in the place of {wanted:#04x}")
            }
            Self::Version { found } => write!(f, "version {found:#04x} is not supported"),
            Self::Algorithm => f.write_str("the algorithms are not supported"),
            Self::Incomplete => f.write_str("not everything was measured and signed"),
            Self::Record => f.write_str("the measurement record is broken"),
            Self::Signature => f.write_str("the device did not sign them"),
        }
    }
}

impl From<Short> for SpdmError {
    fn from(Short: Short) -> Self {
        Self::Short
    }
}

/// How platform and device agreed to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negotiation<'a> {
    /// Version of the messages that follow: major and minor, four bits each.
    pub version: u8,
    /// The hash of signatures.
    pub hash: Hash,
    /// Bytes of a signature.
    pub signature: usize,
    messages: &'a [u8],
}

impl<'a> Negotiation<'a> {
    /// Reads the six messages.
    ///
    /// # Errors
    ///
    /// [`SpdmError`].
    pub fn parse(messages: &'a [u8]) -> Result<Self, SpdmError> {
        let mut bytes = Bytes::new(messages);
        header(&mut bytes, FIRST, GET_VERSION)?;
        header(&mut bytes, FIRST, VERSION)?;
        bytes.u8()?;
        let versions = bytes.u8()?;
        bytes.take(2 * usize::from(versions))?;
        let found = bytes.rest().first().copied().unwrap_or(0);
        let version = Some(found).filter(|v| *v >= OLDEST && *v >> 4 == OLDEST >> 4);
        let version = version.ok_or(SpdmError::Version { found })?;
        header(&mut bytes, version, GET_CAPABILITIES)?;
        bytes.take(16)?;
        let [supported, _] = header(&mut bytes, version, CAPABILITIES)?;
        bytes.take(16)?;
        // With this bit a block of algorithms follows, which nobody sends unasked.
        if supported & 1 != 0 {
            return Err(SpdmError::Algorithm);
        }
        algorithms(&mut bytes, version, NEGOTIATE_ALGORITHMS)?;
        let (signature, hash) = algorithms(&mut bytes, version, ALGORITHMS)?;
        if !bytes.rest().is_empty() {
            return Err(SpdmError::Trailing);
        }
        let signature = match signature {
            0x10 => 64,
            0x80 => 96,
            _ => return Err(SpdmError::Algorithm),
        };
        let hash = match hash {
            1 => Hash::Sha256,
            2 => Hash::Sha384,
            4 => Hash::Sha512,
            _ => return Err(SpdmError::Algorithm),
        };
        Ok(Self {
            version,
            hash,
            signature,
            messages,
        })
    }
}

/// Reads a header; gives its two parameters.
fn header(bytes: &mut Bytes<'_>, version: u8, wanted: u8) -> Result<[u8; 2], SpdmError> {
    let [found_version, found, first, second] = bytes.array()?;
    if found_version != version {
        let found = found_version;
        return Err(SpdmError::Version { found });
    }
    if found != wanted {
        return Err(SpdmError::Message { wanted, found });
    }
    Ok([first, second])
}

/// Reads a message about algorithms; gives those for signatures and for hashes.
fn algorithms(bytes: &mut Bytes<'_>, version: u8, code: u8) -> Result<(u32, u32), SpdmError> {
    let start = *bytes;
    header(bytes, version, code)?;
    let length = usize::from(bytes.u16()?);
    bytes.u16()?;
    if code == ALGORITHMS {
        bytes.u32()?;
    }
    let chosen = (bytes.u32()?, bytes.u32()?);
    let read = start.rest().len() - bytes.rest().len();
    bytes.take(length.checked_sub(read).ok_or(Short)?)?;
    Ok(chosen)
}

/// One thing that was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// Which one; the device decides what it stands for.
    pub index: u8,
    /// What kind: 0 ROM, 1 firmware, 2 and 3 configuration, 6 version, and so on.
    pub kind: u8,
    /// Whether it is what was measured, and not a digest of it.
    pub raw: bool,
    /// The value.
    pub value: &'a [u8],
}

/// All that was measured, and signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measurements<'a> {
    /// The record, as it came.
    pub record: &'a [u8],
    blocks: u8,
}

impl<'a> Measurements<'a> {
    /// Reads request and response, and checks that `key` signed them.
    ///
    /// # Errors
    ///
    /// [`SpdmError`].
    pub fn verify(
        messages: &'a [u8],
        negotiation: &Negotiation<'_>,
        key: &PublicKey,
    ) -> Result<Self, SpdmError> {
        let version = negotiation.version;
        let mut bytes = Bytes::new(messages);
        let [attributes, operation] = header(&mut bytes, version, GET_MEASUREMENTS)?;
        if attributes & (SIGNED | RAW) != SIGNED | RAW || operation != ALL {
            return Err(SpdmError::Incomplete);
        }
        let context = if version >= WITH_CONTEXT { 8 } else { 0 };
        // The platform's nonce, and the slot of the certificate.
        bytes.take(32 + 1 + context)?;
        header(&mut bytes, version, MEASUREMENTS)?;
        let blocks = bytes.u8()?;
        let length = bytes.u24()?;
        let record = bytes.take(length)?;
        bytes.take(32)?;
        let opaque = usize::from(bytes.u16()?);
        bytes.take(opaque + context)?;
        let signature = bytes.take(negotiation.signature)?;
        if !bytes.rest().is_empty() {
            return Err(SpdmError::Trailing);
        }
        let signed = messages.len() - signature.len();
        let signed = messages.get(..signed).unwrap_or_default();
        is_signed(negotiation, signed, signature, key)?;
        let read = Self { record, blocks };
        match read.iter().try_fold(0_u16, |n, block| block.map(|_| n + 1)) {
            Ok(n) if n == u16::from(blocks) => Ok(read),
            _ => Err(SpdmError::Record),
        }
    }

    /// What was measured, in the device's order.
    pub fn blocks(&self) -> impl Iterator<Item = Block<'a>> + use<'a> {
        blocks(self.record)
    }

    fn iter(&self) -> impl Iterator<Item = Result<Block<'a>, SpdmError>> + use<'a> {
        let mut bytes = Bytes::new(self.record);
        core::iter::from_fn(move || match bytes.rest() {
            [] => None,
            _ => Some(block(&mut bytes)),
        })
        // One more than there can be, so that a record with too many shows.
        .take(usize::from(self.blocks) + 1)
    }
}

/// The blocks of a record that [`Measurements::verify`] has read, in the device's order. One that was not may end
/// early.
pub fn blocks(record: &[u8]) -> impl Iterator<Item = Block<'_>> {
    let mut bytes = Bytes::new(record);
    core::iter::from_fn(move || block(&mut bytes).ok())
}

fn block<'a>(bytes: &mut Bytes<'a>) -> Result<Block<'a>, SpdmError> {
    let [index, specification] = bytes.array()?;
    let size = usize::from(bytes.u16()?);
    let mut inner = Bytes::new(bytes.take(size)?);
    if specification != DMTF {
        return Err(SpdmError::Record);
    }
    let kind = inner.u8()?;
    let length = usize::from(inner.u16()?);
    let value = inner.take(length)?;
    if !inner.rest().is_empty() {
        return Err(SpdmError::Record);
    }
    Ok(Block {
        index,
        kind: kind & !RAW_VALUE,
        raw: kind & RAW_VALUE != 0,
        value,
    })
}

/// Whether `key` signed `messages` after `negotiation`. The signature is over a digest with a context,
/// so that one made for something else is not good for this.
///
/// Ref: DSP0274 1.2, 15 "Signature generation".
fn is_signed(
    negotiation: &Negotiation<'_>,
    messages: &[u8],
    signature: &[u8],
    key: &PublicKey,
) -> Result<(), SpdmError> {
    let digit = |nibble: u8| b'0' + (nibble & 0xf).min(9);
    let mut label = *b"dmtf-spdm-v1.2.*";
    label[11] = digit(negotiation.version >> 4);
    label[13] = digit(negotiation.version);
    let transcript = negotiation.hash.digest(&[negotiation.messages, messages]);
    let parts: [&[u8]; 7] = [
        &label,
        &label,
        &label,
        &label,
        &[0; 6],
        CONTEXT,
        transcript.as_bytes(),
    ];
    let digest = negotiation.hash.digest(&parts);
    let verified = key.verify(&digest, signature);
    verified.map_err(|_: KeyError| SpdmError::Signature)
}
