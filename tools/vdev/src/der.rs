//! Writing DER: as much as a certificate needs.
//!
//! Ref: ITU-T X.690, 8 and 10.

use alloc::vec::Vec;

pub const SEQUENCE: u8 = 0x30;
pub const SET: u8 = 0x31;
pub const INTEGER: u8 = 0x02;
pub const BOOLEAN: u8 = 0x01;
pub const BIT_STRING: u8 = 0x03;
pub const OCTET_STRING: u8 = 0x04;
pub const OBJECT_IDENTIFIER: u8 = 0x06;
pub const UTF8_STRING: u8 = 0x0c;
pub const UTC_TIME: u8 = 0x17;

/// One value: tag, length, and `parts` one behind the other.
pub fn value(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut bytes = Vec::from([tag]);
    let length = (content.len() as u64).to_be_bytes();
    let first = length.iter().position(|byte| *byte != 0).unwrap_or(7);
    let digits = length.get(first..).unwrap_or_default();
    if content.len() >= 0x80 {
        bytes.push(0x80 | u8::try_from(digits.len()).unwrap_or(8));
    }
    bytes.extend_from_slice(digits);
    bytes.extend_from_slice(&content);
    bytes
}

/// A number without a sign, from its big-endian bytes.
pub fn integer(bytes: &[u8]) -> Vec<u8> {
    let first = bytes.iter().position(|byte| *byte != 0);
    let digits = first.and_then(|at| bytes.get(at..)).unwrap_or(&[0]);
    let sign: &[u8] = if digits.first().is_some_and(|byte| byte & 0x80 != 0) {
        &[0]
    } else {
        &[]
    };
    value(INTEGER, &[sign, digits])
}

/// Whole bytes as a string of bits.
pub fn bits(bytes: &[u8]) -> Vec<u8> {
    value(BIT_STRING, &[&[0], bytes])
}

/// The value with the explicit tag `number`.
pub fn tagged(number: u8, content: &[u8]) -> Vec<u8> {
    value(0xa0 | number, &[content])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_as_few_bytes_as_they_can() {
        assert_eq!(value(4, &[]), [4, 0]);
        assert_eq!(value(4, &[&[7; 0x7f]])[..2], [4, 0x7f]);
        assert_eq!(value(4, &[&[7; 0x80]])[..3], [4, 0x81, 0x80]);
        assert_eq!(value(4, &[&[7; 0x1234]])[..4], [4, 0x82, 0x12, 0x34]);
    }

    #[test]
    fn numbers_have_no_sign() {
        assert_eq!(integer(&[0, 0, 5]), [2, 1, 5]);
        assert_eq!(integer(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(integer(&[0]), [2, 1, 0]);
    }
}
