//! What the realm token says.

use alloc::vec::Vec;

use super::{CHALLENGE, INSTANCE_ID, PROFILE, digest, exactly, name, pass};
use crate::cbor::{Once, Reader, Writer};
use crate::{DecodeError, Part};

const PERSONALIZATION: i64 = 44235;
const HASH_ALGORITHM: i64 = 44236;
const PUBLIC_KEY: i64 = 44237;
const RIM: i64 = 44238;
const REM: i64 = 44239;
const KEY_HASH_ALGORITHM: i64 = 44240;
const MEC_POLICY: i64 = 44243;
const PART: Part = Part::RealmClaims;

/// Which rules a realm token follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RealmProfile {
    /// No profile claim: from before RMM 1.0 was released. The realm's key is 97 bytes.
    Legacy,
    /// RMM 1.0. The realm's key is a `COSE_Key`.
    #[default]
    V1_0_0,
    /// TF-RMM since July 2026.
    V2_0_0,
}

impl RealmProfile {
    /// Its name in a token, if it has one.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Legacy => None,
            Self::V1_0_0 => Some("tag:arm.com,2023:realm#1.0.0"),
            Self::V2_0_0 => Some("tag:arm.com,2024:realm#2.0.0"),
        }
    }

    fn from_name(name: &str) -> Result<Self, DecodeError> {
        [Self::V1_0_0, Self::V2_0_0]
            .into_iter()
            .find(|profile| profile.name() == Some(name))
            .ok_or(DecodeError::Profile { part: PART })
    }
}

/// With whom a realm shares its memory encryption key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MecPolicy {
    /// With other realms.
    Shared,
    /// With nobody.
    Private,
}

/// What the realm token says.
///
/// Ref: DEN0137 1.0-rel0, A7.2.3.1 "Realm token".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RealmClaims<'a> {
    /// Which rules it follows.
    pub profile: RealmProfile,
    /// What the verifier sent.
    pub challenge: &'a [u8; 64],
    /// The realm personalization value: what tells apart realms of one image.
    pub personalization: &'a [u8; 64],
    /// How the realm was measured.
    pub hash_algorithm: &'a str,
    /// The realm attestation key, as it is encoded in the token.
    pub public_key: &'a [u8],
    /// The realm initial measurement.
    pub rim: &'a [u8],
    /// The realm extensible measurements 1 to 4.
    pub rems: [&'a [u8]; 4],
    /// How the platform token hashes `public_key`.
    pub public_key_hash_algorithm: &'a str,
    /// With whom the realm shares its memory encryption key. Profile 2.0.0 has a number for it, the
    /// ones before a text.
    pub mec_policy: Option<MecPolicy>,
    /// Which realm this is. Profile 2.0.0 only.
    pub instance_id: Option<&'a [u8; 33]>,
    /// Keys of claims that are not known here.
    pub unknown: Vec<i64>,
}

#[derive(Default)]
struct Draft<'a> {
    profile: Once<RealmProfile>,
    challenge: Once<&'a [u8; 64]>,
    personalization: Once<&'a [u8; 64]>,
    hash_algorithm: Once<&'a str>,
    public_key: Once<&'a [u8]>,
    rim: Once<&'a [u8]>,
    rems: Once<[&'a [u8]; 4]>,
    public_key_hash_algorithm: Once<&'a str>,
    mec_policy: Once<MecPolicy>,
    instance_id: Once<&'a [u8; 33]>,
    unknown: Vec<i64>,
}

impl<'a> Draft<'a> {
    fn claim(&mut self, reader: &mut Reader<'a>, key: Option<i64>) -> Result<(), DecodeError> {
        let Some(known) = key else {
            return pass(reader, key, &mut self.unknown);
        };
        match known {
            CHALLENGE => self
                .challenge
                .fill(PART, known, exactly(reader.bytes()?, PART, known)?),
            INSTANCE_ID => {
                self.instance_id
                    .fill(PART, known, exactly(reader.bytes()?, PART, known)?)
            }
            PROFILE => self
                .profile
                .fill(PART, known, RealmProfile::from_name(reader.text()?)?),
            PERSONALIZATION => {
                let value = exactly(reader.bytes()?, PART, known)?;
                self.personalization.fill(PART, known, value)
            }
            HASH_ALGORITHM => {
                let name = name(reader.text()?, PART, known)?;
                self.hash_algorithm.fill(PART, known, name)
            }
            PUBLIC_KEY => self.public_key.fill(PART, known, reader.bytes()?),
            RIM => self
                .rim
                .fill(PART, known, digest(reader.bytes()?, PART, known)?),
            REM => self.rems.fill(PART, known, rems(reader)?),
            KEY_HASH_ALGORITHM => {
                let name = name(reader.text()?, PART, known)?;
                self.public_key_hash_algorithm.fill(PART, known, name)
            }
            MEC_POLICY => self.mec_policy.fill(PART, known, mec_policy(reader)?),
            _ => pass(reader, key, &mut self.unknown),
        }
    }

