//! Counts what a guest of QEMU's TCG does: instructions, device registers, bytes by page, calls.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`plugin`] | builds the plugin (`plugin/count.c`) for the QEMU at hand |
//! | [`counts`] | what the plugin wrote |
#![forbid(unsafe_code)]

pub mod counts;
pub mod plugin;
