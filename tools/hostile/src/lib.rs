//! Virtio devices in small: honest by default, and able to lie at every point.
//!
//! The test monitor puts them on the bus of a realm instead of QEMU's own. A [`Liar`] stands at each
//! place where a device says something; it says what is true, or what a script or a seed tells it to
//! say. Everything here is plain data, and runs in `cargo test`.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`place`] | where one can lie, and what these places are called |
//! | [`lie`], [`script`] | one lie, and lists of them, as text |
//! | [`seed`], [`sweep`], [`liar`] | says the truth, or not |
//! | [`memory`], [`queue`] | the device's side of shared memory and of a virtqueue |
//! | [`config`], [`function`], [`bus`] | configuration space, registers, and who is asked |
//! | [`vectors`] | messages instead of wires |
//! | [`disk`], [`card`], [`peer`], [`ports`] | what the devices are for |
//! | [`judge`] | what came of a run |
//! | [`content`], [`plan`] | what an honest disk holds, and what the payload under attack does |
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod bus;
pub mod card;
pub mod config;
pub mod content;
pub mod disk;
pub mod function;
pub mod judge;
pub mod liar;
pub mod lie;
pub mod memory;
pub mod peer;
pub mod place;
pub mod plan;
pub mod ports;
pub mod queue;
pub mod random;
pub mod script;
pub mod seed;
pub mod sweep;
pub mod vectors;

pub use liar::Liar;
pub use lie::Lie;
pub use place::{Part, Place, Point};
pub use seed::Seed;
