//! Any bytes as the behaviour of a socket device while streams are used.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| testkit::fuzz::vsock_packets(bytes));
