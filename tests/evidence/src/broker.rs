//! Any bytes as what a key broker reads.

use std::sync::LazyLock;
use std::time::Instant;

use base64ct::{Base64UrlUnpadded, Encoding};
use keybroker::{
    Broker, BrokerConfig, KeyStore, Refusal, read_endorsements, read_reference_values,
};

use crate::samples::key_request;

/// A broker that endorses nobody: it must never give its key away.
static BROKER: LazyLock<Broker> = LazyLock::new(|| {
    Broker::new(BrokerConfig {
        mock_challenge: true,
        ..BrokerConfig::new(KeyStore::demonstration())
    })
});

const KEY: &str = "skywalker";

/// Takes any bytes as a body or a file that a key broker reads. The first byte says as which.
pub fn broker_requests(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else {
        return;
    };
    match kind % 4 {
        0 => request(bytes),
        1 => evidence(bytes),
        2 => evidence(Base64UrlUnpadded::encode_string(bytes).as_bytes()),
        _ => files(&String::from_utf8_lossy(bytes)),
    }
}

fn request(body: &[u8]) {
    match BROKER.request(KEY, body, Instant::now()) {
        Ok(issued) => {
            let nothing = BROKER.submit(issued.id, b"", Instant::now());
            assert!(matches!(nothing, Err(Refusal::Evidence(_))), "{nothing:?}");
        }
        Err(refusal) => check(refusal),
    }
}

fn evidence(body: &[u8]) {
    let now = Instant::now();
    let issued = BROKER.request(KEY, &key_request(), now);
    let id = issued.expect("the request is good").id;
    check(
        BROKER
            .submit(id, body, now)
            .expect_err("nobody is endorsed"),
    );
    let again = BROKER.submit(id, body, now);
    assert_eq!(
        again,
        Err(Refusal::UnknownChallenge),
        "a challenge is good once"
    );
}

/// A refusal is the client's fault, and says so.
fn check(refusal: Refusal) {
    assert!((400..500).contains(&refusal.status()), "{refusal:?}");
    assert!(!refusal.to_string().is_empty());
}

/// Files come from friends, but a typing error must not end in a panic either.
fn files(text: &str) {
    let _values = read_reference_values(text);
    let _keys = read_endorsements(text);
    let _store = KeyStore::read(text);
}
