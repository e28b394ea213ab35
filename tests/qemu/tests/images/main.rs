//! Whole images in QEMU: one claim a test. `cargo test -p qemu-tests -- NAME` runs some of them.

mod bad_input;
mod boot;
mod broken;
mod console;
mod debugger;
mod doctor;
mod echo;
mod hostile_devices;
mod interrupts;
mod keyrelease;
mod leaks;
mod main_job;
mod memory;
mod monitor_lies;
mod panics;
mod pools;
mod poor_networks;
mod processors;
mod profile;
mod rogue;
mod secrets;
mod share;
mod trace;
mod trusted;
mod tutorial;
mod vsock;
