//! The realm extensible measurements.

use crate::{Digest, Hasher, MAX_DIGEST};

/// How many there are: indexes 1 to 4 of the measurement calls.
pub const COUNT: usize = 4;

/// The value of a REM after `value` was added: the hash of old value and addition.
///
/// `MEASUREMENT_EXTEND` takes at most 64 bytes; of a longer `value` the rest does not count. An empty
/// one is legal, and changes the REM too.
///
/// Ref: DEN0137 1.0-rel0, B5.3.7 "RSI_MEASUREMENT_EXTEND command".
pub fn extend(rem: &Digest, value: &[u8]) -> Digest {
    let value = value.get(..MAX_DIGEST).unwrap_or(value);
    let mut hasher = Hasher::new(rem.algorithm());
    hasher.update(rem.as_bytes());
    hasher.update(value);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use crate::Algorithm;
    use std::string::ToString;

    #[test]
    fn abc_on_zero_gives_the_known_rem() {
        let rem = extend(&Digest::zero(Algorithm::Sha256), b"abc");
        assert_eq!(
            rem.to_string(),
            "365aa7d8f7f9402c4b9434502b4cc89ddb09fe50d7cd95b493b834c62d5a5370"
        );
    }

    #[test]
    fn the_order_of_additions_counts_and_an_empty_one_too() {
        let zero = Digest::zero(Algorithm::Sha512);
        let one = extend(&extend(&zero, b"a"), b"b");
        let other = extend(&extend(&zero, b"b"), b"a");
        assert_ne!(one, other);
        assert_ne!(extend(&zero, b""), zero);
    }
}
