//! Work of the payload for one processor, and how it is waited for on another.
//!
//! Each processor has a [`Queue`]. What is spawned there is polled there and nowhere else, so it may
//! keep a processor busy for as long as it likes; whoever waits for the [`Job`] does so on a processor
//! of its own. What both touch is behind critical sections, in which nobody waits for anything: a
//! processor that sleeps holds no lock.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod job;
mod queue;

pub use job::Job;
pub use queue::Queue;

/// What processors share; `tests/models` has its own.
mod shared {
    pub(crate) use core::sync::atomic::{AtomicBool, Ordering};
    pub(crate) use critical_section::with;
}
