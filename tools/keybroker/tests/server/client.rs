//! A client, and a broker for it to talk to.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};
use keybroker::{
    BrokerConfig, EVIDENCE_MEDIA_TYPE, KeyStore, Limits, Server, ServerConfig, test_platform_key,
};

use crate::realm::{RIM, Realm, Wrapping};

/// The secret that the tests ask for.
pub const SECRET: &str = "May the force be with you.";

const KEYS: &str = r#"
[[key]]
name = "skywalker"
secret = "May the force be with you."
[[key]]
name = "strict"
secret = "another"
[key.policy]
rem1 = "2222222222222222222222222222222222222222222222222222222222222222"
rpv = "00"
[[key]]
name = "debug"
secret = "a third"
[key.policy]
lifecycle = ["non-cca-debug"]
[[key]]
name = "private-disk"
secret = "a fourth"
[key.policy]
devices = ["sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]
[[key]]
name = "long"
secret = "a secret that does not fit into OAEP with SHA-256 and 1024 bits, which leave 62 bytes"
"#;

/// A broker that knows the realm of the tests, as `change` wants it.
pub fn server_with(change: impl FnOnce(&mut ServerConfig)) -> Server {
    let keys = KeyStore::read(KEYS).expect("the keys are good");
    let mut config = ServerConfig {
        address: ([127, 0, 0, 1], 0).into(),
        endpoint: None,
        broker: BrokerConfig {
            reference_values: vec![RIM.to_vec()],
            platform_keys: vec![test_platform_key()],
            ..BrokerConfig::new(keys)
        },
        limits: Limits::default(),
    };
    change(&mut config);
    Server::start(config).expect("a port of loopback is free")
}

/// A broker that knows the realm of the tests.
pub fn server() -> Server {
    server_with(|_| {})
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub location: Option<String>,
    pub content_type: Option<String>,
    pub json: serde_json::Value,
}

impl Answer {
    /// The `type` and the `detail` of a refusal.
    pub fn refusal(&self) -> (&str, &str) {
        let text = |field: &str| self.json.get(field).and_then(serde_json::Value::as_str);
        (
            text("type").expect("a refusal has a type"),
            text("detail").expect("a refusal has a detail"),
        )
    }

    /// A field that is base64url.
    pub fn bytes(&self, field: &str) -> Vec<u8> {
        let text = self.json.get(field).and_then(serde_json::Value::as_str);
        let text = text.unwrap_or_else(|| panic!("no {field} in {self:?}"));
        Base64UrlUnpadded::decode_vec(text).expect("base64url")
    }
}

/// Sends a request and reads the whole answer.
pub fn post(to: SocketAddr, path: &str, content_type: &str, body: &[u8]) -> Answer {
    request(to, "POST", path, content_type, body)
}

pub fn request(
    to: SocketAddr,
    method: &str,
    path: &str,
    content_type: &str,
    body: &[u8],
) -> Answer {
    let mut stream = connect(to);
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {to}\r\nContent-Type: {content_type}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("the head is sent");
    // A server that refuses a body unread may close before all of it is sent.
    let _refused_unread = stream.write_all(body);
    read_answer(&mut stream)
}

pub fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).expect("the server listens");
    let patience = Some(Duration::from_secs(30));
    stream.set_read_timeout(patience).expect("the time is good");
    stream
}

pub fn read_answer(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    // A reset behind the answer is no harm.
    let _reset = stream.read_to_end(&mut bytes);
    let text = String::from_utf8(bytes).expect("an answer is text");
    let (head, body) = text.split_once("\r\n\r\n").expect("an answer has a head");
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let header = |name: &str| {
        let mut lines = head.lines();
        lines.find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    };
    Answer {
        status: status
            .and_then(|status| status.parse().ok())
            .expect("a status"),
        location: header("location"),
        content_type: header("content-type"),
        json: serde_json::from_str(body).unwrap_or_default(),
    }
}

/// A challenge, and where to answer it.
pub struct Challenge {
    pub nonce: [u8; 64],
    pub path: String,
}

/// Asks for the key `name`.
pub fn ask(to: SocketAddr, name: &str, wrapping: &Wrapping, alg: &str) -> Challenge {
    let path = format!("/keys/v1/key/{name}");
    let answer = post(
        to,
        &path,
        "application/json",
        wrapping.request(alg).as_bytes(),
    );
    assert_eq!(answer.status, 201, "{answer:?}");
    let location = answer.location.as_deref().expect("a challenge has a place");
    let path = location.strip_prefix(&format!("http://{to}"));
    Challenge {
        nonce: answer.bytes("challenge").try_into().expect("64 bytes"),
        path: path.expect("the place is the server's").to_owned(),
    }
}

/// Submits evidence.
pub fn submit(to: SocketAddr, challenge: &Challenge, evidence: &str) -> Answer {
    post(
        to,
        &challenge.path,
        EVIDENCE_MEDIA_TYPE,
        evidence.as_bytes(),
    )
}

/// Asks for the key `name` and answers the challenge as `realm`.
pub fn attest(to: SocketAddr, name: &str, realm: &Realm, wrapping: &Wrapping) -> Answer {
    let challenge = ask(to, name, wrapping, "RSA-OAEP");
    submit(to, &challenge, &realm.evidence(&challenge.nonce))
}
