//! Any bytes as the answers of an RMM.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| testkit::fuzz::rsi_answers(bytes));
