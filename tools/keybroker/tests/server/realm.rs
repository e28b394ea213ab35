//! A realm, as far as a key broker sees one: an RSA key, and tokens of the test platform.

use base64ct::{Base64UrlUnpadded, Encoding};
use getrandom::SysRng;
use rand_core::UnwrapErr;
use rsa::traits::PublicKeyParts;
use rsa::{Oaep, Pkcs1v15Encrypt, RsaPrivateKey};
use sha2::Sha256;
use token::{Form, Lifecycle, PlatformProfile, RealmClaims, RealmProfile, sign, test_platform};

/// The initial measurement of the realm that the tests know to be good.
pub const RIM: [u8; 32] = [0x11; 32];
/// REM 1 of that realm.
pub const REM1: [u8; 32] = [0x22; 32];

/// What a token is to say.
#[derive(Clone, Copy)]
pub struct Realm {
    pub form: Form,
    pub profile: RealmProfile,
    pub lifecycle: Lifecycle,
    pub rim: [u8; 32],
    pub rem1: [u8; 32],
    pub rem3: [u8; 32],
    /// Whether the platform vouches for the key that signs.
    pub bound: bool,
    /// Whether the platform token is signed by the test platform.
    pub endorsed: bool,
}

/// A realm that gets its key.
pub const GOOD: Realm = Realm {
    form: Form::Cca,
    profile: RealmProfile::V1_0_0,
    lifecycle: test_platform::SECURED,
    rim: RIM,
    rem1: REM1,
    rem3: [0; 32],
    bound: true,
    endorsed: true,
};

impl Realm {
    /// A token over `challenge`, as CBOR.
    pub fn token(&self, challenge: &[u8; 64]) -> Vec<u8> {
        let platform_key = test_platform::platform_key();
        let rak = test_platform::realm_key();
        let stranger = sign::public_key(&platform_key, self.profile);
        let public_key = sign::public_key(&rak, self.profile);
        let vouched = if self.bound { &public_key } else { &stranger };
        let binding = sign::binding(vouched);
        let platform = test_platform::claims(PlatformProfile::V1_0_0, self.lifecycle, &binding);
        let zero = [0; 32];
        let realm = RealmClaims {
            profile: self.profile,
            challenge,
            personalization: &[0; 64],
            hash_algorithm: "sha-256",
            public_key: &public_key,
            rim: &self.rim,
            rems: [&self.rem1, &zero, &self.rem3, &zero],
            public_key_hash_algorithm: sign::BINDING_ALGORITHM,
            mec_policy: None,
            instance_id: None,
            unknown: Vec::new(),
        };
        let signer = if self.endorsed { &platform_key } else { &rak };
        sign::token(self.form, (&platform, signer), (&realm, &rak))
    }

    /// The same as text, as it goes over the wire.
    pub fn evidence(&self, challenge: &[u8; 64]) -> String {
        Base64UrlUnpadded::encode_string(&self.token(challenge))
    }
}

/// The RSA key of a realm.
pub struct Wrapping(RsaPrivateKey);

impl Wrapping {
    pub fn new(bits: usize) -> Self {
        let key = RsaPrivateKey::new(&mut UnwrapErr(SysRng), bits);
        Self(key.expect("the size is possible"))
    }

    /// The body of a key request.
    pub fn request(&self, alg: &str) -> String {
        let text = |bytes: &[u8]| Base64UrlUnpadded::encode_string(bytes);
        let n = text(&self.0.n_bytes());
        let e = text(&self.0.e_bytes());
        format!(r#"{{"pubkey":{{"kty":"RSA","alg":"{alg}","n":"{n}","e":"{e}"}}}}"#)
    }

    /// Opens the key, wrapped as `alg` says.
    pub fn open(&self, alg: &str, wrapped: &[u8]) -> String {
        let opened = match alg {
            "RSA1_5" => self.0.decrypt(Pkcs1v15Encrypt, wrapped),
            _ => self.0.decrypt(Oaep::<Sha256>::new(), wrapped),
        };
        String::from_utf8(opened.expect("it is wrapped for us")).expect("the key is text")
    }
}
