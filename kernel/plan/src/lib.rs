//! What boot decides, apart from doing it: boot arguments, memory layout, what a fault means.
//!
//! All of it is arithmetic on numbers that somebody else gave, so it is here, where it runs on the
//! host under test, and not in `runtime`, which does.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod arguments;
mod blocks;
mod bounce;
mod budget;
mod diagnosis;
mod divide;
mod doubt;
mod fault;
mod irq;
mod layout;
mod lines;
mod log_filter;
mod order;
mod patience;
mod pools;
mod size;
mod storm;
mod trace;
mod turn;

pub use arguments::{Arguments, MAX_LENGTH};
pub use blocks::{BlockSet, MOST_BLOCKS};
pub use bounce::Bounce;
pub use budget::ConsoleBudget;
pub use diagnosis::{Diagnosis, Outcome, Row};
pub use divide::{Demand, divide};
pub use doubt::{Doubt, Remedy};
pub use fault::{Cause, Fault, Half};
pub use irq::Irq;
pub use layout::{BLOCK, Layout, LayoutError, carve, carve_blocks, fitting, free_runs};
pub use lines::Lines;
pub use log_filter::{LogFilter, LogFilterError};
pub use patience::Patience;
pub use pools::{PoolFault, PoolWish, Taken, place_pools};
pub use size::{SizeError, parse_size};
pub use storm::Storm;
pub use trace::Tracing;
pub use turn::{Hold, Turn};

/// What processors share; `tests/models` has its own.
mod shared {
    pub(crate) use core::sync::atomic::{AtomicU64, Ordering};
}
