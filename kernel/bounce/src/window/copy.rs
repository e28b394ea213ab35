//! Copies out of, into and over shared memory: each byte is loaded or stored once.
//!
//! On the target they are assembly, because the compiler makes a loop of single bytes of relaxed
//! atomics. Elsewhere, and under Miri, they are that loop. This is the only place that chooses.

#[cfg(all(target_arch = "aarch64", target_feature = "neon", not(miri)))]
mod assembly;
#[cfg(not(all(target_arch = "aarch64", target_feature = "neon", not(miri))))]
mod atomic;

#[cfg(all(target_arch = "aarch64", target_feature = "neon", not(miri)))]
pub(super) use assembly::{clear, copy_out, fetch};
#[cfg(not(all(target_arch = "aarch64", target_feature = "neon", not(miri))))]
pub(super) use atomic::{clear, copy_out, fetch};
