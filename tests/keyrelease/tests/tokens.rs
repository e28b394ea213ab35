//! Tokens that a realm fetches are those that a verifier reads.
#![expect(
    clippy::unwrap_used,
    reason = "a test that goes wrong should say so, loudly"
)]

use attest::{Challenge, Digest};
use keyrelease::{PERSONALIZATION, Signer, SigningRmm};
use rsi::HashAlgorithm;
use token::{
    Form, RealmProfile, SignatureAlgorithm, Token, test_platform,
    verify::{PlatformKey, Policy, PublicKey, Reason, appraise},
};

const RIM: [u8; 32] = [0x11; 32];
const CHALLENGE: [u8; 64] = [0x5c; 64];

#[test]
fn a_token_of_each_form_and_profile_passes_every_check_after_its_journey() {
    for form in [Form::Cca, Form::Cmw] {
        for profile in [
            RealmProfile::V1_0_0,
            RealmProfile::V2_0_0,
            RealmProfile::Legacy,
        ] {
            let rmm = SigningRmm::new(
                RIM,
                Signer {
                    form,
                    profile,
                    ..Signer::default()
                },
            );
            let mut attester = rmm.attester().unwrap();
            attester.measure_arguments("a=b").unwrap();
            let token = rmm.attest(&Challenge::new(CHALLENGE)).unwrap();
            token.check_form().unwrap();
            let decoded = Token::decode(token.as_bytes()).unwrap();
            assert_eq!(decoded.form, form);
            assert_eq!(refusal(&decoded), None);
        }
    }
}

/// What a strict verifier finds wrong with `token`.
fn refusal(token: &Token<'_>) -> Option<Reason> {
    let point = test_platform::platform_public_key();
    let key = PublicKey::from_point(SignatureAlgorithm::Es384, &point).unwrap();
    let rem1 = measured("a=b");
    let policy = Policy {
        platform_keys: &[PlatformKey::for_any(key)],
        challenge: Some(&CHALLENGE),
        rims: Some(&[RIM.to_vec()]),
        rems: [Some(rem1.as_bytes()), Some(&[0; 32]), None, None],
        personalization: Some(&PERSONALIZATION),
        ..Policy::STRICT
    };
    appraise(token, &policy).refusal()
}

/// REM 1 of a realm that was booted with `arguments`, as a verifier computes it.
fn measured(arguments: &str) -> Digest {
    let sha256 = HashAlgorithm::Sha256;
    let digest = Digest::of(sha256, arguments.as_bytes()).unwrap();
    let zero = Digest::zero(sha256).unwrap();
    zero.extended(sha256, digest.as_bytes()).unwrap()
}
