//! Whole tokens: made, taken apart, judged, and damaged.

use sha2::{Digest, Sha256};
use token::verify::{Appraisal, Check, PlatformKey, Policy, PublicKey, Reason, Verdict, appraise};
use token::{
    DecodeError, Envelope, Form, Lifecycle, LifecycleState, MecPolicy, Part, PlatformProfile,
    RealmClaims, RealmProfile, Sign1, SignatureAlgorithm, Token, sign, test_platform,
};

const CHALLENGE: [u8; 64] = [0xc5; 64];
const RIM: [u8; 32] = [0x11; 32];
const REM: [u8; 32] = [0x22; 32];

#[derive(Clone, Copy)]
struct Make {
    form: Form,
    platform: PlatformProfile,
    realm: RealmProfile,
    lifecycle: Lifecycle,
    mec: Option<MecPolicy>,
}

const USUAL: Make = Make {
    form: Form::Cca,
    platform: PlatformProfile::V1_0_0,
    realm: RealmProfile::V1_0_0,
    lifecycle: test_platform::SECURED,
    mec: None,
};

fn realm_claims(make: Make, public_key: &[u8]) -> RealmClaims<'_> {
    RealmClaims {
        profile: make.realm,
        challenge: &CHALLENGE,
        personalization: &[0; 64],
        hash_algorithm: "sha-256",
        public_key,
        rim: &RIM,
        rems: [&REM; 4],
        public_key_hash_algorithm: sign::BINDING_ALGORITHM,
        mec_policy: make.mec,
        instance_id: (make.realm == RealmProfile::V2_0_0).then_some(&[1; 33]),
        unknown: Vec::new(),
    }
}

fn make(make: Make) -> Vec<u8> {
    let (platform_key, rak) = (test_platform::platform_key(), test_platform::realm_key());
    let public_key = sign::public_key(&rak, make.realm);
    let binding = sign::binding(&public_key);
    let platform = test_platform::claims(make.platform, make.lifecycle, &binding);
    let realm = realm_claims(make, &public_key);
    sign::token(make.form, (&platform, &platform_key), (&realm, &rak))
}

fn endorsed() -> Vec<PlatformKey> {
    let point = test_platform::platform_public_key();
    let key = PublicKey::from_point(SignatureAlgorithm::Es384, &point);
    let public_key = key.expect("a point of P-384");
    vec![PlatformKey {
        implementation_id: Some(*test_platform::IMPLEMENTATION_ID),
        ..PlatformKey::for_any(public_key)
    }]
}

fn judge(bytes: &[u8]) -> Appraisal {
    let (keys, rims) = (endorsed(), [RIM.to_vec()]);
    let devices = [REM.to_vec()];
    let policy = Policy {
        platform_keys: &keys,
        challenge: Some(&CHALLENGE),
        rims: Some(&rims),
        rems: [Some(&REM); 4],
        devices: Some(&devices),
        personalization: Some(&[0; 64]),
        ..Policy::STRICT
    };
    appraise(&Token::decode(bytes).expect("a token"), &policy)
}

fn every_make() -> impl Iterator<Item = Make> {
    let forms = [Form::Cca, Form::Cmw];
    let platforms = [PlatformProfile::Legacy, PlatformProfile::V1_0_0];
    let realms = [
        RealmProfile::Legacy,
        RealmProfile::V1_0_0,
        RealmProfile::V2_0_0,
    ];
    forms.into_iter().flat_map(move |form| {
        platforms.into_iter().flat_map(move |platform| {
            realms.into_iter().map(move |realm| Make {
                form,
                platform,
                realm,
                mec: (realm != RealmProfile::Legacy).then_some(MecPolicy::Private),
                ..USUAL
            })
        })
    })
}

#[test]
fn every_envelope_and_profile_is_accepted() {
    for make_it in every_make() {
        let bytes = make(make_it);
        let appraisal = judge(&bytes);
        assert_eq!(appraisal.refusal(), None);
        assert_eq!(appraisal.verdicts().count(), 12);
        assert!(
            appraisal
                .verdicts()
                .all(|(_, verdict)| verdict == Verdict::Passed)
        );
    }
}

