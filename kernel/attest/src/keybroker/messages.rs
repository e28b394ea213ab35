//! The JSON of the protocol: what we say, and what a broker may say.
//!
//! A broker is a stranger until it has sent a key that opens, so each text it sends is bounded by the
//! body it came in, checked here, and kept only in the form that we need.

use alloc::{string::String, vec::Vec};

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::{Deserialize, Serialize};

use crate::{
    text::printable,
    token::{Challenge, Token},
};

/// The media type of evidence, exactly as the broker's policy has it.
pub(crate) const EVIDENCE_TYPE: &str =
    "application/eat-collection; profile=\"http://arm.com/CCA-SSD/1.0.0\"";
/// What the broker's list of accepted media types must name, whatever parameters follow.
const EVIDENCE_KIND: &str = "application/eat-collection";
/// The longest `type` of a refusal that we keep, in characters.
const LONGEST_KIND: usize = 64;
/// The longest `detail` of a refusal that we keep, in characters.
const LONGEST_DETAIL: usize = 256;

/// What is wrong with an answer of the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The body is not the JSON that belongs here.
    Json,
    /// A text is not base64url without padding.
    Base64,
    /// The challenge is not 64 bytes long.
    ChallengeLength {
        /// Its length in bytes.
        length: usize,
    },
    /// The broker does not accept the kind of evidence that a realm has.
    EvidenceKind,
    /// There is no `Location` with a path that could be asked for.
    Location,
    /// The status is none that the protocol has.
    Status {
        /// The status.
        status: u16,
    },
}

impl core::fmt::Display for Fault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Json => f.write_str("the body is not the JSON that belongs there"),
            Self::Base64 => f.write_str("a text is not base64url without padding"),
            Self::ChallengeLength { length } => {
                write!(f, "the challenge has {length} bytes instead of 64")
            }
            Self::EvidenceKind => f.write_str("it does not accept the evidence of a realm"),
            Self::Location => f.write_str("it does not say where evidence goes"),
            Self::Status { status } => write!(f, "the status {status} is not in the protocol"),
        }
    }
}

/// A broker's reason for not giving the key, cut and cleaned for a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    kind: String,
    detail: String,
}

impl Refusal {
    /// The type of the refusal, such as `AttestationFailure`: at most 64 printable characters.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// What the broker adds to it: at most 256 printable characters.
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl core::fmt::Display for Refusal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}: {}", self.kind, self.detail)
    }
}

/// The request for a key: the public half of the key to wrap it with.
pub(crate) fn key_request(alg: &str, n: &[u8], e: &[u8]) -> Vec<u8> {
    let request = KeyRequest {
        pubkey: PublicKey {
            kty: "RSA",
            alg,
            n: Base64UrlUnpadded::encode_string(n),
            e: Base64UrlUnpadded::encode_string(e),
        },
    };
    serde_json::to_vec(&request).unwrap_or_default()
}

/// The evidence as the broker reads it: base64url text of the token.
pub(crate) fn evidence(token: &Token) -> Vec<u8> {
    Base64UrlUnpadded::encode_string(token.as_bytes()).into_bytes()
}

/// Reads the broker's challenge.
///
/// # Errors
/// Says what is wrong with it.
pub fn read_challenge(body: &[u8]) -> Result<Challenge, Fault> {
    let answer: ChallengeAnswer = serde_json::from_slice(body).map_err(|_| Fault::Json)?;
    let ours = |kind: &String| kind.split(';').next().map(str::trim) == Some(EVIDENCE_KIND);
    if !answer.accept.is_empty() && !answer.accept.iter().any(ours) {
        return Err(Fault::EvidenceKind);
    }
    let bytes = Base64UrlUnpadded::decode_vec(&answer.challenge).map_err(|_| Fault::Base64)?;
    Challenge::try_from(bytes.as_slice()).map_err(|_| Fault::ChallengeLength {
        length: bytes.len(),
    })
}

/// Reads the wrapped key that a broker sends.
///
/// # Errors
/// Says what is wrong with it.
pub fn read_wrapped_key(body: &[u8]) -> Result<Vec<u8>, Fault> {
    let answer: KeyAnswer = serde_json::from_slice(body).map_err(|_| Fault::Json)?;
    Base64UrlUnpadded::decode_vec(&answer.data).map_err(|_| Fault::Base64)
}

