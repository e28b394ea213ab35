//! Each way to be refused, with its own answer.

use std::io::Write;
use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};
use keybroker::{EVIDENCE_MEDIA_TYPE, MAX_EVIDENCE, MAX_REQUEST};
use token::Lifecycle;

use crate::client::{
    Answer, ask, attest, connect, post, read_answer, request, server, server_with, submit,
};
use crate::realm::{GOOD, Realm, Wrapping};

const JSON: &str = "application/json";
const KEY: &str = "/keys/v1/key/skywalker";

#[test]
fn each_flaw_of_a_realm_has_its_own_reason() {
    let server = server();
    let wrapping = Wrapping::new(1024);
    let lifecycle = Lifecycle(0x5000);
    let flaws = [
        (
            Realm {
                rim: [0x12; 32],
                ..GOOD
            },
            "the RIM is not a reference value",
        ),
        (
            Realm {
                rem1: [0; 32],
                ..GOOD
            },
            "REM 1 is not what the policy demands",
        ),
        (
            Realm {
                rem3: [0x33; 32],
                ..GOOD
            },
            "trusts a device which the policy does not know",
        ),
        (
            Realm { lifecycle, ..GOOD },
            "lifecycle 0x5000 (recoverable-debug) is not allowed",
        ),
        (
            Realm {
                bound: false,
                ..GOOD
            },
            "vouches for another realm key",
        ),
        (
            Realm {
                endorsed: false,
                ..GOOD
            },
            "not signed by an endorsed key",
        ),
    ];
    for (realm, why) in flaws {
        let answer = attest(server.address(), "strict", &realm, &wrapping);
        assert_eq!(answer.status, 403);
        let (kind, detail) = answer.refusal();
        assert_eq!(kind, "AttestationFailure");
        assert!(detail.contains(why), "{detail}");
        assert!(answer.json.get("data").is_none());
    }
}

#[test]
fn a_platform_that_nobody_endorsed_is_refused() {
    let server = server_with(|config| config.broker.platform_keys.clear());
    let answer = attest(server.address(), "skywalker", &GOOD, &Wrapping::new(1024));
    assert!(
        answer.refusal().1.contains("no key is endorsed"),
        "{answer:?}"
    );
}

#[test]
fn a_policy_can_allow_an_unsecured_platform() {
    let server = server();
    let wrapping = Wrapping::new(1024);
    let debug = Realm {
        lifecycle: Lifecycle(0x4000),
        ..GOOD
    };
    assert_eq!(
        attest(server.address(), "debug", &debug, &wrapping).status,
        200
    );
    assert_eq!(
        attest(server.address(), "debug", &GOOD, &wrapping).status,
        403
    );
}

#[test]
fn a_challenge_is_good_for_one_answer() {
    let server = server();
    let challenge = ask(
        server.address(),
        "skywalker",
        &Wrapping::new(1024),
        "RSA1_5",
    );
    let evidence = GOOD.evidence(&challenge.nonce);
    assert_eq!(submit(server.address(), &challenge, &evidence).status, 200);
    let replay = submit(server.address(), &challenge, &evidence);
    assert_eq!(replay.status, 403);
    assert_eq!(
        replay.refusal(),
        (
            "AttestationFailure",
            "The challenge identifier did not match any issued challenge."
        )
    );
}

#[test]
fn a_challenge_is_used_up_by_garbage_too() {
    let server = server();
    let challenge = ask(
        server.address(),
        "skywalker",
        &Wrapping::new(1024),
        "RSA1_5",
    );
    assert_eq!(submit(server.address(), &challenge, "!").status, 403);
    let evidence = GOOD.evidence(&challenge.nonce);
    assert_eq!(submit(server.address(), &challenge, &evidence).status, 403);
}

#[test]
fn a_token_over_an_old_challenge_is_refused() {
    let server = server();
    let wrapping = Wrapping::new(1024);
    let old = ask(server.address(), "skywalker", &wrapping, "RSA1_5");
    let new = ask(server.address(), "skywalker", &wrapping, "RSA1_5");
    let answer = submit(server.address(), &new, &GOOD.evidence(&old.nonce));
    assert!(
        answer.refusal().1.contains("answers another challenge"),
        "{answer:?}"
    );
}

#[test]
fn an_expired_challenge_is_refused() {
    let server = server_with(|config| {
        config.broker.challenge_lifetime = Duration::from_millis(50);
    });
    let challenge = ask(
        server.address(),
        "skywalker",
        &Wrapping::new(1024),
        "RSA1_5",
    );
    std::thread::sleep(Duration::from_millis(100));
    let answer = submit(
        server.address(),
        &challenge,
        &GOOD.evidence(&challenge.nonce),
    );
    assert_eq!(
        (answer.status, answer.refusal().0),
        (403, "AttestationFailure")
    );
}

#[test]
fn evidence_that_is_no_token_is_refused() {
    let server = server();
    let wrapping = Wrapping::new(1024);
    for (evidence, why) in [
        ("", "envelope"),
        ("0gE", "unexpected tag 18"),
        ("2QGPoA", "claim 44234 is missing"),
        ("====", "base64url"),
        ("a+/b", "base64url"),
        ("\u{e9}", "base64url"),
    ] {
        let challenge = ask(server.address(), "skywalker", &wrapping, "RSA1_5");
        let answer = submit(server.address(), &challenge, evidence);
        // The one status whose reason the demonstration's client shows.
        let (kind, detail) = answer.refusal();
        assert_eq!(
            (answer.status, kind),
            (403, "MalformedEvidence"),
            "{evidence}"
        );
        assert!(detail.contains(why), "{answer:?}");
    }
}

