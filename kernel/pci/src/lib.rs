//! Configuration space, bounded scan, capabilities, BAR placement.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod registers;

pub use registers::{MapError, Mapper, Registers};
