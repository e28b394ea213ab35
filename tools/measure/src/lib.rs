//! Realm measurements by the RMM's rules: what a RIM and a REM must be.
//!
//! The RMM hashes each step that builds a realm into its *initial measurement* (RIM), and what the
//! realm adds at run time into four *extensible measurements* (REM). This crate does the same sums
//! twice: on the host, so that a verifier knows the RIM of a file before it ever runs, and in the
//! test monitor, which has to answer as an RMM would.
//!
//! [`Rim`] and [`rem::extend`] are the rules. [`vmm`] knows in which order each virtual machine
//! monitor takes the steps, because that order is part of the measurement.
//!
//! Ref: DEN0137 1.0-rel0, A7.1 "Realm measurements"; B4.3.1.4, B4.3.9.4, B4.3.12.4, B4.3.18.4.
#![no_std]
#![forbid(unsafe_code)]

mod descriptor;
mod digest;
mod entries;
mod params;
pub mod rem;
mod rim;
pub mod vmm;

pub use digest::{Algorithm, Digest, Hasher};
pub use entries::{Entries, Entry, start_level};
pub use params::{RealmParams, RecParams};
pub use rim::{Rim, Rmm};

/// Bytes of a granule: what one `DATA_CREATE` measures.
///
/// Ref: DEN0137 1.0-rel0, A2.2 "Granule".
pub const GRANULE: u64 = 4096;

/// The same, as the length of a slice.
const PAGE: usize = 4096;

/// Largest digest in bytes, and the size of every measurement field.
pub const MAX_DIGEST: usize = 64;
