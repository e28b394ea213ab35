//! Debian's arm64 Linux as a guest that none of us wrote.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`version`] | which kernel: the newest, or a release that was asked for |
//! | [`packages`] | the kernel, its modules and busybox, unpacked in a folder of the build |
//! | `apt` | Debian's own tools, with their state in that folder |
//! | [`cpio`] | the archive of an initial RAM disk |
#![forbid(unsafe_code)]

mod apt;
pub mod cpio;
pub mod packages;
pub mod version;
