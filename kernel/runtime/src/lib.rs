//! Boot order, executor, heap, console, interrupts, panic: what makes a realm of a machine.
//!
//! Payloads name the crate `airlock`, which links this one into images.
#![no_std]

extern crate alloc;
// The functions that the compiler calls to copy memory.
extern crate copies as _;

mod attestation;
mod boot;
mod bus;
mod call;
mod console;
mod cpus;
mod devices;
mod diagnosis;
mod driver;
mod drivers;
mod executor;
mod fault;
mod features;
mod ground;
mod heap;
mod interrupts;
mod logger;
mod machine;
mod memory;
mod messages;
mod network;
mod passage;
mod payload;
mod platform;
mod power;
mod private;
mod private_disk;
mod ram;
mod random;
mod rmm;
mod sharing;
mod spare;
mod stream;
mod time;
mod trace;
mod trusted;
mod wake;

pub use arch::Instructions;
pub use cpus::{processor, uptime};
pub use realm::Realm;

/// What the macros of this crate expand to; not for anybody else.
#[doc(hidden)]
pub mod __private {
    pub use crate::console::print_line;
    pub use crate::payload::{Payload, payload};
}

arch::start!(boot::start, fault::fault, cpus::enter);
