//! Any bytes as an answer of a key broker.

use attest::keybroker::messages::{read_challenge, read_refusal, read_wrapped_key};

/// Reads `bytes` as each answer that a key broker may give, and checks what those promise.
pub fn broker_json(bytes: &[u8]) {
    if let Ok(challenge) = read_challenge(bytes) {
        assert_eq!(challenge.as_bytes().len(), 64);
    }
    if let Ok(wrapped) = read_wrapped_key(bytes) {
        assert!(wrapped.len() <= bytes.len());
    }
    if let Some(refusal) = read_refusal(bytes) {
        let printable = |c: char| c == ' ' || c.is_ascii_graphic();
        assert!(refusal.to_string().chars().all(printable));
        assert!(refusal.kind().len() <= 64);
        assert!(refusal.detail().len() <= 256);
    }
}
