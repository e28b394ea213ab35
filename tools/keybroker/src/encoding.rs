//! Texts for bytes: base64 in its two forms, and hexadecimal.

use base64ct::{Base64, Base64UrlUnpadded, Encoding};

/// Not the text that it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotText;

/// Reads base64url without padding: the form of the protocol.
pub fn from_base64url(text: &str) -> Result<Vec<u8>, NotText> {
    Base64UrlUnpadded::decode_vec(text).map_err(|_| NotText)
}

/// Writes base64url without padding: the form of the protocol.
pub fn to_base64url(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

/// Reads standard base64 with padding: the form of reference values.
pub fn from_base64(text: &str) -> Result<Vec<u8>, NotText> {
    Base64::decode_vec(text).map_err(|_| NotText)
}

/// Writes standard base64 with padding: the form of reference values.
pub fn to_base64(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}

/// Reads hexadecimal digits of either case.
pub fn from_hex(text: &str) -> Result<Vec<u8>, NotText> {
    base16ct::mixed::decode_vec(text).map_err(|_| NotText)
}

/// Writes lower-case hexadecimal digits.
pub fn to_hex(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(bytes)
}
