//! The rules of the test monitor: what a realm may do, what an RMM answers, what is written down.
//!
//! Everything here is plain data and arithmetic, and is tested on the host. The instructions, the
//! vectors and the accesses to physical memory are in the binary (`src/el2`), which only builds for
//! the target.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod attack;
pub mod counters;
pub mod devtree;
pub mod functions;
pub mod gic;
pub mod granules;
pub mod inject;
pub mod layout;
pub mod machine;
pub mod monitor;
pub mod options;
pub mod oracle;
pub mod place;
pub mod psci;
pub mod regions;
pub mod report;
pub mod rsi;
pub mod smmu;
pub mod stage2;
pub mod style;
pub mod syndrome;
pub mod violation;
pub mod virtio;
