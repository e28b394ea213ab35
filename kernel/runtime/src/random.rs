//! The seed of the realm's random numbers.

use arch::cpu::Random;
use realm::Generator;
use zeroize::Zeroize;

/// A generator that is seeded from `RNDRRS`; one that fails where the CPU does not have it.
pub fn generator() -> Generator {
    let mut seed = [0; 32];
    let seeded = Random::new().is_some_and(|random| fill(random, &mut seed));
    let generator = Generator::new(seeded.then_some(seed));
    seed.zeroize();
    generator
}

/// Fills the seed; says whether the hardware gave all of it.
fn fill(random: Random, seed: &mut [u8; 32]) -> bool {
    seed.chunks_mut(8).all(|chunk| {
        let number = random.reseeded();
        chunk.copy_from_slice(&number.unwrap_or_default().to_le_bytes());
        number.is_some()
    })
}
