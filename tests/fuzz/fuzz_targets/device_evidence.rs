//! Any bytes as what a device says of itself.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| testkit::fuzz::device_evidence(bytes));
