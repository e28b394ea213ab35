//! The test monitor's image: an EL2 program for QEMU's `virt` machine.
//!
//! `cargo build --profile image --target aarch64-unknown-none-softfloat -p monitor` makes an ELF file
//! whose flat form is an arm64 Image. On the host there is only a note that says so; the rules are
//! in the library beside this file, with their tests.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod el2;

#[cfg(not(target_os = "none"))]
fn main() {
    println!("The monitor runs at EL2 of QEMU; build it for aarch64-unknown-none-softfloat.");
}
