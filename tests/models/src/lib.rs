//! Every order in which two processors can do what they share, and every value that an atomic load may give there.
//!
//! The sources are those of the kernel, word by word, with loom's atomics in the place of the processor's.
//!
//! | model | what holds in each of its executions |
//! | --- | --- |
//! | `jobs` | a job that is woken from another processor while it is polled, or while its processor goes to sleep, is polled again; who awaits its result gets it |
//! | `turns` | two processors never print at once, each sees what the other one has done, and one whose turn was taken away cannot end another's |
#![cfg(test)]
#![forbid(unsafe_code)]

extern crate alloc;

#[path = "../../../kernel/jobs/src/job.rs"]
mod job;
#[path = "../../../kernel/jobs/src/queue.rs"]
mod queue;
#[path = "../../../kernel/plan/src/turn.rs"]
mod turn;

mod jobs;
mod turns;

/// What the kernel has of the processor.
mod shared {
    use critical_section::CriticalSection;
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    loom::lazy_static! {
        static ref SECTION: loom::sync::Mutex<()> = loom::sync::Mutex::new(());
    }

    /// One processor at a time is in here, and others see what it has done.
    pub(crate) fn with<R>(section: impl FnOnce(CriticalSection<'_>) -> R) -> R {
        let _held = SECTION.lock();
        critical_section::with(section)
    }
}
