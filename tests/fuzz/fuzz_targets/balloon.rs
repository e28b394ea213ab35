//! Any bytes as the behaviour of a balloon, and of the RMM, while memory goes and comes.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| testkit::fuzz::balloon(bytes));
