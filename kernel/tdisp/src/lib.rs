//! What a device says of itself: compared, parsed, verified.
//!
//! A host carries four objects from a device that a realm may trust: how platform and device agreed to
//! speak, the device's certificates, its signed measurements, and a report of its registers. All bytes
//! are the host's until their digests are those that the RMM has. [`Objects::compare`] does that, and
//! only what it gives back can be verified. The parsers allocate nothing.
//!
//! Ref: DEN0137 2.0, A9.5; DSP0274 1.2 (SPDM); PCI Express 6.0, 11.3 (TDISP); RFC 5280.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod bytes;
pub mod certificates;
mod evidence;
mod key;
pub mod report;
pub mod spdm;

pub use evidence::{Compared, Evidence, EvidenceError, Measurement, Object, Objects};
pub use key::{Hash, KeyError, PublicKey};
