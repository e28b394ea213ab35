//! The story as it should go.

use keybroker::MOCK_CHALLENGE;
use sha2::{Digest as _, Sha256};
use token::{Form, RealmProfile};

use crate::client::{SECRET, ask, attest, post, server, server_with, submit};
use crate::realm::{GOOD, Realm, Wrapping};

#[test]
fn a_good_realm_gets_its_key_with_either_wrapping() {
    let server = server();
    let wrapping = Wrapping::new(2048);
    for alg in ["RSA-OAEP", "RSA1_5"] {
        let challenge = ask(server.address(), "skywalker", &wrapping, alg);
        let evidence = GOOD.evidence(&challenge.nonce);
        let answer = submit(server.address(), &challenge, &evidence);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(wrapping.open(alg, &answer.bytes("data")), SECRET);
    }
}

#[test]
fn a_realm_may_trust_a_device_that_the_policy_knows_and_no_other() {
    let server = server();
    let wrapping = Wrapping::new(1024);
    let trusting = |digit: char| {
        let device = String::from(digit).repeat(64);
        let event = Sha256::digest(format!("trusted device sha256:{device}"));
        let rem3 = Sha256::digest([&[0; 32][..], &event].concat()).into();
        Realm { rem3, ..GOOD }
    };
    let asked = |name, realm: &Realm| attest(server.address(), name, realm, &wrapping).status;
    assert_eq!(asked("private-disk", &trusting('a')), 200);
    assert_eq!(asked("private-disk", &GOOD), 200, "it need not be trusted");
    assert_eq!(asked("private-disk", &trusting('b')), 403);
    assert_eq!(asked("skywalker", &trusting('a')), 403);
}

#[test]
fn the_demonstration_s_client_with_its_1024_bits_gets_its_key() {
    let server = server();
    let wrapping = Wrapping::new(1024);
    let challenge = ask(server.address(), "skywalker", &wrapping, "RSA1_5");
    let answer = submit(
        server.address(),
        &challenge,
        &GOOD.evidence(&challenge.nonce),
    );
    assert_eq!(wrapping.open("RSA1_5", &answer.bytes("data")), SECRET);
}

#[test]
fn every_envelope_and_profile_gets_the_key() {
    let server = server();
    let wrapping = Wrapping::new(1024);
    for form in [Form::Cca, Form::Cmw] {
        for profile in [
            RealmProfile::Legacy,
            RealmProfile::V1_0_0,
            RealmProfile::V2_0_0,
        ] {
            let realm = Realm {
                form,
                profile,
                ..GOOD
            };
            let answer = attest(server.address(), "strict", &realm, &wrapping);
            assert_eq!(answer.status, 200, "{form:?} {profile:?}: {answer:?}");
        }
    }
}

#[test]
fn the_answer_to_a_request_has_what_the_demonstration_has() {
    let server = server_with(|config| config.endpoint = Some("http://192.168.33.1".into()));
    let body = Wrapping::new(1024).request("RSA1_5");
    let path = "/keys/v1/key/skywalker";
    let answer = post(server.address(), path, "application/json", body.as_bytes());
    assert_eq!(answer.status, 201);
    assert_eq!(answer.content_type.as_deref(), Some("application/json"));
    let start = format!(
        "http://192.168.33.1:{}/keys/v1/evidence/",
        server.address().port()
    );
    let location = answer.location.as_deref().unwrap();
    assert!(
        location
            .strip_prefix(&start)
            .unwrap()
            .parse::<u32>()
            .is_ok()
    );
    assert_eq!(
        answer.json["accept"][0],
        "application/eat-collection; profile=http://arm.com/CCA-SSD/1.0.0"
    );
    assert_eq!(answer.bytes("challenge").len(), 64);
}

#[test]
fn challenges_differ_unless_they_are_mocked() {
    let wrapping = Wrapping::new(1024);
    let server = server();
    let nonce = || ask(server.address(), "skywalker", &wrapping, "RSA1_5").nonce;
    assert_ne!(nonce(), nonce());
    let mocked = server_with(|config| config.broker.mock_challenge = true);
    let challenge = ask(mocked.address(), "skywalker", &wrapping, "RSA1_5");
    assert_eq!(challenge.nonce, MOCK_CHALLENGE);
}

#[test]
fn a_dropped_server_listens_no_more() {
    let server = server();
    let address = server.address();
    drop(server);
    assert!(std::net::TcpStream::connect(address).is_err());
}
