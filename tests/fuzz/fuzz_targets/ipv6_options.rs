//! Any IPv6 extension headers before any message.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| testkit::fuzz::ipv6_options(bytes));
