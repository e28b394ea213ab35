//! The bodies of the fuzz targets over a few seeded inputs.

use evidence::{any_token, broker_requests, key_request, token};
use testkit::random::Seeded;
use token::{Form, RealmProfile, Token};

const ROUNDS: usize = 500;

fn tokens() -> Vec<Vec<u8>> {
    let profiles = [
        RealmProfile::Legacy,
        RealmProfile::V1_0_0,
        RealmProfile::V2_0_0,
    ];
    let forms = [Form::Cca, Form::Cmw];
    let all = forms.map(|form| profiles.map(|profile| token(form, profile)));
    all.into_iter().flatten().collect()
}

#[test]
fn the_samples_are_tokens() {
    for bytes in tokens() {
        assert!(Token::decode(&bytes).is_ok());
        any_token(&bytes);
    }
}

#[test]
fn a_mutated_token_does_no_harm() {
    let mut random = Seeded::new(1);
    for bytes in tokens() {
        for _ in 0..ROUNDS {
            any_token(&random.mutated(&bytes));
        }
    }
}

#[test]
fn a_mutated_request_or_evidence_does_no_harm() {
    let mut random = Seeded::new(2);
    let evidence = token(Form::Cca, RealmProfile::V1_0_0);
    let with_kind = |kind: u8, bytes: &[u8]| [&[kind], bytes].concat();
    let samples = [
        with_kind(0, &key_request()),
        with_kind(1, b"2QGPoA"),
        with_kind(2, &evidence),
        with_kind(3, br#"{"reference-values": ["AAAA"]}"#),
        with_kind(
            3,
            b"[[key]]\nname = \"a\"\nsecret = \"b\"\n[key.policy]\nrem1 = \"00\"\n",
        ),
    ];
    for sample in samples {
        broker_requests(&sample);
        for _ in 0..ROUNDS / 10 {
            broker_requests(&random.mutated(&sample));
        }
    }
}
