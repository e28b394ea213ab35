//! SHA-256, as boot arguments and manifests write it.

use core::fmt;

use sha2::{Digest as _, Sha256};

const BYTES: usize = 32;

/// A SHA-256 digest. As text it is `sha256:` and 64 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest([u8; BYTES]);

impl Digest {
    /// That of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Reads `sha256:` and 64 hexadecimal digits, small ones; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        Self::parse_digits(text.strip_prefix("sha256:")?)
    }

    /// Reads 64 hexadecimal digits, small ones.
    pub(crate) fn parse_digits(text: &str) -> Option<Self> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != BYTES || !rest.is_empty() {
            return None;
        }
        let mut digest = [0; BYTES];
        for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
            *byte = nibble(*high)? << 4 | nibble(*low)?;
        }
        Some(Self(digest))
    }

    /// The digits alone.
    pub(crate) fn digits(&self) -> Digits<'_> {
        Digits(self)
    }
}

/// A digest without what says of which kind it is.
pub(crate) struct Digits<'d>(&'d Digest);

impl fmt::Display for Digits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(Digest(bytes)) = self;
        bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.digits())
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn a_digest_is_written_and_read_back() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(format!("{}", Digest::of(b"")), empty);
        assert_eq!(Digest::parse(empty), Some(Digest::of(b"")));
    }

    #[test]
    fn anything_else_is_no_digest() {
        let digits = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        for wrong in [
            String::from(digits),
            format!("sha256:{digits}0"),
            format!("sha256:{}", digits.to_uppercase()),
            format!("sha512:{digits}"),
            String::from("sha256:"),
            format!("sha256:{}g", &digits[1..]),
        ] {
            assert_eq!(Digest::parse(&wrong), None, "{wrong}");
        }
    }

    use alloc::string::String;
}
