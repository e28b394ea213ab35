//! Random numbers that the host has no say in.

use core::cell::RefCell;

use arch::cpu::Random;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use zeroize::Zeroize;

use crate::Error;

/// A ChaCha generator, seeded by the CPU.
pub struct Generator(RefCell<Option<ChaCha20Rng>>);

impl Generator {
    /// Seeds the generator from `RNDRRS`. Without that instruction there is none, and every use
    /// is an error: nothing here is ever made from what the host gives.
    pub fn new() -> Self {
        let mut seed = [0; 32];
        let seeded = Random::new().is_some_and(|random| fill(random, &mut seed));
        let generator = seeded.then(|| ChaCha20Rng::from_seed(seed));
        seed.zeroize();
        Self(RefCell::new(generator))
    }

    /// Whether there are random numbers.
    pub fn is_seeded(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Fills `bytes`.
    ///
    /// # Errors
    ///
    /// [`Error::NoEntropy`]
    pub fn fill(&self, bytes: &mut [u8]) -> Result<(), Error> {
        let mut generator = self.0.borrow_mut();
        generator
            .as_mut()
            .ok_or(Error::NoEntropy)?
            .fill_bytes(bytes);
        Ok(())
    }
}

/// Fills the seed; says whether the hardware gave all of it.
fn fill(random: Random, seed: &mut [u8; 32]) -> bool {
    seed.chunks_mut(8).all(|chunk| {
        let number = random.reseeded();
        chunk.copy_from_slice(&number.unwrap_or_default().to_le_bytes());
        number.is_some()
    })
}