#[test]
fn what_is_decoded_encodes_to_the_same_bytes() {
    for make_it in every_make() {
        let bytes = make(make_it);
        let token = Token::decode(&bytes).unwrap();
        assert_eq!(token.form, make_it.form);
        assert_eq!(token.platform_claims.encode(), token.platform.payload);
        assert_eq!(token.realm_claims.encode(), token.realm.payload);
        let envelope = Envelope::decode(&bytes).unwrap();
        assert_eq!(envelope.encode(), bytes);
        assert_eq!(token.realm.encode(), envelope.realm);
    }
}

#[test]
fn the_envelope_begins_as_an_rmm_makes_it() {
    let old = make(USUAL);
    assert_eq!(old[..7], [0xd9, 0x01, 0x8f, 0xa2, 0x19, 0xac, 0xca]);
    let new = make(Make {
        form: Form::Cmw,
        ..USUAL
    });
    assert_eq!(
        new[..10],
        [0xd9, 0x03, 0x8b, 0xa2, 0x19, 0xac, 0xca, 0x82, 0x19, 0x01]
    );
    let sign1 = Envelope::decode(&old).unwrap().realm;
    assert_eq!(
        sign1[..9],
        [0xd2, 0x84, 0x44, 0xa1, 0x01, 0x38, 0x22, 0xa0, 0x59]
    );
}

#[test]
fn signing_is_deterministic() {
    assert_eq!(make(USUAL), make(USUAL));
}

/// Damages the byte that is `offset` bytes into the only place where `needle` stands.
fn damage(bytes: &[u8], needle: &[u8], offset: usize) -> Vec<u8> {
    let places: Vec<usize> = bytes
        .windows(needle.len())
        .enumerate()
        .filter_map(|(at, window)| (window == needle).then_some(at))
        .collect();
    let [place] = places.as_slice() else {
        panic!("the needle is there {} times", places.len());
    };
    let mut damaged = bytes.to_vec();
    let byte = damaged.get_mut(place + offset);
    *byte.expect("the offset lies in the token") ^= 0x01;
    damaged
}

#[test]
fn damage_in_five_places_is_refused_in_five_ways() {
    for make_it in every_make() {
        let bytes = make(make_it);
        let token = Token::decode(&bytes).unwrap();
        let places: [(&[u8], Vec<Reason>); 5] = [
            (
                token.platform_claims.challenge,
                vec![Reason::PlatformSignature, Reason::Binding],
            ),
            (token.platform.signature, vec![Reason::PlatformSignature]),
            (
                token.realm_claims.rim,
                vec![Reason::RealmSignature, Reason::Rim],
            ),
            (token.realm.signature, vec![Reason::RealmSignature]),
            (&token.realm_key.x, vec![Reason::Binding, Reason::RealmKey]),
        ];
        for (place, expected) in places {
            let failures: Vec<Reason> = judge(&damage(&bytes, place, 7)).failures().collect();
            assert_eq!(failures, expected);
        }
    }
}

#[test]
fn a_flipped_bit_anywhere_is_never_accepted() {
    let bytes = make(USUAL);
    let (keys, rims) = (endorsed(), [RIM.to_vec()]);
    let policy = Policy {
        platform_keys: &keys,
        challenge: Some(&CHALLENGE),
        rims: Some(&rims),
        ..Policy::STRICT
    };
    for at in (0..bytes.len()).step_by(7) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        let accepted = Token::decode(&damaged)
            .is_ok_and(|token| appraise(&token, &policy).refusal().is_none());
        assert!(!accepted, "bit {} of byte {at}", at % 8);
    }
}

fn refusal(policy: &Policy<'_>, bytes: &[u8]) -> Option<Reason> {
    let token = Token::decode(bytes).expect("a token");
    appraise(&token, policy).refusal()
}

#[test]
fn each_demand_that_is_not_met_has_its_own_reason() {
    let (bytes, keys, rims) = (make(USUAL), endorsed(), [vec![0x12; 32]]);
    let usual = Policy {
        platform_keys: &keys,
        ..Policy::STRICT
    };
    assert_eq!(refusal(&usual, &bytes), None);
    let other = Policy {
        challenge: Some(&[0; 64]),
        ..usual
    };
    assert_eq!(refusal(&other, &bytes), Some(Reason::Challenge));
    let other = Policy {
        rims: Some(&rims),
        ..usual
    };
    assert_eq!(refusal(&other, &bytes), Some(Reason::Rim));
    let other = Policy {
        rims: Some(&[]),
        ..usual
    };
    assert_eq!(refusal(&other, &bytes), Some(Reason::Rim));
    let other = Policy {
        rems: [None, None, Some(&[0; 32]), None],
        ..usual
    };
    assert_eq!(refusal(&other, &bytes), Some(Reason::Rem { index: 3 }));
    let other = Policy {
        devices: Some(&[]),
        ..usual
    };
    assert_eq!(refusal(&other, &bytes), Some(Reason::Devices));
    let other = Policy {
        personalization: Some(&[1; 64]),
        ..usual
    };
    assert_eq!(refusal(&other, &bytes), Some(Reason::Personalization));
}

