//! Good input to begin with.

use base64ct::{Base64UrlUnpadded, Encoding};
use keybroker::MOCK_CHALLENGE;
use token::{Form, MecPolicy, PlatformProfile, RealmClaims, RealmProfile, sign, test_platform};

/// A token of the test platform over the challenge of the demonstration.
#[must_use]
pub fn token(form: Form, profile: RealmProfile) -> Vec<u8> {
    let (platform_key, rak) = (test_platform::platform_key(), test_platform::realm_key());
    let public_key = sign::public_key(&rak, profile);
    let binding = sign::binding(&public_key);
    let platform = PlatformProfile::V1_0_0;
    let platform = test_platform::claims(platform, test_platform::SECURED, &binding);
    let modern = profile == RealmProfile::V2_0_0;
    let realm = RealmClaims {
        profile,
        challenge: &MOCK_CHALLENGE,
        personalization: &[0; 64],
        hash_algorithm: "sha-256",
        public_key: &public_key,
        rim: &[0x11; 32],
        rems: [&[0; 32]; 4],
        public_key_hash_algorithm: sign::BINDING_ALGORITHM,
        mec_policy: modern.then_some(MecPolicy::Private),
        instance_id: modern.then_some(&[1; 33]),
        unknown: Vec::new(),
    };
    sign::token(form, (&platform, &platform_key), (&realm, &rak))
}

/// The body of a request that is answered with a challenge.
#[must_use]
pub fn key_request() -> Vec<u8> {
    let modulus = Base64UrlUnpadded::encode_string(&[0xff; 256]);
    let text =
        format!(r#"{{"pubkey":{{"kty":"RSA","alg":"RSA-OAEP","n":"{modulus}","e":"AQAB"}}}}"#);
    text.into_bytes()
}
