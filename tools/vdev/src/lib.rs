//! A device with TDISP in small: what it says, what an RMM knows of it, how a host carries it, and lies.
//!
//! The test monitor puts it behind one of QEMU's virtio functions, and the fake RMM of the tests has
//! one too. Its keys are made from seeds that everybody can read here: **for tests only**.
//!
//! What has to be exact is: function numbers and statuses, layouts, the bytes under each digest, the
//! rules of states and nonces. There is no SPDM session and no link encryption.
//!
//! Ref: DEN0137 2.0, A9; PCI Express 6.0, chapter 11 (TDISP); DSP0274 1.2 (SPDM).
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod certificates;
mod der;
mod device;
mod host;
mod lies;
mod report;
mod rmm;
pub mod spdm;
mod tdi;

pub use certificates::Curve;
pub use device::{Device, Firmware, measurement};
pub use host::{HostServices, REGISTERS};
pub use lies::Lie;
pub use report::{Range, interface_report};
pub use rmm::{INFO_SIZE, Layout, Validated, Validation};
pub use tdi::{State, Tdi};
