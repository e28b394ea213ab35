//! The guest's whole user space: busybox, four modules, one script.

use std::path::{Path, PathBuf};

use anyhow::Result;
use debian::cpio::{Archive, Kind};
use debian::packages::{Packages, read};

/// Modules in the order in which they have to be loaded, by where they are below `kernel/`.
const MODULES: [&str; 4] = [
    "net/core/failover",
    "drivers/net/net_failover",
    "drivers/net/virtio_net",
    "drivers/block/virtio_blk",
];
const FOLDERS: [&str; 6] = ["bin", "dev", "modules", "proc", "sys", "tmp"];

/// Writes the archive into `folder`.
///
/// # Errors
/// A module is not where it was expected.
pub fn write(packages: &Packages, folder: &Path) -> Result<PathBuf> {
    let mut archive = Archive::default();
    for name in FOLDERS {
        archive.add(name, Kind::Folder, &[]);
    }
    archive.add("init", Kind::Program, include_bytes!("init.sh"));
    archive.add("lease", Kind::Program, include_bytes!("lease.sh"));
    archive.add("bin/busybox", Kind::Program, &read(&packages.busybox)?);
    for module in MODULES {
        let (content, extension) = packages.module(module)?;
        let name = module.rsplit('/').next().unwrap_or(module);
        archive.add(&format!("modules/{name}.{extension}"), Kind::File, &content);
    }
    let path = folder.join("initramfs.cpio");
    std::fs::write(&path, archive.finish())?;
    Ok(path)
}
