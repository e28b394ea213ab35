//! From shared to private: the states of a device, and who may do what in them.
//!
//! ```text
//!              lock                    accept
//!  Shared ───────────────▶ Locked ───────────────▶ Private
//!    ▲                       │                        │
//!    └──────── release ──────┴──────── revoke ────────┤
//!                                                     ▼
//!                          Failed ◀──── a lie, an error, a changed nonce
//! ```
//!
//! Four types, and a device is one of them at a time: each step consumes the state before it. A
//! driver gets its memory from [`SharedDevice::pool`] or [`PrivateDevice::pool`] and from nowhere
//! else, and neither gives it memory of the other world. `Failed` leads nowhere.
//!
//! docs/decisions/051 has the order of the steps, and why.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod error;
mod line;
mod policy;
mod ranges;
mod states;

pub use error::Error;
pub use line::{Line, Offer};
pub use policy::{Policy, PolicyError};
pub use ranges::{Bar, RangeFault};
pub use states::{FailedDevice, LockedDevice, PrivateDevice, SharedDevice, Witness};
pub use tdisp::{Evidence, Measurement};
