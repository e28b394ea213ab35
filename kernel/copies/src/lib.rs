//! `memcpy`, `memmove`, `memset` and `memcmp` of the image, and the sum of a checksum.
//!
//! Those that come with the compiler go by bytes as soon as one address is odd: more than two instructions a byte, and
//! two thirds of all work of a connection. These go by pairs of 16-byte registers, whatever the addresses. So they need
//! the MMU on: without it all memory is Device memory, where an unaligned access faults.
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