#[test]
fn an_unsecured_platform_needs_a_policy_that_allows_it() {
    let lifecycle = Lifecycle(0x5001);
    let bytes = make(Make { lifecycle, ..USUAL });
    assert_eq!(
        judge(&bytes).refusal(),
        Some(Reason::Lifecycle { lifecycle })
    );
    let keys = endorsed();
    let lenient = Policy {
        platform_keys: &keys,
        lifecycles: &[LifecycleState::RecoverableDebug],
        ..Policy::STRICT
    };
    assert_eq!(refusal(&lenient, &bytes), None);
}

#[test]
fn a_key_that_is_not_endorsed_for_the_platform_does_not_count() {
    let bytes = make(USUAL);
    assert_eq!(
        refusal(&Policy::STRICT, &bytes),
        Some(Reason::PlatformNotEndorsed)
    );
    let mut keys = endorsed();
    keys[0].instance_id = Some([7; 33]);
    let policy = Policy {
        platform_keys: &keys,
        ..Policy::STRICT
    };
    assert_eq!(refusal(&policy, &bytes), Some(Reason::PlatformNotEndorsed));
}

#[test]
fn a_token_signed_by_another_platform_key_is_refused() {
    let rak = test_platform::realm_key();
    let public_key = sign::public_key(&rak, USUAL.realm);
    let binding = sign::binding(&public_key);
    let platform = test_platform::claims(USUAL.platform, USUAL.lifecycle, &binding);
    let realm = realm_claims(USUAL, &public_key);
    let bytes = sign::token(USUAL.form, (&platform, &rak), (&realm, &rak));
    assert_eq!(judge(&bytes).refusal(), Some(Reason::PlatformSignature));
}

#[test]
fn a_realm_token_of_another_key_is_refused() {
    let (platform_key, rak) = (test_platform::platform_key(), test_platform::realm_key());
    let public_key = sign::public_key(&rak, USUAL.realm);
    let stranger = sign::public_key(&platform_key, USUAL.realm);
    let binding = sign::binding(&public_key);
    let platform = test_platform::claims(USUAL.platform, USUAL.lifecycle, &binding);
    let swapped = realm_claims(USUAL, &stranger);
    let bytes = sign::token(
        USUAL.form,
        (&platform, &platform_key),
        (&swapped, &platform_key),
    );
    assert_eq!(judge(&bytes).refusal(), Some(Reason::Binding));
    let claimed = realm_claims(USUAL, &public_key);
    let bytes = sign::token(
        USUAL.form,
        (&platform, &platform_key),
        (&claimed, &platform_key),
    );
    assert_eq!(judge(&bytes).refusal(), Some(Reason::RealmSignature));
}

#[test]
fn the_binding_follows_the_algorithm_that_the_realm_names() {
    let (platform_key, rak) = (test_platform::platform_key(), test_platform::realm_key());
    let public_key = sign::public_key(&rak, USUAL.realm);
    let binding = sign::binding(&public_key);
    let platform = test_platform::claims(USUAL.platform, USUAL.lifecycle, &binding);
    for (algorithm, reason) in [
        ("sha-512", Reason::Binding),
        ("md5", Reason::BindingAlgorithm),
    ] {
        let mut realm = realm_claims(USUAL, &public_key);
        realm.public_key_hash_algorithm = algorithm;
        let bytes = sign::token(USUAL.form, (&platform, &platform_key), (&realm, &rak));
        assert_eq!(judge(&bytes).refusal(), Some(reason));
    }
}

