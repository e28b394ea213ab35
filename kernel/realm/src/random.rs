//! Random numbers that the host has no say in.

use core::cell::RefCell;
use core::convert::Infallible;

use chacha20::ChaCha20Rng;
use rand_core::{Rng, SeedableRng, TryCryptoRng, TryRng};
use zeroize::Zeroize;

use crate::Error;

/// A ChaCha generator, seeded by the CPU's random numbers.
pub struct Generator(RefCell<Option<ChaCha20Rng>>);

impl Generator {
    /// A generator with `seed`, 32 bytes that nobody else knows. Without one every use is an error:
    /// nothing here is ever made from what the host gives alone.
    pub fn new(mut seed: Option<[u8; 32]>) -> Self {
        let generator = seed.map(ChaCha20Rng::from_seed);
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

    /// Mixes in bytes of the host. They cannot make the generator worse: its next seed is its own
    /// next numbers, each combined with one of theirs.
    pub fn mix(&self, theirs: &[u8]) {
        let mut generator = self.0.borrow_mut();
        let Some(old) = generator.as_mut() else {
            return;
        };
        let mut seed = [0; 32];
        old.fill_bytes(&mut seed);
        for (own, their) in seed.iter_mut().zip(theirs) {
            *own ^= their;
        }
        *generator = Some(ChaCha20Rng::from_seed(seed));
        seed.zeroize();
    }

    /// A generator that this one seeds. It cannot fail, which algorithms that make keys expect.
    ///
    /// # Errors
    ///
    /// [`Error::NoEntropy`]
    pub fn fork(&self) -> Result<Fork, Error> {
        let mut seed = [0; 32];
        self.fill(&mut seed)?;
        let fork = Fork(ChaCha20Rng::from_seed(seed));
        seed.zeroize();
        Ok(fork)
    }
}

/// A generator that leaves nothing behind when it is dropped.
pub struct Fork(ChaCha20Rng);

impl TryRng for Fork {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0.try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.try_fill_bytes(bytes)
    }
}

impl TryCryptoRng for Fork {}

impl Drop for Fork {
    fn drop(&mut self) {
        self.0 = ChaCha20Rng::from_seed([0; 32]);
        // The compiler must not see that nobody looks at it again.
        core::hint::black_box(&mut self.0);
    }
}
