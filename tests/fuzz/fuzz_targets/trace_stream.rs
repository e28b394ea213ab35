//! Any bytes as a trace.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| testkit::fuzz::trace_stream(bytes));
