//! Any ICMP messages for a stack that pings.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| testkit::fuzz::icmp(bytes));
