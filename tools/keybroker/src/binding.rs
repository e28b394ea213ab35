//! What ties a challenge to the request that it answers.
//!
//! Requests come over plain HTTP. Whoever stands in the way can put a public key of his own into one,
//! have a realm answer the challenge, and open what the broker wraps. A challenge whose second half is
//! the digest of its first half and of the request lets the realm see that the request is not its own.
//! For a client that does not look, it is 64 bytes like any other.

use sha2::{Digest, Sha256};
use token::CHALLENGE_SIZE;

use crate::protocol::RsaKey;

/// What the digest is of, so that it cannot be taken for another one.
const LABEL: &str = "airlock key request 1";
/// Bytes of a challenge that are random; the rest is the digest.
const RANDOM: usize = 32;

/// The challenge that starts with `random`, for a request of the key `name`, wrapped for `key`.
pub fn bound_challenge(random: [u8; RANDOM], name: &str, key: &RsaKey) -> [u8; CHALLENGE_SIZE] {
    let mut challenge = [0; CHALLENGE_SIZE];
    let (first, second) = challenge.split_at_mut(RANDOM);
    first.copy_from_slice(&random);
    second.copy_from_slice(&digest(&random, [name, &key.alg, &key.n, &key.e]));
    challenge
}

/// The digest of a request, each part as the text that came over the wire.
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
    use super::*;

    fn challenge(name: &str, [alg, n, e]: [&str; 3]) -> [u8; CHALLENGE_SIZE] {
        let [kty, alg, n, e] = ["RSA", alg, n, e].map(String::from);
        bound_challenge([0x5c; 32], name, &RsaKey { kty, alg, n, e })
    }

    #[test]
    fn the_digest_is_the_one_that_the_client_expects() {
        let challenge = challenge("skywalker", ["RSA-OAEP", "__79", "AQAB"]);
        let (random, digest) = challenge.split_at(RANDOM);
        assert_eq!(random, [0x5c; 32]);
        assert_eq!(
            base16ct::lower::encode_string(digest),
            "068bc4aacf406ad6658f09deb7305893154d49261212dd6a3096816ecbeb4825"
        );
    }

    #[test]
    fn each_part_of_a_request_counts() {
        let asked = challenge("skywalker", ["RSA-OAEP", "__79", "AQAB"]);
        for other in [
            challenge("vader", ["RSA-OAEP", "__79", "AQAB"]),
            challenge("skywalker", ["RSA1_5", "__79", "AQAB"]),
            challenge("skywalker", ["RSA-OAEP", "__78", "AQAB"]),
            challenge("skywalker", ["RSA-OAEP", "__79A", "QAB"]),
        ] {
            assert_ne!(asked, other);
        }
    }
}
