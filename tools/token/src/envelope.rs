//! The envelope: which two tokens there are, and how they are wrapped.

use alloc::vec::Vec;

use crate::cbor::{Once, Reader, Writer};
use crate::{DecodeError, MAX_TOKEN, Part};

const PLATFORM_KEY: i64 = 44234;
const REALM_KEY: i64 = 44241;
const CCA_TAG: u64 = 399;
const CMW_TAG: u64 = 907;
/// CoAP content format of EAT with CWT claims.
const EAT_CWT: i64 = 263;

/// How an envelope is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Tag 399 with the tokens as they are: RMM 1.0, TF-RMM up to 0.8.
    #[default]
    Cca,
    /// Tag 907 with each token as a CMW record: TF-RMM since 0.9.
    Cmw,
}

impl Form {
    /// The CBOR tag that the envelope begins with.
    pub const fn tag(self) -> u64 {
        match self {
            Self::Cca => CCA_TAG,
            Self::Cmw => CMW_TAG,
        }
    }
}

/// Two tokens, each still in its COSE structure.
///
/// Ref: DEN0137 1.0-rel0, A7.2.3 "CCA attestation token"; draft-ietf-rats-msg-wrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// How they are wrapped.
    pub form: Form,
    /// The platform token.
    pub platform: &'a [u8],
    /// The realm token.
    pub realm: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// Takes `bytes` apart.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] says what is not as it should be.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_TOKEN {
            return Err(DecodeError::TooLong { size: bytes.len() });
        }
        let part = Part::Envelope;
        let mut reader = Reader::new(bytes, part);
        let form = match reader.tag()? {
            CCA_TAG => Form::Cca,
            CMW_TAG => Form::Cmw,
            tag => return Err(DecodeError::Tag { part, tag }),
        };
        let (mut platform, mut realm) = (Once::default(), Once::default());
        for _ in 0..reader.map()? {
            match reader.key()? {
                Some(PLATFORM_KEY) => {
                    platform.fill(part, PLATFORM_KEY, record(&mut reader, form)?)?
                }
                Some(REALM_KEY) => realm.fill(part, REALM_KEY, record(&mut reader, form)?)?,
                _ => reader.skip()?,
            }
        }
        reader.end()?;
        Ok(Self {
            form,
            platform: platform.required(part, PLATFORM_KEY)?,
            realm: realm.required(part, REALM_KEY)?,
        })
    }

    /// Writes the envelope.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.tag(self.form.tag()).map(2);
        for (key, token) in [(PLATFORM_KEY, self.platform), (REALM_KEY, self.realm)] {
            writer.integer(key);
            if self.form == Form::Cmw {
                writer.array(2).integer(EAT_CWT);
            }
            writer.bytes(token);
        }
        writer.finish()
    }
}

/// One token, out of its record.
fn record<'a>(reader: &mut Reader<'a>, form: Form) -> Result<&'a [u8], DecodeError> {
    if form == Form::Cmw {
        let elements = reader.array()?;
        if elements != 2 || reader.integer()? != EAT_CWT {
            return Err(reader.here());
        }
    }
    reader.bytes()
}
