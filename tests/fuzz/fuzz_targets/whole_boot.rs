//! Any tree, RMM, bus and devices, from the tree to running drivers.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| testkit::fuzz::whole_boot(bytes));
