//! One certificate.

use core::fmt;

use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, OctetStringRef, UintRef};
use der::{Decode as _, Reader as _, SliceReader, Tag, TagNumber, Tagged as _};

use crate::key::KeyError;
use crate::{Hash, PublicKey};

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const ECDSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
/// What else a key is for does not matter here; makers mark it critical.
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");

const DIGITAL_SIGNATURE: u8 = 0x80;
const KEY_CERT_SIGN: u8 = 0x04;
/// The most extensions that are read.
const MOST_EXTENSIONS: usize = 32;
/// Bytes of the longest signature that is taken.
const LONGEST_SIGNATURE: usize = 96;

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not a certificate in DER, version 3.
    Form,
    /// It is signed by an algorithm that is not supported.
    Algorithm,
    /// Its key is not one that we can use, or its signature is wrong.
    Key(KeyError),
    /// It does not name the certificate before it as its issuer.
    Issuer,
    /// An extension that has to be understood is not.
    Extension,
    /// An extension that says what it may comes twice, so it says two things.
    Repeated,
    /// It signs a certificate, and may not.
    NotAnAuthority,
    /// It belongs to a device and may not sign data.
    NotForSigning,
    /// There are more certificates than it, or we, allow.
    TooLong,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "not a certificate",
            Self::Algorithm => "signed by an algorithm that is not supported",
            Self::Key(error) => return write!(f, "{error}"),
            Self::Issuer => "does not name the one before it as its issuer",
            Self::Extension => "has a critical extension that is not known",
            Self::Repeated => "has an extension twice",
            Self::NotAnAuthority => "may not sign another",
            Self::NotForSigning => "may not sign measurements",
            Self::TooLong => "there are more than are allowed",
        })
    }
}

impl From<der::Error> for Fault {
    fn from(_: der::Error) -> Self {
        Self::Form
    }
}

/// Splits the first value off.
pub(super) fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), Fault> {
    let mut reader = SliceReader::new(bytes)?;
    let one = reader.tlv_bytes()?;
    let rest = bytes.get(one.len()..).ok_or(Fault::Form)?;
    Ok((one, rest))
}

/// A certificate, as far as it matters here.
pub(super) struct Certificate<'a> {
    signed: &'a [u8],
    hash: Hash,
    signature: &'a [u8],
    issuer: &'a [u8],
    subject: &'a [u8],
    pub(super) key: PublicKey,
    extensions: Extensions,
}

/// What the extensions that we know say.
#[derive(Clone, Copy, Debug, Default)]
struct Extensions {
    /// Whether basic constraints were there.
    constrained: bool,
    authority: bool,
    path: Option<usize>,
    usage: Option<u8>,
}

impl<'a> Certificate<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
        let mut outer = content(bytes)?;
        let signed = outer.tlv_bytes()?;
        let algorithm = outer.tlv_bytes()?;
        let signature = BitStringRef::decode(&mut outer)?;
        outer.finish()?;
        let mut inner = content(signed)?;
        let version = AnyRef::decode(&mut inner)?;
        let three = version.value() == [2, 1, 2] && context(version.tag(), 0);
        AnyRef::decode(&mut inner)?;
        if !three || inner.tlv_bytes()? != algorithm {
            return Err(Fault::Form);
        }
        let issuer = inner.tlv_bytes()?;
        AnyRef::decode(&mut inner)?;
        let subject = inner.tlv_bytes()?;
        let key = public_key(inner.tlv_bytes()?)?;
        let extensions = extensions(inner)?;
        Ok(Self {
            signed,
            hash: hash(algorithm)?,
            signature: signature.as_bytes().ok_or(Fault::Form)?,
            issuer,
            subject,
            key,
            extensions,
        })
    }

    /// Whether `issuer` is who signed this.
    pub(super) fn is_by(&self, issuer: &Self) -> Result<(), Fault> {
        if self.issuer != issuer.subject {
            return Err(Fault::Issuer);
        }
        let mut reader = content(self.signature)?;
        let (r, s) = (UintRef::decode(&mut reader)?, UintRef::decode(&mut reader)?);
        reader.finish()?;
        let half = issuer.key.coordinate();
        let mut flat = [0; LONGEST_SIGNATURE];
        for (number, slot) in [r, s].into_iter().zip(flat.chunks_exact_mut(half)) {
            let digits = number.as_bytes();
            let at = half.checked_sub(digits.len());
            let slot = at.and_then(|at| slot.get_mut(at..));
            let slot = slot.ok_or(Fault::Key(KeyError::Signature))?;
            slot.copy_from_slice(digits);
        }
        let digest = self.hash.digest(&[self.signed]);
        let flat = flat.get(..2 * half).unwrap_or(&flat);
        Ok(issuer.key.verify(&digest, flat)?)
    }

    /// Whether it may sign others, and how many may come between them and the device.
    pub(super) fn may_sign_certificates(&self) -> Result<Option<usize>, Fault> {
        let usage = self.extensions.usage;
        let allowed = usage.is_none_or(|usage| usage & KEY_CERT_SIGN != 0);
        if self.extensions.authority && allowed {
            Ok(self.extensions.path)
        } else {
            Err(Fault::NotAnAuthority)
        }
    }

    /// Whether it may sign measurements.
    pub(super) fn may_sign_data(&self) -> Result<(), Fault> {
        let usage = self.extensions.usage;
        match usage.is_none_or(|usage| usage & DIGITAL_SIGNATURE != 0) {
            true => Ok(()),
            false => Err(Fault::NotForSigning),
        }
    }
}

