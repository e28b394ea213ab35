//! What the client logs: the lines of the demonstration's client, and nothing of a key or a token.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that goes wrong should say so, loudly"
)]

use std::sync::Mutex;

use attest::keybroker::{Client, Endpoint, Wrapping};
use base64ct::{Base64UrlUnpadded, Encoding};
use chacha20::ChaCha20Rng;
use embassy_futures::block_on;
use log::{LevelFilter, Log, Metadata, Record};
use rand_core::SeedableRng;
use rsa::{BoxedUint, Oaep, RsaPublicKey};
use serde_json::Value;
use sha2::Sha256;
use testkit::{
    attestation::{TickingClock, token_of},
    broker::{BrokerNetwork, Reaction, Request},
};

const SECRET: &[u8] = b"May the force be with you.";
const TOKEN: [u8; 4] = [0xd9, 0x01, 0x8f, 0xa0];

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Keeps every line of every level.
struct Keeper;

impl Log for Keeper {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        LINES.lock().unwrap().push(record.args().to_string());
    }

    fn flush(&self) {}
}

fn answer(fields: &str, body: &str) -> Reaction {
    let length = body.len();
    let head = format!("HTTP/1.1 201 Created\r\nContent-Length: {length}\r\n{fields}\r\n");
    Reaction::Send((head + body).into_bytes())
}

fn wrapped(request: &Request) -> String {
    let json: Value = serde_json::from_slice(&request.body).unwrap();
    let number = |name: &str, bits| {
        let text = json["pubkey"][name].as_str().unwrap();
        BoxedUint::from_be_slice(&Base64UrlUnpadded::decode_vec(text).unwrap(), bits).unwrap()
    };
    let key = RsaPublicKey::new(number("n", 2048), number("e", 64)).unwrap();
    let mut rng = ChaCha20Rng::from_seed([9; 32]);
    let cipher = key.encrypt(&mut rng, Oaep::<Sha256>::new(), SECRET);
    Base64UrlUnpadded::encode_string(&cipher.unwrap())
}

/// A broker that challenges, and then gives the key.
fn broker() -> BrokerNetwork {
    let mut first = None;
    BrokerNetwork::new(64, move |request| match first.take() {
        None => {
            first = Some(request.clone());
            let challenge = Base64UrlUnpadded::encode_string(&[0x5c; 64]);
            let body = format!(r#"{{"challenge":"{challenge}"}}"#);
            answer("Location: http://other/keys/v1/evidence/7\r\n", &body)
        }
        Some(first) => {
            let body = format!(r#"{{"data":"{}"}}"#, wrapped(&first));
            Reaction::Send(
                format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                )
                .into_bytes(),
            )
        }
    })
}

#[test]
fn the_lines_are_those_of_the_demonstration_and_tell_no_secret() {
    log::set_logger(&Keeper).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let network = broker();
    let clock = TickingClock::default();
    let endpoint = Endpoint::parse("http://10.0.2.2:8088").unwrap();
    let client = Client::new(endpoint, &network, &clock)
        .with_wrapping(Wrapping::Oaep)
        .answering_any_challenge();
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    let released = block_on(client.get_key("skywalker", &mut rng, |c| token_of(&TOKEN, c)));
    assert_eq!(released.unwrap().key.expose(), SECRET);
    let bytes = ["5c"; 64].join(", ");
    assert_eq!(
        *LINES.lock().unwrap(),
        [
            "Requesting key named 'skywalker' from the keybroker server with URL \
             http://10.0.2.2:8088/keys/v1/key/skywalker",
            &format!("Challenge (64 bytes) = [{bytes}]"),
            "Submitting evidence to URL http://10.0.2.2:8088/keys/v1/evidence/7",
        ]
    );
}
