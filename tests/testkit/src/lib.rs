//! Fakes that do the real thing in small.
#![expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a fake that is used wrongly should fail its test, loudly"
)]

pub mod attestation;
pub mod broker;
pub mod executor;
pub mod fake_clock;
pub mod fake_pci;
pub mod fake_virtio;
pub mod fuzz;
pub mod random;
pub mod rig;
pub mod rmm;
pub mod shared;
pub mod shared_memory;
pub mod wire;