/// What is in the sequence that `bytes` are.
fn content(bytes: &[u8]) -> Result<SliceReader<'_>, Fault> {
    let sequence = AnyRef::from_der(bytes)?;
    if sequence.tag() != Tag::Sequence {
        return Err(Fault::Form);
    }
    Ok(SliceReader::new(sequence.value())?)
}

fn context(tag: Tag, wanted: u32) -> bool {
    let number = TagNumber(wanted);
    tag == Tag::ContextSpecific {
        constructed: true,
        number,
    }
}

fn hash(algorithm: &[u8]) -> Result<Hash, Fault> {
    let mut reader = content(algorithm)?;
    let identifier = ObjectIdentifier::decode(&mut reader)?;
    // These algorithms have no parameters.
    reader.finish()?;
    match identifier {
        ECDSA_SHA256 => Ok(Hash::Sha256),
        ECDSA_SHA384 => Ok(Hash::Sha384),
        ECDSA_SHA512 => Ok(Hash::Sha512),
        _ => Err(Fault::Algorithm),
    }
}

fn public_key(bytes: &[u8]) -> Result<PublicKey, Fault> {
    let mut reader = content(bytes)?;
    let mut algorithm = content(reader.tlv_bytes()?)?;
    let point = BitStringRef::decode(&mut reader)?;
    reader.finish()?;
    let point = point.as_bytes().ok_or(Fault::Form)?;
    if ObjectIdentifier::decode(&mut algorithm)? != EC_PUBLIC_KEY {
        return Err(Fault::Key(KeyError::Curve));
    }
    let curve = ObjectIdentifier::decode(&mut algorithm)?;
    algorithm.finish()?;
    Ok(match curve {
        P256 => PublicKey::p256(point)?,
        P384 => PublicKey::p384(point)?,
        _ => return Err(Fault::Key(KeyError::Curve)),
    })
}

/// Reads what is behind the key: unique identifiers, which nobody has, and extensions.
fn extensions(mut inner: SliceReader<'_>) -> Result<Extensions, Fault> {
    let mut found = Extensions::default();
    if inner.is_finished() {
        return Ok(found);
    }
    let outer = AnyRef::decode(&mut inner)?;
    inner.finish()?;
    if !context(outer.tag(), 3) {
        return Err(Fault::Form);
    }
    let mut list = content(outer.value())?;
    for _ in 0..MOST_EXTENSIONS {
        if list.is_finished() {
            return Ok(found);
        }
        found.note(list.tlv_bytes()?)?;
    }
    Err(Fault::Form)
}

impl Extensions {
    fn note(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let mut reader = content(bytes)?;
        let kind = ObjectIdentifier::decode(&mut reader)?;
        let critical = match Tag::peek(&reader)? {
            Tag::Boolean => bool::decode(&mut reader)?,
            _ => false,
        };
        let value = <&OctetStringRef>::decode(&mut reader)?.as_bytes();
        reader.finish()?;
        match kind {
            // Ref: RFC 5280, 4.2: an extension is there once at most.
            BASIC_CONSTRAINTS if self.constrained => Err(Fault::Repeated),
            KEY_USAGE if self.usage.is_some() => Err(Fault::Repeated),
            BASIC_CONSTRAINTS => self.constrain(value),
            KEY_USAGE => {
                let bits = BitStringRef::from_der(value)?;
                self.usage = Some(bits.raw_bytes().first().copied().unwrap_or(0));
                Ok(())
            }
            EXTENDED_KEY_USAGE => Ok(()),
            _ if critical => Err(Fault::Extension),
            _ => Ok(()),
        }
    }

    fn constrain(&mut self, value: &[u8]) -> Result<(), Fault> {
        self.constrained = true;
        let mut reader = content(value)?;
        if !reader.is_finished() && Tag::peek(&reader)? == Tag::Boolean {
            self.authority = bool::decode(&mut reader)?;
        }
        if !reader.is_finished() {
            self.path = Some(usize::from(u8::decode(&mut reader)?));
        }
        Ok(reader.finish()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTHORITY: [u8; 17] = [
        0x30, 0x0f, 6, 3, 0x55, 0x1d, 19, 1, 1, 0xff, 4, 5, 0x30, 3, 1, 1, 0xff,
    ];
    const MAY_SIGN_DATA: [u8; 13] = [0x30, 11, 6, 3, 0x55, 0x1d, 15, 4, 4, 3, 2, 7, 0x80];
    const MAY_SIGN_OTHERS: [u8; 13] = [0x30, 11, 6, 3, 0x55, 0x1d, 15, 4, 4, 3, 2, 2, 4];

    fn noted(all: &[&[u8]]) -> Result<Extensions, Fault> {
        let mut found = Extensions::default();
        all.iter().try_for_each(|one| found.note(one))?;
        Ok(found)
    }

    #[test]
    fn extensions_say_what_a_certificate_may() {
        let found = noted(&[&AUTHORITY, &MAY_SIGN_OTHERS]).unwrap();
        assert!(found.authority);
        assert_eq!(found.usage, Some(KEY_CERT_SIGN));
    }

    #[test]
    fn an_extension_that_comes_twice_is_refused_and_overrides_nothing() {
        let twice: [&[&[u8]]; 3] = [
            &[&AUTHORITY, &AUTHORITY],
            &[&MAY_SIGN_DATA, &MAY_SIGN_OTHERS],
            &[&MAY_SIGN_OTHERS, &AUTHORITY, &MAY_SIGN_OTHERS],
        ];
        for all in twice {
            assert_eq!(noted(all).map(|found| found.usage), Err(Fault::Repeated));
        }
    }
}
