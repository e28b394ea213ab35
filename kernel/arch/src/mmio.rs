//! Device registers: one plain load or store instruction for each access.
// UNSAFETY: raw access to device memory.
#![expect(unsafe_code, reason = "device memory has no safe type")]

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, Ordering};

use pci::{Accesses, Registers};
use safe_mmio::UniqueMmioPointer;
use untrusted::Untrusted;

static READS: AtomicU64 = AtomicU64::new(0);
static WRITES: AtomicU64 = AtomicU64::new(0);

/// Accesses to device registers so far.
pub fn accesses() -> Accesses {
    Accesses {
        reads: READS.load(Ordering::Relaxed),
        writes: WRITES.load(Ordering::Relaxed),
    }
}

/// Adds one.
fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// A mapped run of device registers.
#[derive(Clone, Copy, Debug)]
pub struct Mmio {
    base: NonNull<u8>,
    len: u64,
}

// SAFETY: a run of registers belongs to no thread in particular.
unsafe impl Send for Mmio {}

impl Mmio {
    /// Takes `len` bytes at `base`.
    ///
    /// # Safety
    ///
    /// The bytes are mapped as device memory for the life of the program, and reading or writing
    /// them cannot break what Rust relies on: they are no memory of the program. `base` is aligned
    /// to 4.
    pub(crate) const unsafe fn new(base: NonNull<u8>, len: u64) -> Self {
        Self { base, len }
    }

    /// The address of an aligned `T` at `at`, if it lies inside the run.
    fn register<T>(&self, at: u64) -> Option<NonNull<T>> {
        let size = size_of::<T>() as u64;
        let end = at.checked_add(size)?;
        if end > self.len || !at.is_multiple_of(size) {
            return None;
        }
        let at = usize::try_from(at).ok()?;
        // SAFETY: `at` lies inside the run that `new` was promised.
        Some(unsafe { self.base.add(at) }.cast())
    }
}

macro_rules! access {
    ($read:ident, $write:ident, $word:ty) => {
        fn $read(&self, at: u64) -> Untrusted<$word> {
            let Some(register) = self.register::<$word>(at) else {
                return Untrusted::from_host(<$word>::MAX);
            };
            count(&READS);
            // SAFETY: `register` lies inside a run of device memory (`new`). The pointer is there for one
            // access, and is the only one: devices are the first CPU's, and the console is that of the
            // CPU whose turn it is. One that lost its turn, because the host did not run it, makes at most
            // one more access: an instruction, to a register that is no object of the program.
            let mut pointer = unsafe { UniqueMmioPointer::new(register) };
            // SAFETY: `new` was promised that any register of the run may be read.
            Untrusted::from_host(<$word>::from_le(unsafe { pointer.read_unsafe() }))
        }

        fn $write(&self, at: u64, value: $word) {
            let Some(register) = self.register::<$word>(at) else {
                return;
            };
            count(&WRITES);
            // SAFETY: as for the read.
            let mut pointer = unsafe { UniqueMmioPointer::new(register) };
            // SAFETY: `new` was promised that any register of the run may be written.
            unsafe { pointer.write_unsafe(value.to_le()) };
        }
    };
}

impl Registers for Mmio {
    fn len(&self) -> u64 {
        self.len
    }

    access!(read8, write8, u8);
    access!(read16, write16, u16);
    access!(read32, write32, u32);
}