#[test]
fn es256_platform_signatures_are_checked() {
    use p256::ecdsa::signature::Signer;
    let key = p256::ecdsa::SigningKey::from_slice(&Sha256::digest(b"a P-256 key")).unwrap();
    let usual = make(USUAL);
    let token = Token::decode(&usual).unwrap();
    let protected = [0xa1, 0x01, 0x26];
    let message = Sign1::to_be_signed(&protected, token.platform.payload);
    let signature: p256::ecdsa::Signature = key.sign(&message);
    let platform = Sign1 {
        protected: &protected,
        algorithm: SignatureAlgorithm::Es256,
        payload: token.platform.payload,
        signature: &signature.to_bytes(),
    };
    let bytes = Envelope {
        platform: &platform.encode(),
        ..Envelope::decode(&usual).unwrap()
    }
    .encode();
    let point = key.verifying_key().to_sec1_point(false);
    let key = PublicKey::from_point(SignatureAlgorithm::Es256, point.as_bytes()).unwrap();
    let keys = [PlatformKey::for_any(key)];
    let policy = Policy {
        platform_keys: &keys,
        ..Policy::STRICT
    };
    assert_eq!(refusal(&policy, &bytes), None);
    assert_eq!(judge(&bytes).refusal(), Some(Reason::PlatformSignature));
}

#[test]
fn what_is_not_a_token_has_its_own_error() {
    let bytes = make(USUAL);
    let error = |bytes: &[u8]| Token::decode(bytes).unwrap_err();
    let part = Part::Envelope;
    assert_eq!(error(&[]), DecodeError::Cbor { part, at: 0 });
    assert_eq!(error(&[0xd2, 0xa0]), DecodeError::Tag { part, tag: 18 });
    assert_eq!(
        error(&vec![0; 70_000]),
        DecodeError::TooLong { size: 70_000 }
    );
    let empty = [0xd9, 0x01, 0x8f, 0xa0];
    assert_eq!(error(&empty), DecodeError::Missing { part, key: 44234 });
    let huge = [0xd9, 0x01, 0x8f, 0xba, 0xff, 0xff, 0xff, 0xff];
    let count = 0xffff_ffff;
    assert_eq!(error(&huge), DecodeError::TooMany { part, count });
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(error(&longer), DecodeError::Trailing { part, count: 1 });
}

#[test]
fn every_prefix_of_a_token_is_an_error_and_not_a_panic() {
    let bytes = make(Make {
        form: Form::Cmw,
        realm: RealmProfile::V2_0_0,
        ..USUAL
    });
    for end in 0..bytes.len() {
        assert!(Token::decode(&bytes[..end]).is_err(), "{end} bytes");
    }
}

#[test]
fn a_claim_that_is_there_twice_is_refused() {
    let challenge = [&[0x0a, 0x58, 64][..], &CHALLENGE].concat();
    let twice = [&[0xa2][..], &challenge, &challenge].concat();
    let part = Part::RealmClaims;
    assert_eq!(
        RealmClaims::decode(&twice),
        Err(DecodeError::Duplicate { part, key: 10 })
    );
}

#[test]
fn an_unknown_profile_is_refused() {
    let name = b"tag:arm.com,2023:realm#1.0.0";
    let bytes = damage(&make(USUAL), name, name.len() - 1);
    let part = Part::RealmClaims;
    assert_eq!(Token::decode(&bytes), Err(DecodeError::Profile { part }));
}

#[test]
fn an_unknown_claim_is_named_and_passed_over() {
    let bytes = make(USUAL);
    let token = Token::decode(&bytes).unwrap();
    let mut payload = token.realm.payload.to_vec();
    payload[0] += 2;
    // 70000 -> [1, {}], and a key that is a text.
    payload.extend([
        0x1a, 0x00, 0x01, 0x11, 0x70, 0x82, 0x01, 0xa0, 0x61, 0x78, 0x00,
    ]);
    let claims = RealmClaims::decode(&payload).unwrap();
    assert_eq!(claims.unknown, [70_000]);
    assert_eq!(claims.rim, RIM);
}

#[test]
fn verdicts_come_in_the_order_in_which_they_rest_on_each_other() {
    let checks: Vec<Check> = judge(&make(USUAL))
        .verdicts()
        .map(|(check, _)| check)
        .collect();
    assert_eq!(
        checks[..6],
        [
            Check::PlatformSignature,
            Check::Lifecycle,
            Check::Binding,
            Check::RealmSignature,
            Check::Challenge,
            Check::Rim,
        ]
    );
}
