//! Any answers of a host that shares a folder.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| testkit::fuzz::ninep(bytes));
