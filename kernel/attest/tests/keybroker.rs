//! The key client against a broker in memory: an honest one, and each way of being none.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that goes wrong should say so, loudly"
)]

use core::cell::RefCell;
use std::rc::Rc;

use attest::{
    TokenError,
    keybroker::{Client, ConnectError, Endpoint, Error, Fault, Limits, Released, Step, Wrapping},
};
use base64ct::{Base64UrlUnpadded, Encoding};
use chacha20::ChaCha20Rng;
use embassy_futures::block_on;
use rand_core::SeedableRng;
use rsa::{BoxedUint, Oaep, Pkcs1v15Encrypt, RsaPublicKey};
use serde_json::Value;
use sha2::{Digest, Sha256};
use testkit::{
    attestation::{TickingClock, token_of},
    broker::{BrokerNetwork, Reaction, Request},
    fuzz,
    random::Seeded,
};

const SECRET: &[u8] = b"May the force be with you.";
/// 399({44234: h'01', 44241: h'02'})
const TOKEN: [u8; 14] = [
    0xd9, 0x01, 0x8f, 0xa2, 0x19, 0xac, 0xca, 0x41, 1, 0x19, 0xac, 0xd1, 0x41, 2,
];
const EVIDENCE_TYPE: &str = r#"application/eat-collection; profile="http://arm.com/CCA-SSD/1.0.0""#;

fn answer(status: &str, fields: &str, body: &str) -> Reaction {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{fields}\r\n");
    Reaction::Send((head + body).into_bytes())
}

