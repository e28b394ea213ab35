//! A whole token, decoded and not judged.

use crate::{DecodeError, Envelope, Form, Part, PlatformClaims, RealmClaims, RealmKey, Sign1};

/// A whole token, decoded and not judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// How the two tokens are wrapped.
    pub form: Form,
    /// The platform token.
    pub platform: Sign1<'a>,
    /// What it says.
    pub platform_claims: PlatformClaims<'a>,
    /// The realm token.
    pub realm: Sign1<'a>,
    /// What it says.
    pub realm_claims: RealmClaims<'a>,
    /// The key that it says it is signed by.
    pub realm_key: RealmKey,
}

impl<'a> Token<'a> {
    /// Takes `bytes` apart.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] says what is not as it should be.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let envelope = Envelope::decode(bytes)?;
        let platform = Sign1::decode(envelope.platform, Part::PlatformToken)?;
        let platform_claims = PlatformClaims::decode(platform.payload)?;
        let realm = Sign1::decode(envelope.realm, Part::RealmToken)?;
        let realm_claims = RealmClaims::decode(realm.payload)?;
        let realm_key = RealmKey::decode(realm_claims.public_key, realm_claims.profile)?;
        Ok(Self {
            form: envelope.form,
            platform,
            platform_claims,
            realm,
            realm_claims,
            realm_key,
        })
    }
}
