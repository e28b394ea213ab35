//! The realm's measurements.
//!
//! Ref: DEN0137 1.0, A7.1; index 0 is the initial one, 1 to 4 are extended by the realm.

use sha2::{Digest, Sha256, Sha512};

use super::{ERROR_INPUT, Reply, SUCCESS};
use crate::options::Hash;

/// Bytes of a measurement in calls and descriptors; a shorter hash has zeros behind it.
pub const LENGTH: usize = 64;
const COUNT: usize = 5;

/// Initial and extensible measurements.
#[derive(Clone, Debug)]
pub struct Measurements {
    hash: Hash,
    values: [[u8; LENGTH]; COUNT],
}

impl Measurements {
    /// All zero.
    #[must_use]
    pub const fn new(hash: Hash) -> Self {
        Self {
            hash,
            values: [[0; LENGTH]; COUNT],
        }
    }

    /// Bytes that the hash gives.
    #[must_use]
    pub const fn size(&self) -> usize {
        match self.hash {
            Hash::Sha256 => 32,
            Hash::Sha512 => 64,
        }
    }

    /// The initial measurement, as long as the hash.
    #[must_use]
    pub fn initial(&self) -> &[u8] {
        self.get(0)
    }

    /// Forgets what was extended.
    pub fn restart(&mut self) {
        for value in self.values.iter_mut().skip(1) {
            *value = [0; LENGTH];
        }
    }

    /// Sets the initial measurement before the realm starts.
    pub fn set_initial(&mut self, value: [u8; LENGTH]) {
        self.values[0] = value;
    }

    /// Measurement `index`, as long as the hash; empty if there is none.
    #[must_use]
    pub fn get(&self, index: usize) -> &[u8] {
        self.values
            .get(index)
            .and_then(|value| value.get(..self.size()))
            .unwrap_or(&[])
    }

    /// Ref: DEN0137 1.0, B5.3.8.
    pub(super) fn read(&self, index: u64) -> Reply {
        let value = usize::try_from(index)
            .ok()
            .and_then(|index| self.values.get(index));
        let Some(value) = value else {
            return Reply::status(ERROR_INPUT);
        };
        let mut registers = [SUCCESS; 9];
        for (register, bytes) in registers.iter_mut().skip(1).zip(value.as_chunks::<8>().0) {
            *register = u64::from_le_bytes(*bytes);
        }
        Reply::long(registers)
    }

    /// Ref: DEN0137 1.0, B5.3.7.
    pub(super) fn extend(&mut self, x: &[u64; 10]) -> Reply {
        let [index, size, words @ ..] = *x;
        let mut data = [0; LENGTH];
        for (bytes, word) in data.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *bytes = word.to_le_bytes();
        }
        let length = self.size();
        let data = usize::try_from(size).ok().and_then(|size| data.get(..size));
        let slot = usize::try_from(index).ok().filter(|&at| at > 0);
        let slot = slot.and_then(|at| self.values.get_mut(at));
        let (Some(data), Some(slot)) = (data, slot) else {
            return Reply::status(ERROR_INPUT);
        };
        let old = slot.get(..length).unwrap_or(slot);
        *slot = digest(self.hash, old, data);
        Reply::status(SUCCESS)
    }
}

/// The hash of `first` and `second` together, with zeros behind it.
fn digest(hash: Hash, first: &[u8], second: &[u8]) -> [u8; LENGTH] {
    fn both<D: Digest>(first: &[u8], second: &[u8]) -> [u8; LENGTH] {
        let mut value = [0; LENGTH];
        let digest = D::new().chain_update(first).chain_update(second).finalize();
        for (to, from) in value.iter_mut().zip(digest) {
            *to = from;
        }
        value
    }
    match hash {
        Hash::Sha256 => both::<Sha256>(first, second),
        Hash::Sha512 => both::<Sha512>(first, second),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_chains_the_old_value_and_the_new_bytes() {
        let mut measurements = Measurements::new(Hash::Sha256);
        let abc = u64::from_le_bytes(*b"abc\0\0\0\0\0");
        let reply = measurements.extend(&[1, 3, abc, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(reply.registers()[0], SUCCESS);
        // SHA-256 of 32 zero bytes and "abc".
        let expected = [
            0x36, 0x5a, 0xa7, 0xd8, 0xf7, 0xf9, 0x40, 0x2c, 0x4b, 0x94, 0x34, 0x50, 0x2b, 0x4c,
            0xc8, 0x9d, 0xdb, 0x09, 0xfe, 0x50, 0xd7, 0xcd, 0x95, 0xb4, 0x93, 0xb8, 0x34, 0xc6,
            0x2d, 0x5a, 0x53, 0x70,
        ];
        assert_eq!(measurements.get(1), expected);
        assert_eq!(
            measurements.read(1).registers()[1].to_le_bytes(),
            expected[..8]
        );
        assert_eq!(measurements.read(1).registers()[5..], [0; 4]);
    }

    #[test]
    fn the_initial_measurement_cannot_be_extended() {
        let mut measurements = Measurements::new(Hash::Sha512);
        let mut call = |index, size| measurements.extend(&[index, size, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(call(0, 1), Reply::status(ERROR_INPUT));
        assert_eq!(call(5, 1), Reply::status(ERROR_INPUT));
        assert_eq!(call(4, 65), Reply::status(ERROR_INPUT));
        assert_eq!(call(4, 64), Reply::status(SUCCESS));
        assert_eq!(call(4, 0), Reply::status(SUCCESS));
    }

    #[test]
    fn only_five_measurements_can_be_read() {
        let measurements = Measurements::new(Hash::Sha256);
        assert_eq!(measurements.read(5), Reply::status(ERROR_INPUT));
        assert_eq!(measurements.read(u64::MAX), Reply::status(ERROR_INPUT));
        assert_eq!(measurements.read(0).registers(), [0; 9]);
    }
}
