//! The guest's whole user space: busybox, four modules, one script.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::apt::Packages;
use crate::cpio::{Archive, Kind};

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
        let (content, extension) = read_module(&packages.modules, module)?;
        let name = module.rsplit('/').next().unwrap_or(module);
        archive.add(&format!("modules/{name}.{extension}"), Kind::File, &content);
    }
    let path = folder.join("initramfs.cpio");
    std::fs::write(&path, archive.finish())?;
    Ok(path)
}

/// A module is compressed or not, as Debian likes it.
fn read_module(modules: &Path, module: &str) -> Result<(Vec<u8>, &'static str)> {
    let place = |extension: &str| modules.join(format!("kernel/{module}.{extension}"));
    let known = ["ko.xz", "ko"];
    let extension = known
        .into_iter()
        .find(|extension| place(extension).is_file());
    let extension = extension.with_context(|| format!("the kernel has no module {module}"))?;
    Ok((read(&place(extension))?, extension))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
