//! The key that was released.

use alloc::vec::Vec;
use core::fmt;

use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

/// The key that a broker released: cleared when it is dropped, compared in constant time, never
/// printed.
pub struct Key(Zeroizing<Vec<u8>>);

impl Key {
    pub(crate) fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// Its bytes. Whoever copies them clears the copy.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl ConstantTimeEq for Key {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.as_slice().ct_eq(other.0.as_slice())
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(not shown)")
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, vec};

    use super::*;

    #[test]
    fn a_key_is_compared_and_not_printed() {
        let key = |last| Key::new(Zeroizing::new(vec![7, 7, last]));
        assert_eq!(key(1), key(1));
        assert_ne!(key(1), key(2));
        assert_eq!(format!("{:?}", key(7)), "Key(not shown)");
    }
}
