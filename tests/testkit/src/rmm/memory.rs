//! The realm's own memory, as far as an RMM writes to it.

use std::collections::BTreeMap;

use ipa::GRANULE_SIZE;

/// What a granule holds after it changed hands: anything, but not zeros.
const POISON: u8 = 0xa5;

/// Bytes by address; what was never written is poison.
#[derive(Debug, Default)]
pub struct FakeMemory(BTreeMap<u64, u8>);

impl FakeMemory {
    /// The `N` bytes at `address`.
    pub fn read<const N: usize>(&self, address: u64) -> [u8; N] {
        core::array::from_fn(|i| *self.0.get(&(address + i as u64)).unwrap_or(&POISON))
    }

    /// Writes `bytes` at `address`.
    pub fn write(&mut self, address: u64, bytes: &[u8]) {
        self.0.extend((address..).zip(bytes.iter().copied()));
    }

    /// Loses the content of the granule at `address`.
    pub fn poison(&mut self, address: u64) {
        let kept = self.0.split_off(&(address + GRANULE_SIZE));
        self.0.split_off(&address);
        self.0.extend(kept);
    }
}
