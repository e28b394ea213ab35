//! Gives the linker the image's own script.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=rogue.ld");
    println!("cargo:rerun-if-changed=src/entry.s");
    let folder = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    println!("cargo:rustc-link-arg-bins=-T{folder}/rogue.ld");
    println!("cargo:rustc-link-arg-bins=-n");
}
