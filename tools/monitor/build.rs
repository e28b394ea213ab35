//! Gives the linker the monitor's own script, when the image is built and not the host tests.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=monitor.ld");
    println!("cargo:rerun-if-changed=src/el2/entry.s");
    println!("cargo:rerun-if-changed=src/el2/vectors.s");
    let bare = env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "none");
    let folder = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    if bare {
        println!("cargo:rustc-link-arg-bins=-T{folder}/monitor.ld");
        println!("cargo:rustc-link-arg-bins=-n");
    }
}
