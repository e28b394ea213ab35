//! Configuration space, bounded scan, capabilities, BAR placement, MSI-X.
//!
//! Everything read here is the host's word: every walk is bounded, every offset is checked, and
//! addresses are believed only where they lie in a window of the bridge and overlap nothing.
//!
//! ```
//! use pci::{Ecam, Registers};
//! use untrusted::Untrusted;
//!
//! /// A bus of 1 MiB of configuration space on which there is nothing.
//! struct Nothing;
//!
//! impl Registers for Nothing {
//!     fn len(&self) -> u64 {
//!         1 << 20
//!     }
//!     fn read8(&self, _: u64) -> Untrusted<u8> {
//!         Untrusted::from_host(u8::MAX)
//!     }
//!     fn read16(&self, _: u64) -> Untrusted<u16> {
//!         Untrusted::from_host(u16::MAX)
//!     }
//!     fn read32(&self, _: u64) -> Untrusted<u32> {
//!         Untrusted::from_host(u32::MAX)
//!     }
//!     fn write8(&self, _: u64, _: u8) {}
//!     fn write16(&self, _: u64, _: u16) {}
//!     fn write32(&self, _: u64, _: u32) {}
//! }
//!
//! let ecam = Ecam::new(Nothing, 0, 0)?;
//! assert!(pci::scan(&ecam).functions.is_empty());
//! # Ok::<(), pci::Error>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod bar;
mod bdf;
mod ecam;
mod error;
mod function;
mod msi_x;
mod placement;
mod registers;
mod scan;

pub use bar::{BAR_COUNT, Bars};
pub use bdf::Bdf;
pub use ecam::Ecam;
pub use error::Error;
pub use function::{Capability, Function, Pin};
pub use msi_x::{Message, MsiX, MsiXTable};
pub use placement::{HostWindow, Placement};
pub use registers::{Accesses, MapError, Mapper, Registers};
pub use scan::{Header, Identity, MAX_BUSES, MAX_FUNCTIONS, Scan, scan};
