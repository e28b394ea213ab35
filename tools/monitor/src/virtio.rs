//! Virtio functions that would go round the SMMU.
//!
//! QEMU lets a virtio function reach all memory unless it offers ACCESS_PLATFORM. Such a function is
//! found before the guest runs. It is refused, or hidden, or shown in a way that it never gets a
//! queue, so that it can be looked at and cannot do anything.
//!
//! Ref: virtio 1.2, 4.1 (PCI transport) and 6.1 (ACCESS_PLATFORM).

mod fence;
mod function;
mod scan;

pub(crate) use self::fence::DRIVER_OK;
pub use self::fence::{Fence, MOST, Verdict};
pub use self::function::{Bar, Function};
pub use self::scan::{Error, common, scan};

/// Where a function keeps the registers that start it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Common {
    /// Which BAR.
    pub bar: usize,
    /// Offset in the BAR.
    pub offset: u64,
}

/// A function that would go round the SMMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsafe {
    /// Bus, device and function.
    pub stream: u32,
    /// Its common registers; a legacy function has none.
    pub common: Option<Common>,
    /// Bytes behind each BAR.
    pub sizes: [u64; 6],
}
