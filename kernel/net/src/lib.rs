//! TCP/IP over a frame port.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod port;

pub use port::FramePort;
