//! What ties a challenge to the request that it answers.
//!
//! The exchange goes over plain HTTP, and the host stands in its way. Were the challenge any 64 bytes,
//! the host could put a public key of its own into our request: the broker would take our token for
//! the answer, and wrap the key for the host. So the second half of a challenge is the digest of its
//! first half and of the request as the broker got it, and we prove nothing for a request that is not
//! ours. On the wire nothing changes: to a client that does not look, a challenge is 64 bytes.

use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};

use crate::{
    keybroker::wrapping::{KeyPair, Wrapping},
    token::Challenge,
};

/// What the digest is of, so that it cannot be taken for another one.
const LABEL: &str = "airlock key request 1";
/// Bytes of a challenge that are random; the rest is the digest.
const RANDOM: usize = 32;

/// Whether `challenge` was made for the request of the key `name`, wrapped for `pair`.
pub(crate) fn is_bound(
    challenge: &Challenge,
    name: &str,
    wrapping: Wrapping,
    pair: &KeyPair,
) -> bool {
    let [n, e] =
        [pair.modulus(), pair.exponent()].map(|number| Base64UrlUnpadded::encode_string(&number));
    is_of(challenge, [name, wrapping.name(), &n, &e])
}

/// Whether `challenge` was made for `request`: key name, `alg`, `n` and `e`.
fn is_of(challenge: &Challenge, request: [&str; 4]) -> bool {
    let Some((random, rest)) = challenge.as_bytes().split_first_chunk() else {
        return false;
    };
    digest(random, request) == rest
}

/// The digest of a request: key name, `alg`, `n` and `e`, each as the text that goes over the wire.
fn digest(random: &[u8; RANDOM], request: [&str; 4]) -> [u8; 32] {
    let mut hash = Sha256::new();
    let texts = request.map(str::as_bytes);
    for part in [LABEL.as_bytes(), random].into_iter().chain(texts) {
        // The length before each part keeps a byte from moving to its neighbour.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::String};

    use super::*;

    const REQUEST: [&str; 4] = ["skywalker", "RSA-OAEP", "__79", "AQAB"];

    fn bound() -> [u8; 64] {
        let mut challenge = [0x5c; 64];
        challenge[RANDOM..].copy_from_slice(&digest(&[0x5c; RANDOM], REQUEST));
        challenge
    }

    #[test]
    fn each_byte_of_a_challenge_counts() {
        assert!(is_of(&Challenge::new(bound()), REQUEST));
        for at in 0..64 {
            let mut other = bound();
            other[at] ^= 1;
            assert!(!is_of(&Challenge::new(other), REQUEST), "byte {at}");
        }
    }

    #[test]
    fn each_part_of_a_request_counts() {
        for at in 0..REQUEST.len() {
            let mut other = REQUEST;
            other[at] = "other";
            assert!(!is_of(&Challenge::new(bound()), other), "part {at}");
        }
    }

    #[test]
    fn the_digest_is_the_one_that_the_broker_makes() {
        let digest = digest(&[0x5c; 32], ["skywalker", "RSA-OAEP", "__79", "AQAB"]);
        let text: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            text,
            "068bc4aacf406ad6658f09deb7305893154d49261212dd6a3096816ecbeb4825"
        );
    }
}
