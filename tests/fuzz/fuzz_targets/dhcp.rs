//! Any sequence of answers of a DHCP server.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| testkit::fuzz::dhcp(bytes));
