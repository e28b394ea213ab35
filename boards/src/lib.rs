//! What differs between machines: how each is recognised, its quirks.
#![no_std]
#![forbid(unsafe_code)]
