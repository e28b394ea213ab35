//! Any bytes as the answer of an HTTP server.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| testkit::fuzz::http_response(bytes));
