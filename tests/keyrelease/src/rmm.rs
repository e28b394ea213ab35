//! An RMM in small that signs what it measured.

use core::cell::RefCell;

use attest::{Attester, Challenge, Token, TokenError};
use p384::ecdsa::SigningKey;
use rsi::{Arguments, Call, Conduit, HashAlgorithm, Results, Rsi};
use testkit::{
    attestation::TokenPage,
    rmm::{Behaviour, FakeRmm},
};
use token::{Form, Lifecycle, PlatformProfile, RealmClaims, RealmProfile, sign, test_platform};

use crate::WallClock;

/// The personalization value of the realm.
pub const PERSONALIZATION: [u8; 64] = [0x77; 64];

/// What tokens are made of, apart from measurements.
#[derive(Clone, Debug)]
pub struct Signer {
    /// The envelope.
    pub form: Form,
    /// The profile of the realm token.
    pub profile: RealmProfile,
    /// The lifecycle that the platform token names.
    pub lifecycle: Lifecycle,
    /// What signs the platform token.
    pub platform_key: SigningKey,
    /// What the platform token vouches for.
    pub vouched_key: SigningKey,
    /// What signs the realm token, and stands in it.
    pub realm_key: SigningKey,
}

impl Default for Signer {
    /// The test platform, secured.
    fn default() -> Self {
        Self {
            form: Form::Cca,
            profile: RealmProfile::V1_0_0,
            lifecycle: test_platform::SECURED,
            platform_key: test_platform::platform_key(),
            vouched_key: test_platform::realm_key(),
            realm_key: test_platform::realm_key(),
        }
    }
}

/// A realm whose RMM signs. Tokens come in pieces of 256 bytes, with calls in between that bring none.
#[derive(Debug)]
pub struct SigningRmm {
    fake: FakeRmm,
    signer: Signer,
    replayed: RefCell<Option<Vec<u8>>>,
}

impl SigningRmm {
    /// A realm with this initial measurement (SHA-256).
    pub fn new(rim: [u8; 32], signer: Signer) -> Self {
        let fake = FakeRmm::new(Behaviour {
            personalization_value: PERSONALIZATION,
            token_piece: 256,
            token_stalls: 2,
            ..Behaviour::default()
        });
        let mut padded = [0; 64];
        padded[..32].copy_from_slice(&rim);
        fake.set_rim(padded);
        Self {
            fake,
            signer,
            replayed: RefCell::default(),
        }
    }

    /// Hands out this token from now on, whatever the challenge.
    pub fn replay(&self, token: &Token) {
        *self.replayed.borrow_mut() = Some(token.as_bytes().to_vec());
    }

    /// What the realm attests with.
    ///
    /// # Errors
    /// As [`Rsi::negotiate`].
    pub fn attester(&self) -> Result<Attester<&Self>, rsi::Error> {
        Ok(Attester::new(Rsi::negotiate(self)?, HashAlgorithm::Sha256))
    }

    /// A token over `challenge`, fetched as the realm fetches it.
    ///
    /// # Errors
    /// As [`Attester::attest`].
    pub fn attest(&self, challenge: &Challenge) -> Result<Token, TokenError> {
        let mut page = TokenPage::of(&self.fake);
        self.attester()?
            .attest(challenge, &mut page, &WallClock::start())
    }

    /// Measurement `index`, as the fake has it.
    fn measurement(&self, index: u64) -> Vec<u8> {
        let mut arguments = Arguments::default();
        arguments[0] = Call::MeasurementRead.function();
        arguments[1] = index;
        let results = self.fake.call(arguments);
        let bytes = results[1..5]
            .iter()
            .flat_map(|word| word.any_value("a test").to_le_bytes());
        bytes.collect()
    }

    fn sign(&self, challenge: &[u8; 64]) -> Vec<u8> {
        let signer = &self.signer;
        let vouched = sign::public_key(&signer.vouched_key, signer.profile);
        let public_key = sign::public_key(&signer.realm_key, signer.profile);
        let measured: [Vec<u8>; 5] = core::array::from_fn(|i| self.measurement(i as u64));
        let [rim, rems @ ..] = measured.each_ref().map(Vec::as_slice);
        let binding = sign::binding(&vouched);
        let platform = test_platform::claims(PlatformProfile::V1_0_0, signer.lifecycle, &binding);
        let realm = RealmClaims {
            profile: signer.profile,
            challenge,
            personalization: &PERSONALIZATION,
            hash_algorithm: "sha-256",
            public_key: &public_key,
            rim,
            rems,
            public_key_hash_algorithm: sign::BINDING_ALGORITHM,
            mec_policy: None,
            instance_id: (signer.profile == RealmProfile::V2_0_0).then_some(&[1; 33]),
            unknown: Vec::new(),
        };
        let platform = (&platform, &signer.platform_key);
        sign::token(signer.form, platform, (&realm, &signer.realm_key))
    }
}

impl Conduit for SigningRmm {
    fn call(&self, arguments: Arguments) -> Results {
        if arguments[0] == Call::AttestationTokenInit.function() {
            let mut challenge = [0; 64];
            for (bytes, word) in challenge.chunks_mut(8).zip(&arguments[1..]) {
                bytes.copy_from_slice(&word.to_le_bytes());
            }
            let replayed = self.replayed.borrow().clone();
            let token = replayed.unwrap_or_else(|| self.sign(&challenge));
            self.fake.set_token(token);
        }
        self.fake.call(arguments)
    }
}
