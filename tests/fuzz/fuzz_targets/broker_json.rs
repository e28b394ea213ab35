//! Any bytes as the JSON of a key broker.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| testkit::fuzz::broker_json(bytes));
