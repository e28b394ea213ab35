//! The audit: what crossed the boundary between the realm and the host, copy by copy.
//!
//! [`Trace`] records [`Event`]s in private memory. Where the host is to have them, they are put into frames
//! ([`wire`]), which a [`Decoder`] takes apart again. An event says when, which device and queue, which slot, how many
//! bytes, which way, and what for; never a byte of what was copied. The host sees all of that already: it has
//! the shared memory, and both ends of every device.
//!
//! The ring belongs to the processor that runs the devices: it is neither `Send` nor `Sync`, so the compiler
//! sees to it that no other one records.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod connection;
mod decoder;
mod event;
mod latest;
mod sample;
mod trace;
pub mod wire;

pub use decoder::{Body, Decoder, Fault, Frame};
pub use event::{Direction, EVENT_BYTES, Event, Label, Purpose};
pub use sample::{PoolSample, QueueSample};
pub use trace::{Keep, Own, Trace};
