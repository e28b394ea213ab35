//! What the platform token says.

use alloc::vec::Vec;

use super::{CHALLENGE, Component, INSTANCE_ID, PROFILE, digest, exactly, name, pass};
use crate::cbor::{Once, Reader, Writer};
use crate::{DecodeError, Lifecycle, Part};

const LIFECYCLE: i64 = 2395;
const IMPLEMENTATION_ID: i64 = 2396;
const COMPONENTS: i64 = 2399;
const VERIFICATION_SERVICE: i64 = 2400;
const CONFIG: i64 = 2401;
const HASH_ALGORITHM: i64 = 2402;
const PART: Part = Part::PlatformClaims;

/// Which rules a platform token follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlatformProfile {
    /// The profile from before RMM 1.0 was released.
    Legacy,
    /// The profile of RMM 1.0.
    V1_0_0,
}

impl PlatformProfile {
    /// Its name in a token.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Legacy => "http://arm.com/CCA-SSD/1.0.0",
            Self::V1_0_0 => "tag:arm.com,2023:cca_platform#1.0.0",
        }
    }

    fn from_name(name: &str) -> Result<Self, DecodeError> {
        [Self::Legacy, Self::V1_0_0]
            .into_iter()
            .find(|profile| profile.name() == name)
            .ok_or(DecodeError::Profile { part: PART })
    }
}

/// What the platform token says.
///
/// Ref: DEN0137 1.0-rel0, A7.2.4 "CCA platform token".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformClaims<'a> {
    /// Which rules it follows.
    pub profile: PlatformProfile,
    /// Hash of the realm attestation key.
    pub challenge: &'a [u8],
    /// Which make of platform it is.
    pub implementation_id: &'a [u8; 32],
    /// Which platform of that make it is.
    pub instance_id: &'a [u8; 33],
    /// How the platform is configured.
    pub config: &'a [u8],
    /// Its security state.
    pub lifecycle: Lifecycle,
    /// Its firmware.
    pub components: Vec<Component<'a>>,
    /// Where it says that it can be verified.
    pub verification_service: Option<&'a str>,
    /// How the firmware was hashed.
    pub hash_algorithm: &'a str,
    /// Keys of claims that are not known here.
    pub unknown: Vec<i64>,
}

#[derive(Default)]
struct Draft<'a> {
    profile: Once<PlatformProfile>,
    challenge: Once<&'a [u8]>,
    implementation_id: Once<&'a [u8; 32]>,
    instance_id: Once<&'a [u8; 33]>,
    config: Once<&'a [u8]>,
    lifecycle: Once<Lifecycle>,
    components: Once<Vec<Component<'a>>>,
    verification_service: Once<&'a str>,
    hash_algorithm: Once<&'a str>,
    unknown: Vec<i64>,
}

impl<'a> Draft<'a> {
    fn claim(&mut self, reader: &mut Reader<'a>, key: Option<i64>) -> Result<(), DecodeError> {
        let Some(known) = key else {
            return pass(reader, key, &mut self.unknown);
        };
        match known {
            PROFILE => {
                let profile = PlatformProfile::from_name(reader.text()?)?;
                self.profile.fill(PART, known, profile)
            }
            CHALLENGE => self
                .challenge
                .fill(PART, known, digest(reader.bytes()?, PART, known)?),
            IMPLEMENTATION_ID => {
                let id = exactly(reader.bytes()?, PART, known)?;
                self.implementation_id.fill(PART, known, id)
            }
            INSTANCE_ID => {
                self.instance_id
                    .fill(PART, known, exactly(reader.bytes()?, PART, known)?)
            }
            CONFIG => self.config.fill(PART, known, reader.bytes()?),
            LIFECYCLE => self
                .lifecycle
                .fill(PART, known, lifecycle(reader.integer()?)?),
            COMPONENTS => self.components.fill(PART, known, components(reader)?),
            VERIFICATION_SERVICE => self.verification_service.fill(PART, known, reader.text()?),
            HASH_ALGORITHM => {
                let name = name(reader.text()?, PART, known)?;
                self.hash_algorithm.fill(PART, known, name)
            }
            _ => pass(reader, key, &mut self.unknown),
        }
    }

    fn finish(self) -> Result<PlatformClaims<'a>, DecodeError> {
        Ok(PlatformClaims {
            profile: self.profile.required(PART, PROFILE)?,
            challenge: self.challenge.required(PART, CHALLENGE)?,
            implementation_id: self.implementation_id.required(PART, IMPLEMENTATION_ID)?,
            instance_id: self.instance_id.required(PART, INSTANCE_ID)?,
            config: self.config.required(PART, CONFIG)?,
            lifecycle: self.lifecycle.required(PART, LIFECYCLE)?,
            components: self.components.required(PART, COMPONENTS)?,
            verification_service: self.verification_service.optional(),
            hash_algorithm: self.hash_algorithm.required(PART, HASH_ALGORITHM)?,
            unknown: self.unknown,
        })
    }
}

impl<'a> PlatformClaims<'a> {
    /// Reads the payload of a platform token.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] says what is not as it should be.
    pub fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload, PART);
        let mut draft = Draft::default();
        for _ in 0..reader.map()? {
            let key = reader.key()?;
            draft.claim(&mut reader, key)?;
        }
        reader.end()?;
        draft.finish()
    }

    /// Writes the payload of a platform token. Unknown claims are left out.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.map(8 + usize::from(self.verification_service.is_some()));
        writer.integer(PROFILE).text(self.profile.name());
        writer.integer(CHALLENGE).bytes(self.challenge);
        writer
            .integer(IMPLEMENTATION_ID)
            .bytes(self.implementation_id);
        writer.integer(INSTANCE_ID).bytes(self.instance_id);
        writer.integer(CONFIG).bytes(self.config);
        writer
            .integer(LIFECYCLE)
            .integer(i64::from(self.lifecycle.0));
        writer.integer(HASH_ALGORITHM).text(self.hash_algorithm);
        if let Some(service) = self.verification_service {
            writer.integer(VERIFICATION_SERVICE).text(service);
        }
        writer.integer(COMPONENTS).array(self.components.len());
        for component in &self.components {
            component.encode(&mut writer);
        }
        writer.finish()
    }
}

fn lifecycle(number: i64) -> Result<Lifecycle, DecodeError> {
    let number = u16::try_from(number);
    number.map(Lifecycle).map_err(|_| DecodeError::Value {
        part: PART,
        key: LIFECYCLE,
    })
}

fn components<'a>(reader: &mut Reader<'a>) -> Result<Vec<Component<'a>>, DecodeError> {
    let count = reader.array()?;
    (0..count).map(|_| Component::decode(reader)).collect()
}
