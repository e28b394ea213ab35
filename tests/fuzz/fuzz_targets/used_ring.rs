//! Any bytes as the behaviour of devices behind running drivers.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| testkit::fuzz::used_ring(bytes));
