//! Has the sources of the kernel that this crate includes leave out what loom cannot do.

fn main() {
    println!("cargo::rustc-cfg=loom");
}
