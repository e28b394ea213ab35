//! Any bytes as a device tree.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| testkit::fuzz::device_tree(bytes));
