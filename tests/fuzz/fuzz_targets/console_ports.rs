//! Any bytes as the behaviour of a console while its ports are used.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| testkit::fuzz::console_ports(bytes));
