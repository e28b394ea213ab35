//! Any bytes as a CCA token.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| evidence::any_token(bytes));
