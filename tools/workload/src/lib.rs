//! What `make bench` measures, the same for every guest: phases, amounts, and the words that a guest and
//! its peer exchange.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`phase`] | the parts of a run that are counted apart |
//! | [`mark`] | the instruction that begins a phase |
//! | [`amounts`] | how much of each, from boot arguments |
//! | [`talk`] | requests to the peer, and the bytes that must arrive |
//! | [`sectors`] | where random reads go |
//! | [`together`] | many futures in one task, each polled when it was woken |
#![no_std]

extern crate alloc;

pub mod amounts;
pub mod mark;
pub mod phase;
pub mod sectors;
pub mod talk;
pub mod together;
