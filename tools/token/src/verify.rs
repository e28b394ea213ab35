//! Judging a token, check by check.

mod appraisal;
mod key;
mod policy;

pub use appraisal::{Appraisal, Check, Reason, Verdict};
pub use key::{KeyError, PlatformKey, PublicKey};
pub use policy::Policy;

use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::{Sign1, SignatureAlgorithm, Token};

/// Makes every check of `policy` on `token`, in the order in which each rests on the ones before it.
///
/// A check that fails does not stop the others: which ones fail together tells where the damage is.
pub fn appraise(token: &Token<'_>, policy: &Policy<'_>) -> Appraisal {
    let claims = &token.realm_claims;
    let mut appraisal = Appraisal::default();
    appraisal.record(Check::PlatformSignature, platform_signature(token, policy));
    appraisal.record(Check::Lifecycle, lifecycle(token, policy));
    appraisal.record(Check::Binding, binding(token));
    appraisal.record(Check::RealmSignature, realm_signature(token));
    let challenge = policy
        .challenge
        .map(|challenge| challenge == claims.challenge);
    appraisal.ask(Check::Challenge, challenge, Reason::Challenge);
    let rim = policy
        .rims
        .map(|rims| rims.iter().any(|rim| rim == claims.rim));
    appraisal.ask(Check::Rim, rim, Reason::Rim);
    for ((index, expected), found) in (1..).zip(policy.rems).zip(claims.rems) {
        let equal = expected.map(|expected| expected == found);
        appraisal.ask(Check::Rem(index), equal, Reason::Rem { index });
    }
    let [_, _, third, _] = claims.rems;
    let known = policy.devices;
    let known = known.map(|values| values.iter().any(|value| value == third));
    appraisal.ask(Check::Devices, known, Reason::Devices);
    let personalization = policy.personalization;
    let equal = personalization.map(|expected| expected == claims.personalization);
    appraisal.ask(Check::Personalization, equal, Reason::Personalization);
    appraisal
}

/// The platform token is signed by a key that is endorsed for this platform.
fn platform_signature(token: &Token<'_>, policy: &Policy<'_>) -> Result<(), Reason> {
    let claims = &token.platform_claims;
    let mut endorsed = false;
    for key in policy.platform_keys.iter().filter(|key| key.is_for(claims)) {
        endorsed = true;
        if key.public_key.verify(&token.platform).is_ok() {
            return Ok(());
        }
    }
    Err(match endorsed {
        true => Reason::PlatformSignature,
        false => Reason::PlatformNotEndorsed,
    })
}

/// The platform is in a state that the policy allows.
fn lifecycle(token: &Token<'_>, policy: &Policy<'_>) -> Result<(), Reason> {
    let lifecycle = token.platform_claims.lifecycle;
    policy
        .lifecycles
        .contains(&lifecycle.state())
        .then_some(())
        .ok_or(Reason::Lifecycle { lifecycle })
}

/// The platform token carries the hash of the realm's key, as that is encoded in the realm token.
fn binding(token: &Token<'_>) -> Result<(), Reason> {
    let claims = &token.realm_claims;
    let (key, challenge) = (claims.public_key, token.platform_claims.challenge);
    let bound = match claims.public_key_hash_algorithm {
        "sha-256" => challenge == Sha256::digest(key).as_slice(),
        "sha-384" => challenge == Sha384::digest(key).as_slice(),
        "sha-512" => challenge == Sha512::digest(key).as_slice(),
        _ => return Err(Reason::BindingAlgorithm),
    };
    bound.then_some(()).ok_or(Reason::Binding)
}

/// The realm token is signed by the realm's key.
fn realm_signature(token: &Token<'_>) -> Result<(), Reason> {
    let point = token.realm_key.to_point();
    let key = PublicKey::from_point(SignatureAlgorithm::Es384, &point);
    let key = key.map_err(|_| Reason::RealmKey)?;
    key.verify(&token.realm)
        .map_err(|()| Reason::RealmSignature)
}

impl PublicKey {
    /// Checks a signature, made by the algorithm that belongs to the key.
    fn verify(&self, sign1: &Sign1<'_>) -> Result<(), ()> {
        let message = Sign1::to_be_signed(sign1.protected, sign1.payload);
        if sign1.algorithm != self.algorithm() {
            return Err(());
        }
        self.verify_message(&message, sign1.signature)
    }
}
