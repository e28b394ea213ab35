//! The kernel, its modules and busybox, unpacked in a folder of the build.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::apt::Apt;
use crate::version::Wanted;

/// Says that everything was unpacked.
const COMPLETE: &str = "complete";

/// What a guest is made of.
#[derive(Clone, Debug)]
pub struct Packages {
    /// The kernel, an arm64 Image.
    pub kernel: PathBuf,
    /// The folder of its modules.
    pub modules: PathBuf,
    /// A statically linked busybox.
    pub busybox: PathBuf,
    /// Version of the kernel.
    pub version: String,
}

impl Packages {
    /// The bytes of a kernel module, by where it is below `kernel/`, and the end of its file's name:
    /// compressed or not, as Debian likes it.
    ///
    /// # Errors
    /// The kernel has no such module.
    pub fn module(&self, name: &str) -> Result<(Vec<u8>, &'static str)> {
        let place = |extension: &str| self.modules.join(format!("kernel/{name}.{extension}"));
        let known = ["ko.xz", "ko"];
        let extension = known
            .into_iter()
            .find(|extension| place(extension).is_file());
        let extension = extension.with_context(|| format!("the kernel has no module {name}"))?;
        Ok((read(&place(extension))?, extension))
    }
}

/// Reads a file, and names it if that fails.
///
/// # Errors
/// It cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Finds the packages in a folder of `folder`, or gets them.
///
/// # Errors
/// They cannot be had; the text says why, and what to do.
pub fn packages(folder: &Path, wanted: Wanted) -> Result<Packages> {
    let folder = folder.join(wanted.to_string());
    if let Some(found) = find(&folder)? {
        return Ok(found);
    }
    println!("linux: gets Debian's arm64 kernel ({wanted}) and busybox (once, 35 MB)");
    let apt = Apt::new(&folder)?;
    apt.run("apt-get", &["update"]).context(
        "Debian's package lists cannot be had; without its mirror there is no guest to test",
    )?;
    for package in apt.wanted(wanted)? {
        apt.run("apt-get", &["download", &package])?;
    }
    apt.unpack()?;
    // Without this file, whatever is there is what an interrupted run left.
    std::fs::write(folder.join(COMPLETE), "")?;
    find(&folder)?.context("the packages have no kernel image or no busybox where they should be")
}

fn find(folder: &Path) -> Result<Option<Packages>> {
    let root = folder.join("root");
    if !folder.join(COMPLETE).is_file() {
        return Ok(None);
    }
    let Some(modules) = only_entry(&root.join("usr/lib/modules"))? else {
        return Ok(None);
    };
    let version = modules.file_name().unwrap_or_default().to_string_lossy();
    let version = version.into_owned();
    let places = [
        modules.join("vmlinuz"),
        root.join(format!("boot/vmlinuz-{version}")),
    ];
    let kernel = places.into_iter().find(|path| path.is_file());
    let busybox = ["usr/bin/busybox", "bin/busybox"].map(|path| root.join(path));
    let busybox = busybox.into_iter().find(|path| path.is_file());
    Ok(kernel.zip(busybox).map(|(kernel, busybox)| Packages {
        kernel,
        modules,
        busybox,
        version,
    }))
}

fn only_entry(folder: &Path) -> Result<Option<PathBuf>> {
    if !folder.is_dir() {
        return Ok(None);
    }
    let entries: std::io::Result<Vec<_>> = std::fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect();
    Ok(entries?.into_iter().max())
}