    fn finish(self) -> Result<RealmClaims<'a>, DecodeError> {
        Ok(RealmClaims {
            profile: self.profile.optional().unwrap_or(RealmProfile::Legacy),
            challenge: self.challenge.required(PART, CHALLENGE)?,
            personalization: self.personalization.required(PART, PERSONALIZATION)?,
            hash_algorithm: self.hash_algorithm.required(PART, HASH_ALGORITHM)?,
            public_key: self.public_key.required(PART, PUBLIC_KEY)?,
            rim: self.rim.required(PART, RIM)?,
            rems: self.rems.required(PART, REM)?,
            public_key_hash_algorithm: self
                .public_key_hash_algorithm
                .required(PART, KEY_HASH_ALGORITHM)?,
            mec_policy: self.mec_policy.optional(),
            instance_id: self.instance_id.optional(),
            unknown: self.unknown,
        })
    }
}

impl<'a> RealmClaims<'a> {
    /// Reads the payload of a realm token.
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

    /// Writes the payload of a realm token, in the order that TF-RMM has. Unknown claims are left out.
    pub fn encode(&self) -> Vec<u8> {
        let optional = [
            self.profile.name().is_some(),
            self.instance_id.is_some(),
            self.mec_policy.is_some(),
        ];
        let mut writer = Writer::new();
        writer.map(7 + optional.into_iter().filter(|there| *there).count());
        writer.integer(CHALLENGE).bytes(self.challenge);
        if let Some(id) = self.instance_id {
            writer.integer(INSTANCE_ID).bytes(id);
        }
        writer.integer(PERSONALIZATION).bytes(self.personalization);
        writer.integer(PUBLIC_KEY).bytes(self.public_key);
        writer.integer(HASH_ALGORITHM).text(self.hash_algorithm);
        writer
            .integer(KEY_HASH_ALGORITHM)
            .text(self.public_key_hash_algorithm);
        if let Some(policy) = self.mec_policy {
            self.encode_mec_policy(policy, &mut writer);
        }
        if let Some(profile) = self.profile.name() {
            writer.integer(PROFILE).text(profile);
        }
        writer.integer(RIM).bytes(self.rim);
        writer.integer(REM).array(self.rems.len());
        for rem in self.rems {
            writer.bytes(rem);
        }
        writer.finish()
    }

    fn encode_mec_policy(&self, policy: MecPolicy, writer: &mut Writer) {
        writer.integer(MEC_POLICY);
        match (self.profile, policy) {
            (RealmProfile::V2_0_0, policy) => {
                writer.integer(i64::from(policy == MecPolicy::Private))
            }
            (_, MecPolicy::Private) => writer.text("private"),
            (_, MecPolicy::Shared) => writer.text("shared"),
        };
    }
}

fn rems<'a>(reader: &mut Reader<'a>) -> Result<[&'a [u8]; 4], DecodeError> {
    if reader.array()? != 4 {
        return Err(DecodeError::Value {
            part: PART,
            key: REM,
        });
    }
    let mut rems = [[].as_slice(); 4];
    for rem in &mut rems {
        *rem = digest(reader.bytes()?, PART, REM)?;
    }
    Ok(rems)
}

fn mec_policy(reader: &mut Reader<'_>) -> Result<MecPolicy, DecodeError> {
    let known = if reader.is_text()? {
        match reader.text()? {
            "private" => Some(MecPolicy::Private),
            "shared" => Some(MecPolicy::Shared),
            _ => None,
        }
    } else {
        match reader.integer()? {
            0 => Some(MecPolicy::Shared),
            1 => Some(MecPolicy::Private),
            _ => None,
        }
    };
    known.ok_or(DecodeError::Value {
        part: PART,
        key: MEC_POLICY,
    })
}
