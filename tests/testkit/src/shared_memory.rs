//! Shared pages as a device reaches them: what is not shared is a fault.

use bounce::{Private, Window};

use crate::shared::{HostMemory, private_memory, shared_memory};

/// Where devices are told that the memory is: in the upper half of a realm of 33 bits.
const TOLD: u64 = 0x1_8000_0000;

/// Where a trusted device is told that the memory is: in the lower half.
const TOLD_PRIVATE: u64 = 0x8000_0000;

/// Memory that a driver and devices reach. Clones are the same memory.
#[derive(Clone, Debug)]
pub struct SharedMemory(HostMemory);

/// A device used an address that is not shared. In a realm that is an SMMU fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The address.
    pub address: u64,
}

macro_rules! words {
    ($load:ident, $store:ident, $host_load:ident, $host_store:ident, $word:ty) => {
        #[doc = concat!("Loads the `", stringify!($word), "` at `address`.")]
        ///
        /// # Errors
        ///
        /// [`Fault`] outside the memory or off a multiple of the word.
        pub fn $load(&self, address: u64) -> Result<$word, Fault> {
            self.check(address, size_of::<$word>())?;
            Ok(self.0.$host_load(address))
        }

        #[doc = concat!("Stores a `", stringify!($word), "` at `address`.")]
        ///
        /// # Errors
        ///
        /// [`Fault`] outside the memory or off a multiple of the word.
        pub fn $store(&self, address: u64, value: $word) -> Result<(), Fault> {
            self.check(address, size_of::<$word>())?;
            self.0.$host_store(address, value);
            Ok(())
        }
    };
}

impl SharedMemory {
    /// Shares `len` bytes, rounded up to pages: the driver's side, and the devices'.
    pub fn new(len: usize) -> (Window, Self) {
        let (window, host) = shared_memory(len.div_ceil(4096), TOLD);
        (window, Self(host))
    }

    /// The same for memory that only a trusted device reaches beside the driver.
    pub fn private(len: usize) -> (Window<Private>, Self) {
        let (window, host) = private_memory(len.div_ceil(4096), TOLD_PRIVATE);
        (window, Self(host))
    }

    words!(load8, store8, load_u8, store_u8, u8);
    words!(load16, store16, load_u16, store_u16, u16);
    words!(load32, store32, load_u32, store_u32, u32);
    words!(load64, store64, load_u64, store_u64, u64);

    /// The host's view, in which a wrong address fails the test.
    pub fn host(&self) -> &HostMemory {
        &self.0
    }

    /// Reads `len` bytes.
    ///
    /// # Errors
    ///
    /// [`Fault`] if they are not all shared.
    pub fn read(&self, address: u64, len: usize) -> Result<Vec<u8>, Fault> {
        let shared = self.0.holds(address, len);
        let bytes = shared.then(|| self.0.read(address, len));
        bytes.ok_or(Fault { address })
    }

    /// Writes `bytes`.
    ///
    /// # Errors
    ///
    /// [`Fault`] if their place is not all shared.
    pub fn write(&self, address: u64, bytes: &[u8]) -> Result<(), Fault> {
        let shared = self.0.holds(address, bytes.len());
        shared.then(|| self.0.write(address, bytes));
        shared.then_some(()).ok_or(Fault { address })
    }

    /// Whether `needle` is anywhere in the memory, as a host that looks for a secret would ask.
    pub fn contains(&self, needle: &[u8]) -> bool {
        self.0.contains(needle)
    }

    fn check(&self, address: u64, size: usize) -> Result<(), Fault> {
        let aligned = address.is_multiple_of(size as u64);
        let good = aligned && self.0.holds(address, size);
        good.then_some(()).ok_or(Fault { address })
    }
}
