//! Configuration space, bounded scan, capabilities, BAR placement, MSI-X.
//!
//! Everything read here is the host's word: every walk is bounded, every offset is checked, and
//! addresses are believed only where they lie in a window of the bridge and overlap nothing.
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
