//! Any bytes as configuration space and device registers.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| testkit::fuzz::pci_config(bytes));
