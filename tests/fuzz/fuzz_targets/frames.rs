//! Any bytes as a host that plays the network.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| testkit::fuzz::frames(bytes));
