//! Boot order, executor, heap, console, panic, and what a payload sees.
//!
//! A payload is a binary crate with one function:
//!
//! ```ignore
//! #[airlock::main]
//! async fn main(realm: airlock::Realm) -> Result<(), airlock::Error> { Ok(()) }
//! ```
#![no_std]

extern crate alloc;

mod attestation;
mod boot;
mod console;
mod diagnosis;
mod error;
mod executor;
mod fault;
mod heap;
mod logger;
mod memory;
mod payload;
mod power;
mod ram;
mod random;
mod realm;
mod rmm;
mod time;

pub use airlock_macros::main;
pub use embassy_time::{Duration, Instant, Timer};
pub use error::Error;
pub use plan::Arguments;
pub use realm::{Facts, Mode, Realm};

/// What the macros of this crate expand to; not for anybody else.
#[doc(hidden)]
pub mod __private {
    pub use crate::console::print_line;
    pub use crate::payload::{Payload, payload};
}

arch::start!(boot::start, fault::fault);
