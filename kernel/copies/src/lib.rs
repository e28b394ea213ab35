//! `memcpy`, `memmove`, `memset` and `memcmp` of the image, and the sum of a checksum.
//!
//! The target is built with strict alignment, so those that come with the compiler go by bytes as soon
//! as one address is odd: more than two instructions a byte, and two thirds of all work of a
//! connection. These go by pairs of 16-byte registers, whatever the addresses.
//!
//! They are right before the MMU is on as well, where all memory is Device memory and an unaligned
//! access faults: each call looks at `SCTLR_EL1.M` and then goes by words or bytes. No order of boot,
//! and no CPU that starts later, has to know of it.
//!
//! Linking this crate is all there is to it: `extern crate copies as _;`. On the host it has none
//! of them, and sums in plain Rust; [`check`] says whether all this is right.
#![no_std]

#[cfg(all(target_arch = "aarch64", target_os = "none"))]
mod assembly;
pub mod check;
mod sum;
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
mod vectors;

pub use sum::{ones_complement_add, ones_complement_sum};
