//! Numbers that look random, and are the same in each run.

/// A generator (xorshift64*): good enough to vary a test with, and for nothing else.
#[derive(Clone, Debug)]
pub struct Seeded(u64);

impl Seeded {
    /// The sequence of `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(2).wrapping_add(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.number() >> 16) as usize % limit
    }

    /// `len` bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| (self.number() >> 32) as u8).collect()
    }

    /// `bytes` with a few of them changed, a stretch copied elsewhere, or the end cut off.
    pub fn mutated(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.below(8) {
            let at = self.below(bytes.len());
            match self.below(6) {
                0 => bytes[at] = self.number() as u8,
                1 => bytes[at] ^= 1 << self.below(8),
                2 => self.set_word(&mut bytes, at),
                3 => self.copy_stretch(&mut bytes, at),
                4 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][self.below(5)],
                _ if self.below(8) == 0 => bytes.truncate(at.max(1)),
                _ => bytes[at] = bytes[at].wrapping_add(1),
            }
        }
        bytes
    }

    /// Sets an aligned big-endian word to one of the numbers that break things.
    fn set_word(&mut self, bytes: &mut [u8], at: usize) {
        let words = [0, 1, 4, 0x7fff_ffff, 0x8000_0000, u32::MAX - 3, u32::MAX];
        let word = words[self.below(words.len())];
        if let Some(place) = bytes.as_chunks_mut::<4>().0.get_mut(at / 4) {
            *place = word.to_be_bytes();
        }
    }

    fn copy_stretch(&mut self, bytes: &mut [u8], to: usize) {
        let from = self.below(bytes.len());
        let room = bytes.len() - from.max(to);
        let len = self.below(room.min(64) + 1);
        bytes.copy_within(from..from + len, to);
    }
}