/// Reads a broker's reason for not giving the key; `None` if the body is none.
pub fn read_refusal(body: &[u8]) -> Option<Refusal> {
    let answer: RefusalAnswer = serde_json::from_slice(body).ok()?;
    Some(Refusal {
        kind: printable(&answer.kind, LONGEST_KIND),
        detail: printable(&answer.detail, LONGEST_DETAIL),
    })
}

#[derive(Serialize)]
struct KeyRequest<'a> {
    pubkey: PublicKey<'a>,
}

#[derive(Serialize)]
struct PublicKey<'a> {
    kty: &'a str,
    alg: &'a str,
    n: String,
    e: String,
}

#[derive(Deserialize)]
struct ChallengeAnswer {
    challenge: String,
    #[serde(default)]
    accept: Vec<String>,
}

#[derive(Deserialize)]
struct KeyAnswer {
    data: String,
}

#[derive(Deserialize)]
struct RefusalAnswer {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    detail: String,
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    fn challenge_body(text: &str, accept: &str) -> Vec<u8> {
        format!(r#"{{"challenge":"{text}","accept":[{accept}]}}"#).into_bytes()
    }

    #[test]
    fn a_request_is_the_json_that_the_broker_of_the_demonstration_reads() {
        let body = key_request("RSA-OAEP", &[0xff, 0xfe, 0xfd], &[1, 0, 1]);
        assert_eq!(
            body,
            br#"{"pubkey":{"kty":"RSA","alg":"RSA-OAEP","n":"__79","e":"AQAB"}}"#
        );
    }

    #[test]
    fn a_challenge_of_64_bytes_is_read() {
        let text = Base64UrlUnpadded::encode_string(&[0x5c; 64]);
        let accept = r#""application/eat-collection; profile=http://arm.com/CCA-SSD/1.0.0""#;
        let challenge = read_challenge(&challenge_body(&text, accept)).unwrap();
        assert_eq!(challenge.as_bytes(), &[0x5c; 64]);
    }

    #[test]
    fn a_challenge_of_another_length_is_a_fault() {
        for length in [0, 63, 65] {
            let text = Base64UrlUnpadded::encode_string(&alloc::vec![1; length]);
            assert_eq!(
                read_challenge(&challenge_body(&text, "")),
                Err(Fault::ChallengeLength { length })
            );
        }
    }

    #[test]
    fn padding_and_the_other_alphabet_are_faults() {
        for text in ["AAA=", "++++", "A", "\u{e9}"] {
            let body = challenge_body(text, "");
            assert_eq!(read_challenge(&body), Err(Fault::Base64), "{text}");
        }
    }

    #[test]
    fn a_broker_that_wants_other_evidence_is_a_fault() {
        let text = Base64UrlUnpadded::encode_string(&[1; 64]);
        let body = challenge_body(&text, r#""application/eat-collection-not""#);
        assert_eq!(read_challenge(&body), Err(Fault::EvidenceKind));
    }

    #[test]
    fn what_is_not_json_is_a_fault() {
        for body in [&b""[..], b"{", b"[]", b"{\"challenge\":1}", b"\xff\xff"] {
            assert_eq!(read_challenge(body), Err(Fault::Json));
            assert_eq!(read_wrapped_key(body), Err(Fault::Json));
            assert_eq!(read_refusal(body), None);
        }
    }

    #[test]
    fn json_of_any_depth_is_a_fault_and_not_a_full_stack() {
        let body = "[".repeat(100_000);
        assert_eq!(read_challenge(body.as_bytes()), Err(Fault::Json));
    }

    #[test]
    fn a_refusal_is_cleaned_for_the_log() {
        let detail = "x".repeat(1000);
        let body = format!(r#"{{"type":"Bad\nType","detail":"{detail}"}}"#);
        let refusal = read_refusal(body.as_bytes()).unwrap();
        assert_eq!(refusal.kind(), "Bad?Type");
        assert_eq!(refusal.detail().len(), 256);
    }
}