fn challenge() -> Reaction {
    let challenge = Base64UrlUnpadded::encode_string(&[0x5c; 64]);
    answer(
        "201 Created",
        "Location: http://elsewhere.example:1/keys/v1/evidence/3974368321\r\n",
        &format!(r#"{{"challenge":"{challenge}","accept":[]}}"#),
    )
}

/// Wraps the secret with the key of the first request, as that asks.
fn wrapped(request: &Request, rng: &mut ChaCha20Rng) -> String {
    let json: Value = serde_json::from_slice(&request.body).unwrap();
    let pubkey = &json["pubkey"];
    assert_eq!(pubkey["kty"], "RSA");
    let number = |name: &str, bits| {
        let bytes = Base64UrlUnpadded::decode_vec(pubkey[name].as_str().unwrap()).unwrap();
        BoxedUint::from_be_slice(&bytes, bits).unwrap()
    };
    let key = RsaPublicKey::new(number("n", 2048), number("e", 64)).unwrap();
    let cipher = match pubkey["alg"].as_str().unwrap() {
        "RSA-OAEP" => key.encrypt(rng, Oaep::<Sha256>::new(), SECRET),
        "RSA1_5" => key.encrypt(rng, Pkcs1v15Encrypt, SECRET),
        other => panic!("{other}"),
    };
    Base64UrlUnpadded::encode_string(&cipher.unwrap())
}

/// An honest broker that keeps the requests it was sent.
fn honest(piece: usize, seen: Rc<RefCell<Vec<Request>>>) -> BrokerNetwork {
    let mut rng = ChaCha20Rng::from_seed([9; 32]);
    BrokerNetwork::new(piece, move |request| {
        seen.borrow_mut().push(request.clone());
        match &seen.borrow()[..] {
            [_] => challenge(),
            [first, _] => {
                let data = wrapped(first, &mut rng);
                answer("200 OK", "", &format!(r#"{{"data":"{data}"}}"#))
            }
            _ => panic!("a broker is asked twice"),
        }
    })
}

/// A broker that gives these answers, one after the other.
fn scripted(script: impl IntoIterator<Item = Reaction>) -> BrokerNetwork {
    let mut script: Vec<_> = script.into_iter().collect();
    script.reverse();
    BrokerNetwork::new(7, move |_| script.pop().unwrap())
}

fn get(network: &BrokerNetwork, wrapping: Wrapping) -> Result<Released, Error> {
    let clock = TickingClock::default();
    let endpoint = Endpoint::parse("http://10.0.2.2:8088").unwrap();
    // What is tested with it comes behind the challenge, which is the same for everybody.
    let client = Client::new(endpoint, network, &clock)
        .with_wrapping(wrapping)
        .answering_any_challenge();
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    block_on(client.get_key("skywalker", &mut rng, |challenge| {
        assert_eq!(challenge.as_bytes(), &[0x5c; 64]);
        token_of(&TOKEN, challenge)
    }))
}

fn fails(script: impl IntoIterator<Item = Reaction>) -> Error {
    get(&scripted(script), Wrapping::Oaep).unwrap_err()
}

fn garbage(step: Step, fault: Fault) -> Error {
    Error::Garbage { step, fault }
}

#[test]
fn an_honest_broker_gives_the_key_in_either_wrapping_and_in_pieces_of_any_size() {
    for (wrapping, name, piece) in [
        (Wrapping::Oaep, "RSA-OAEP", 1),
        (Wrapping::Oaep, "RSA-OAEP", usize::MAX),
        (Wrapping::Pkcs1v15, "RSA1_5", 13),
    ] {
        let seen = Rc::default();
        let released = get(&honest(piece, Rc::clone(&seen)), wrapping).unwrap();
        let asked: Value = serde_json::from_slice(&seen.borrow()[0].body).unwrap();
        assert_eq!(asked["pubkey"]["alg"], name);
        assert_eq!(released.key.expose(), SECRET);
        assert!(released.key_generation > core::time::Duration::ZERO);
        assert!(released.total > released.key_generation + released.attestation);
    }
}

#[test]
fn the_requests_are_those_of_the_protocol() {
    let seen = Rc::default();
    let network = honest(64, Rc::clone(&seen));
    get(&network, Wrapping::Oaep).unwrap();
    let seen = seen.borrow();
    assert!(
        seen[0]
            .head
            .starts_with("POST /keys/v1/key/skywalker HTTP/1.1\r\n")
    );
    assert_eq!(seen[0].field("content-type"), Some("application/json"));
    assert_eq!(seen[0].field("host"), Some("10.0.2.2:8088"));
    assert!(
        seen[1]
            .head
            .starts_with("POST /keys/v1/evidence/3974368321 HTTP/1.1\r\n")
    );
    assert_eq!(seen[1].field("content-type"), Some(EVIDENCE_TYPE));
    assert_eq!(
        seen[1].field("host"),
        Some("10.0.2.2:8088"),
        "not elsewhere"
    );
    assert_eq!(
        Base64UrlUnpadded::decode_vec(core::str::from_utf8(&seen[1].body).unwrap()).unwrap(),
        TOKEN
    );
    assert_eq!(network.connections(), 2);
}

#[test]
fn a_broker_that_is_not_there_is_asked_once() {
    for error in [
        ConnectError::Refused,
        ConnectError::UnknownHost,
        ConnectError::Unreachable,
        ConnectError::TimedOut,
    ] {
        let network = BrokerNetwork::unconnected(error);
        let failed = get(&network, Wrapping::Oaep).unwrap_err();
        assert_eq!(failed, Error::NotThere(error));
        assert_eq!(network.connections(), 1);
    }
}

#[test]
fn a_refusal_is_handed_on_in_its_own_words_and_nothing_is_tried_again() {
    let body = r#"{"type":"AttestationFailure","detail":"The RIM is not\na reference value."}"#;
    let network = scripted([challenge(), answer("403 Forbidden", "", body)]);
    let Error::Refused(refusal) = get(&network, Wrapping::Oaep).unwrap_err() else {
        panic!("not a refusal");
    };
    assert_eq!(refusal.kind(), "AttestationFailure");
    assert_eq!(refusal.detail(), "The RIM is not?a reference value.");
    assert_eq!(network.connections(), 2);
}

#[test]
fn a_refusal_may_come_before_the_challenge() {
    let body = r#"{"type":"UnknownKey","detail":"no key of that name"}"#;
    let error = fails([answer("404 Not Found", "", body)]);
    assert_eq!(error.to_string(), "UnknownKey: no key of that name");
}

#[test]
fn a_status_that_the_protocol_does_not_have_is_garbage() {
    let refusal = r#"{"type":"a","detail":"b"}"#;
    for (status, line, body) in [
        (500, "500 Internal Server Error", refusal),
        (302, "302 Found", refusal),
        (404, "404 Not Found", "<html>"),
        (204, "204 No Content", ""),
    ] {
        let error = fails([answer(line, "", body)]);
        assert_eq!(error, garbage(Step::Challenge, Fault::Status { status }));
        let error = fails([challenge(), answer(line, "", body)]);
        assert_eq!(error, garbage(Step::Evidence, Fault::Status { status }));
    }
}

#[test]
fn a_challenge_without_a_place_for_evidence_is_garbage() {
    let challenge = Base64UrlUnpadded::encode_string(&[0x5c; 64]);
    let body = format!(r#"{{"challenge":"{challenge}","accept":[]}}"#);
    for fields in ["", "Location: nowhere\r\n", "Location: http://host\r\n"] {
        let error = fails([answer("201 Created", fields, &body)]);
        assert_eq!(error, garbage(Step::Challenge, Fault::Location));
    }
}

#[test]
fn nothing_is_proved_for_a_request_that_is_not_ours() {
    // A random challenge, and one that a broker bound to the request of a key of the host's own.
    let theirs = Sha256::digest(b"a request with another public key");
    let bound = [&[0x5c; 32][..], &theirs].concat();
    for challenge in [&[0x5c; 64][..], &bound] {
        let text = Base64UrlUnpadded::encode_string(challenge);
        let body = format!(r#"{{"challenge":"{text}"}}"#);
        let network = scripted([answer("201 Created", "Location: /evidence/1\r\n", &body)]);
        let clock = TickingClock::default();
        let endpoint = Endpoint::parse("http://10.0.2.2:8088").unwrap();
        let client = Client::new(endpoint, &network, &clock);
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let key = block_on(client.get_key("skywalker", &mut rng, |_| panic!("it was proved")));
        assert_eq!(key.unwrap_err(), Error::OtherRequest);
        assert_eq!(network.connections(), 1);
    }
}

#[test]
fn a_body_that_is_not_of_the_protocol_is_garbage() {
    let created = |body: &str| answer("201 Created", "Location: /keys/v1/evidence/1\r\n", body);
    let error = fails([created("<html>")]);
    assert_eq!(error, garbage(Step::Challenge, Fault::Json));
    let error = fails([created(r#"{"challenge":"AAAA"}"#)]);
    let length = Fault::ChallengeLength { length: 3 };
    assert_eq!(error, garbage(Step::Challenge, length));
    let error = fails([challenge(), answer("200 OK", "", r#"{"data":"%"}"#)]);
    assert_eq!(error, garbage(Step::Evidence, Fault::Base64));
}

#[test]
fn a_key_that_was_wrapped_for_somebody_else_does_not_open() {
    for wrapping in [Wrapping::Oaep, Wrapping::Pkcs1v15] {
        for data in ["", "AAAA", &"A".repeat(342), &"zzzz".repeat(85)] {
            let body = format!(r#"{{"data":"{data}"}}"#);
            let network = scripted([challenge(), answer("200 OK", "", &body)]);
            let error = get(&network, wrapping).unwrap_err();
            assert!(
                matches!(error, Error::NotForUs | Error::Garbage { .. }),
                "{error}"
            );
        }
    }
}

#[test]
fn what_is_not_http_is_garbage() {
    for bytes in [
        &b"\0\0\0\0\0\0\0\0\r\n\r\n"[..],
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
    ] {
        let error = fails([Reaction::Send(bytes.to_vec())]);
        assert_eq!(
            error,
            Error::NotHttp {
                step: Step::Challenge
            }
        );
    }
}

#[test]
fn a_connection_that_ends_early_is_lost() {
    for bytes in [
        &b""[..],
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1234",
    ] {
        let error = fails([challenge(), Reaction::Send(bytes.to_vec())]);
        assert_eq!(
            error,
            Error::Lost {
                step: Step::Evidence
            }
        );
    }
}

#[test]
fn a_broker_that_falls_silent_costs_a_bounded_time() {
    for bytes in [
        &b""[..],
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1234",
    ] {
        let error = fails([Reaction::SendAndHang(bytes.to_vec())]);
        assert_eq!(
            error,
            Error::TimedOut {
                step: Step::Challenge,
                limit: Limits::default().answer
            }
        );
    }
}

#[test]
fn an_answer_without_end_costs_a_bounded_memory() {
    for start in [
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: ",
    ] {
        let flood = [start.as_bytes(), &[b'x'; 1 << 20]].concat();
        let error = fails([Reaction::SendAndHang(flood)]);
        assert_eq!(
            error,
            Error::NotHttp {
                step: Step::Challenge
            }
        );
    }
}

#[test]
fn a_token_that_cannot_be_had_or_is_no_cbor_is_not_sent() {
    for (bytes, expected) in [
        (&b""[..], TokenError::Empty),
        (b"\xff", TokenError::NotCbor),
    ] {
        let network = scripted([challenge()]);
        let clock = TickingClock::default();
        let endpoint = Endpoint::parse("http://10.0.2.2:8088").unwrap();
        let client = Client::new(endpoint, &network, &clock).answering_any_challenge();
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let key = block_on(client.get_key("skywalker", &mut rng, |c| token_of(bytes, c)));
        assert_eq!(key.unwrap_err(), Error::Token(expected));
        assert_eq!(network.connections(), 1);
    }
}

#[test]
fn a_name_that_no_key_has_is_not_asked_for() {
    let network = scripted([]);
    let clock = TickingClock::default();
    let endpoint = Endpoint::parse("http://10.0.2.2:8088").unwrap();
    let client = Client::new(endpoint, &network, &clock);
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    let key = block_on(client.get_key("../admin", &mut rng, |c| token_of(&TOKEN, c)));
    assert_eq!(key.unwrap_err(), Error::Name);
    assert_eq!(network.connections(), 0);
}

#[test]
fn no_answer_of_a_broker_is_a_panic() {
    let answers = [
        format!(
            r#"{{"challenge":"{}","accept":["application/eat-collection; profile=x"]}}"#,
            Base64UrlUnpadded::encode_string(&[0x5c; 64])
        ),
        format!(
            r#"{{"data":"{}"}}"#,
            Base64UrlUnpadded::encode_string(&[7; 256])
        ),
        r#"{"type":"AttestationFailure","detail":"No: \u0007 \"quoted\""}"#.to_string(),
    ];
    let mut random = Seeded::new(3);
    for answer in answers {
        fuzz::broker_json(answer.as_bytes());
        for _ in 0..3000 {
            fuzz::broker_json(&random.mutated(answer.as_bytes()));
        }
    }
}
