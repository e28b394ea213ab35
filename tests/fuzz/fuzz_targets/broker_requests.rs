//! Any bytes as what a key broker reads.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| evidence::broker_requests(bytes));
