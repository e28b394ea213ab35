//! Device-tree bytes to a checked description of the machine.
#![no_std]
#![forbid(unsafe_code)]
