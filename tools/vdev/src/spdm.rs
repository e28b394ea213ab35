//! The messages that device and platform exchanged, as the platform keeps them.
//!
//! Ref: DSP0274 1.2, 10.3 to 10.5 (negotiation), 10.11 (measurements), 15 (signatures).

use alloc::vec::Vec;

use sha2::{Digest, Sha256, Sha384};

use crate::Curve;
use crate::certificates::Key;

const VERSION: u8 = 0x12;
const CONTEXT: &[u8; 30] = b"responder-measurements signing";
const LABEL: &[u8; 16] = b"dmtf-spdm-v1.2.*";
/// Signed, and raw.
const ATTRIBUTES: u8 = 3;
const ALL: u8 = 0xff;

/// Version, capabilities and algorithms, request and response each.
#[must_use]
pub fn negotiation(curve: Curve) -> Vec<u8> {
    let (asymmetric, hash): (u32, u32) = match curve {
        Curve::P256 => (0x10, 1),
        Curve::P384 => (0x80, 2),
    };
    let mut messages = Vec::from([0x10, 0x84, 0, 0, 0x10, 0x04, 0, 0, 0, 1, 0, VERSION]);
    for code in [0xe1, 0x61] {
        messages.extend_from_slice(&[VERSION, code, 0, 0, 0, 10, 0, 0]);
        for word in [0x0000_00d6_u32, 0x1200, 0x1_0000] {
            messages.extend_from_slice(&word.to_le_bytes());
        }
    }
    messages.extend_from_slice(&[VERSION, 0xe3, 0, 0, 32, 0, 1, 0]);
    messages.extend_from_slice(&asymmetric.to_le_bytes());
    messages.extend_from_slice(&hash.to_le_bytes());
    messages.extend_from_slice(&[0; 16]);
    messages.extend_from_slice(&[VERSION, 0x63, 0, 0, 36, 0, 1, 0]);
    // Measurements are hashed with the next higher bit: bit 0 stands for raw ones only.
    for word in [hash << 1, asymmetric, hash] {
        messages.extend_from_slice(&word.to_le_bytes());
    }
    messages.extend_from_slice(&[0; 16]);
    messages
}

/// The blocks of a measurement record: index, type of the value, the value.
#[must_use]
pub fn record(blocks: &[(u8, u8, &[u8])]) -> Vec<u8> {
    let mut record = Vec::new();
    for (index, kind, bytes) in blocks {
        let size = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
        record.extend_from_slice(&[*index, 1]);
        record.extend_from_slice(&(size + 3).to_le_bytes());
        record.push(*kind);
        record.extend_from_slice(&size.to_le_bytes());
        record.extend_from_slice(bytes);
    }
    record
}

/// Request and response for all measurements, signed by `key`. `nonce` is the device's own.
pub(crate) fn measurements(
    negotiation: &[u8],
    count: u8,
    record: &[u8],
    nonce: [u8; 32],
    key: &Key,
) -> Vec<u8> {
    let mut messages = Vec::from([VERSION, 0xe0, ATTRIBUTES, ALL]);
    messages.extend_from_slice(&[0; 33]);
    messages.extend_from_slice(&[VERSION, 0x60, 0, 0, count]);
    let length = u32::try_from(record.len()).unwrap_or(0).to_le_bytes();
    messages.extend_from_slice(length.get(..3).unwrap_or_default());
    messages.extend_from_slice(record);
    messages.extend_from_slice(&nonce);
    messages.extend_from_slice(&[0, 0]);
    let signed = [negotiation, &messages].concat();
    let digest = match key.curve() {
        Curve::P256 => Sha256::digest(&signed).to_vec(),
        Curve::P384 => Sha384::digest(&signed).to_vec(),
    };
    let message = [&LABEL.repeat(4)[..], &[0; 6], CONTEXT, &digest].concat();
    messages.extend_from_slice(&key.sign(&message));
    messages
}
