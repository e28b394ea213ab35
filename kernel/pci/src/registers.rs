//! Device registers as drivers see them: a bounded run, accessed by 8, 16 or 32 bits.

use untrusted::Untrusted;

/// A mapped run of device registers.
///
/// Each access is one load or store instruction of exactly that width; in a realm it is an exit to
/// the host. There are no 64-bit accesses on purpose: hosts exist that carry out half of one. What
/// comes back is the host's word. An access outside the run reads all ones, or is dropped; drivers
/// check their offsets before they come here.
pub trait Registers {
    /// Bytes in the run.
    fn len(&self) -> u64;
    /// Whether the run has no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Reads the byte at `at`.
    fn read8(&self, at: u64) -> Untrusted<u8>;
    /// Reads the little-endian halfword at `at`, a multiple of 2.
    fn read16(&self, at: u64) -> Untrusted<u16>;
    /// Reads the little-endian word at `at`, a multiple of 4.
    fn read32(&self, at: u64) -> Untrusted<u32>;
    /// Writes the byte at `at`.
    fn write8(&self, at: u64, value: u8);
    /// Writes the little-endian halfword at `at`, a multiple of 2.
    fn write16(&self, at: u64, value: u16);
    /// Writes the little-endian word at `at`, a multiple of 4.
    fn write32(&self, at: u64, value: u32);
}

/// How often device registers were accessed. In a realm each access is an exit to the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accesses {
    /// Loads.
    pub reads: u64,
    /// Stores.
    pub writes: u64,
}

/// The run could not be mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapError {
    /// Address as the device tree or the BAR has it, without the shared bit.
    pub address: u64,
    /// Bytes.
    pub len: u64,
}

/// Something that makes device addresses accessible.
pub trait Mapper {
    /// What a mapped run is accessed through.
    type Registers: Registers;

    /// Maps `len` bytes at `address` (without the shared bit) as device memory, in the shared half.
    /// Runs may share pages with runs mapped before.
    ///
    /// # Errors
    ///
    /// [`MapError`] if the run leaves the address space or overlaps memory of the realm.
    fn map(&self, address: u64, len: u64) -> Result<Self::Registers, MapError>;
}