/// The demonstration's client shows no reason before it has answered a challenge.
#[test]
fn a_key_that_does_not_exist_is_told_to_whoever_answers_the_challenge_for_it() {
    let server = server();
    let answer = attest(server.address(), "vader", &GOOD, &Wrapping::new(1024));
    assert_eq!(answer.status, 403);
    assert_eq!(answer.refusal(), ("UnknownKey", "No key has this name."));
}

#[test]
fn a_request_that_is_none_is_refused() {
    let server = server();
    let good = Wrapping::new(1024).request("RSA1_5");
    let cases: [(&str, String, u16, &str); 8] = [
        ("/keys/v1/key/no%20name", good.clone(), 403, "UnknownKey"),
        ("/keys/v1/lock/skywalker", good.clone(), 404, "NoSuchPath"),
        (KEY, "{".into(), 400, "MalformedRequest"),
        (KEY, "[".repeat(5000), 400, "MalformedRequest"),
        (
            KEY,
            good.replace("RSA1_5", "RSA-OAEP-512"),
            400,
            "UnsuitablePublicKey",
        ),
        (
            KEY,
            good.replace("\"n\":\"", "\"n\":\"="),
            400,
            "MalformedRequest",
        ),
        (
            KEY,
            Wrapping::new(1024).request("EC"),
            400,
            "UnsuitablePublicKey",
        ),
        (
            "/keys/v1/key/long",
            good.replace("RSA1_5", "RSA-OAEP"),
            400,
            "UnsuitablePublicKey",
        ),
    ];
    for (path, body, status, kind) in cases {
        let answer = post(server.address(), path, JSON, body.as_bytes());
        assert_eq!(
            (answer.status, answer.refusal().0),
            (status, kind),
            "{path} {body}"
        );
    }
}

#[test]
fn weak_and_strange_rsa_keys_are_refused() {
    let server = server();
    let request = |n: &[u8], e: &[u8]| {
        let (n, e) = (
            Base64UrlUnpadded::encode_string(n),
            Base64UrlUnpadded::encode_string(e),
        );
        let body = format!(r#"{{"pubkey":{{"kty":"RSA","alg":"RSA1_5","n":"{n}","e":"{e}"}}}}"#);
        post(server.address(), KEY, JSON, body.as_bytes())
    };
    let (good, usual): (&[u8], &[u8]) = (&[0xff; 128], &[1, 0, 1]);
    assert_eq!(request(good, usual).status, 201);
    let even = [&good[..127], &[0xfe]].concat();
    let padded = [&[0; 100], &good[..64]].concat();
    for (n, e) in [
        (&[][..], usual),
        (&[1], usual),
        (&good[..127], usual),
        (&padded, usual),
        (&[0xff; 513], usual),
        (&even, usual),
        (good, &[]),
        (good, &[0]),
        (good, &[1]),
        (good, &[2]),
        (good, good),
        (good, &[0xff; 9]),
    ] {
        let answer = request(n, e);
        assert_eq!(
            (answer.status, answer.refusal().0),
            (400, "UnsuitablePublicKey"),
            "{n:x?} {e:x?}"
        );
    }
}

#[test]
fn other_methods_and_types_are_refused() {
    let server = server();
    let body = Wrapping::new(1024).request("RSA1_5");
    let get = request(server.address(), "GET", KEY, JSON, b"");
    assert_eq!((get.status, get.refusal().0), (405, "MethodNotAllowed"));
    let text = post(server.address(), KEY, "text/plain", body.as_bytes());
    assert_eq!(
        (text.status, text.refusal().0),
        (415, "UnsupportedMediaType")
    );
    let challenge = ask(
        server.address(),
        "skywalker",
        &Wrapping::new(1024),
        "RSA1_5",
    );
    let evidence = GOOD.evidence(&challenge.nonce);
    for wrong in [JSON, "application/eat-collection; profile=\"other\""] {
        let answer = post(
            server.address(),
            &challenge.path,
            wrong,
            evidence.as_bytes(),
        );
        assert_eq!(answer.status, 415, "{wrong}");
    }
    // The type was refused before the evidence was looked at, so the challenge is still good.
    assert_eq!(submit(server.address(), &challenge, &evidence).status, 200);
}

fn too_long(path: &str, content_type: &str, size: usize) -> Answer {
    let server = server();
    post(server.address(), path, content_type, &vec![b'A'; size])
}

#[test]
fn bodies_are_bounded() {
    let answer = too_long(KEY, JSON, MAX_REQUEST + 1);
    assert_eq!((answer.status, answer.refusal().0), (413, "TooLong"));
    let path = "/keys/v1/evidence/1";
    let answer = too_long(path, EVIDENCE_MEDIA_TYPE, MAX_EVIDENCE + 1);
    assert_eq!((answer.status, answer.refusal().0), (413, "TooLong"));
}

#[test]
fn a_body_that_stops_coming_is_given_up() {
    let server = server_with(|config| config.limits.body_time = Duration::from_millis(100));
    let mut stream = connect(server.address());
    let head = format!(
        "POST {KEY} HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\nContent-Length: 50\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let answer = read_answer(&mut stream);
    assert_eq!((answer.status, answer.refusal().0), (408, "TooSlow"));
}

#[test]
fn a_full_house_is_served_when_the_idle_lose_their_places() {
    let server = server_with(|config| {
        config.limits.connections = 3;
        config.limits.head_time = Duration::from_millis(300);
    });
    let idle: Vec<_> = (0..3).map(|_| connect(server.address())).collect();
    let answer = attest(server.address(), "skywalker", &GOOD, &Wrapping::new(1024));
    assert_eq!(answer.status, 200);
    drop(idle);
}
