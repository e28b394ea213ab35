//! Drivers and readers that none of us wrote, on our fakes and our trees.
//!
//! Who writes a driver and the fake device for it understands the standard twice in the same way. So
//! `virtio-drivers` drives the fakes of `testkit`, and `hermit-dtb` reads the trees that `devtree` reads.
//! Where they do otherwise than we do, a test says so and why.
//!
//! (The crate `fdt` was meant to read the trees. Its licence, MPL-2.0, asks for more than a notice.)
#![cfg_attr(
    test,
    expect(
        clippy::cast_possible_truncation,
        reason = "a test that goes wrong should say so, loudly"
    )
)]

#[cfg(test)]
mod bus;
#[cfg(test)]
mod cards;
#[cfg(test)]
mod differences;
#[cfg(test)]
mod disks;
#[cfg(test)]
mod entropy;
#[cfg(test)]
mod hal;
#[cfg(test)]
mod machine;
#[cfg(test)]
mod transport;
#[cfg(test)]
mod trees;
