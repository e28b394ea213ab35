//! What goes over the wire.

use serde::{Deserialize, Serialize};

use crate::Refusal;
use crate::encoding::{from_base64url, to_base64url};

/// The longest key request that is read, in bytes. An RSA modulus of 4096 bits takes 683.
pub const MAX_REQUEST: usize = 8 << 10;

/// The longest evidence that is read, in bytes: base64url of the longest token.
pub const MAX_EVIDENCE: usize = token::MAX_TOKEN.div_ceil(3) * 4;

/// The media type of evidence, exactly as the demonstration's client sends it.
pub const EVIDENCE_MEDIA_TYPE: &str =
    r#"application/eat-collection; profile="http://arm.com/CCA-SSD/1.0.0""#;

/// The same as the demonstration's server announces it: without quotes.
const ACCEPT: &str = "application/eat-collection; profile=http://arm.com/CCA-SSD/1.0.0";

/// A request for a key.
#[derive(Debug, Deserialize)]
pub struct KeyRequest {
    /// The public key that the secret is to be wrapped for.
    pub pubkey: RsaKey,
}

/// An RSA public key, in the form of a JSON Web Key.
#[derive(Debug, Deserialize)]
pub struct RsaKey {
    /// Type of the key: `RSA`.
    pub kty: String,
    /// How to wrap: `RSA1_5` or `RSA-OAEP`.
    pub alg: String,
    /// Modulus, base64url.
    pub n: String,
    /// Exponent, base64url.
    pub e: String,
}

impl KeyRequest {
    /// Reads the body of a request.
    pub fn read(body: &[u8]) -> Result<Self, Refusal> {
        serde_json::from_slice(body).map_err(|_| Refusal::Json)
    }
}

/// Reads the body of evidence: base64url text of a token.
pub fn read_evidence(body: &[u8]) -> Result<Vec<u8>, Refusal> {
    const WRONG: Refusal = Refusal::EvidenceText;
    if body.len() > MAX_EVIDENCE {
        return Err(Refusal::TooLong {
            limit: MAX_EVIDENCE,
        });
    }
    let text = std::str::from_utf8(body).map_err(|_| WRONG)?;
    from_base64url(text).map_err(|_| WRONG)
}

/// Writes the answer to a key request.
pub fn challenge_answer(challenge: &[u8]) -> Vec<u8> {
    #[derive(Serialize)]
    struct Answer {
        challenge: String,
        accept: [&'static str; 1],
    }
    json(&Answer {
        challenge: to_base64url(challenge),
        accept: [ACCEPT],
    })
}

/// Writes the answer to evidence that passed.
pub fn key_answer(wrapped: &[u8]) -> Vec<u8> {
    #[derive(Serialize)]
    struct Answer {
        data: String,
    }
    json(&Answer {
        data: to_base64url(wrapped),
    })
}

/// Writes the answer to everything else.
pub fn refusal_answer(refusal: Refusal) -> Vec<u8> {
    #[derive(Serialize)]
    struct Answer {
        r#type: &'static str,
        detail: String,
    }
    json(&Answer {
        r#type: refusal.kind(),
        detail: refusal.to_string(),
    })
}

fn json(answer: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(answer).expect("texts always are JSON")
}
