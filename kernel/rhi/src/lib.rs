//! Services that the host has for a realm with devices, over host calls.
//!
//! The host carries what a device says (certificates, measurements, reports) and asks the device for
//! what the realm wants. All of it is the host's word: [`Host`] sees to it that a call ends, that
//! nothing is larger than there is room for, and that each way of saying no has a name. Whether it
//! is true says the RMM, and not this crate.
//!
//! Ref: cca-rmm-acs, `val_rhi.h`, `docs/rhi_scenarios.md`; Linux, RFC "coco/TSM: Arm CCA device
//! assignment", version 3. The specification itself is not public yet.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod call;
mod error;
mod host;
mod inbox;

pub use call::{Call, Status};
pub use error::Error;
pub use host::{Host, Object, TdiState};
pub use inbox::Inbox;
