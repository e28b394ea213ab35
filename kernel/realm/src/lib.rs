//! What a payload sees: its realm, and everything that a realm has.
//!
//! Nothing here needs a machine of its own. `runtime` puts a [`Realm`] together from the machine that
//! it boots on; `simulated` does from fake devices, for tests on the host. Both fill in [`Parts`].
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod able;
mod attestation;
mod card;
mod counters;
mod cpus;
mod disk;
mod distrust;
mod driven;
mod error;
mod interrupts;
mod prometheus;
mod quiesced;
mod random;
mod realm;
mod refusal;
mod share;
mod shared;

pub use attestation::Attestation;
pub use card::Card;
pub use counters::{Counters, DeviceCounters, Work};
pub use cpus::{CpuError, Cpus};
pub use disk::Disk;
pub use distrust::Distrust;
pub use driven::{Driven, Passage, QuiesceError};
pub use error::Error;
pub use interrupts::{Means, Taken};
pub use prometheus::Prometheus;
pub use quiesced::{LockedDisk, QuiescedDisk};
pub use random::{Fork, Generator};
pub use realm::{Facts, Machine, Mode, Parts, Realm};
pub use refusal::{Reason, Refusal};
pub use share::{Folder, FolderError, FolderFile, Share, ShareError, ShareFile};
pub use shared::Shared;
