//! A key that must not be found when all is over. Its seed is known, so that the test can look for it.

use alloc::vec;
use core::fmt;

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;
use rsa::RsaPrivateKey;
use rsa::traits::PublicKeyParts;

/// The test makes the same key of it.
const SEED: [u8; 32] = [7; 32];
/// Short, so that it is made quickly.
const BITS: usize = 1024;

/// A key.
pub struct Key(RsaPrivateKey);

impl Key {
    /// Uses the key, so that it lives until here.
    pub fn is_there(&self) -> bool {
        self.0.size() * 8 == BITS
    }
}

/// Writes numbers that the test knows to memory, again and again. They are computed each time, so that memory
/// has them for as long as this runs, whoever clears it.
pub fn write_for_ever() {
    let mut memory = vec![0_u64; 512];
    loop {
        for (number, word) in (1_u64..).zip(&mut memory) {
            let factor = core::hint::black_box(0x9e37_79b9_7f4a_7c15_u64);
            *word = number.wrapping_mul(factor);
        }
        core::hint::black_box(&memory);
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a key: {}", self.is_there())
    }
}

/// Makes the key.
pub fn make() -> Result<Key, &'static str> {
    let key = RsaPrivateKey::new(&mut ChaCha20Rng::from_seed(SEED), BITS);
    key.map(Key).map_err(|_| "no key could be made")
}
