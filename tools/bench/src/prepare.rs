//! Builds and fetches everything that the runs need.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use airlock_cli::qemu;
use airlock_cli::workspace::Workspace;
use anyhow::{Context, Result, ensure};
use debian::cpio::{Archive, Kind};
use debian::packages::{self, Packages, read};
use debian::version::Wanted;

use crate::figures::as_float;
use crate::guest::{Guest, Linux, Parts};
use crate::measured::Sizes;

const PAYLOAD: &str = "bench";
const LINUX_TARGET: &str = "aarch64-unknown-linux-musl";
const LINUX_PROGRAM: &str = "bench-linux";
/// Modules in the order in which they have to be loaded, by where they are below `kernel/`.
const MODULES: [&str; 4] = [
    "net/core/failover",
    "drivers/net/net_failover",
    "drivers/net/virtio_net",
    "drivers/block/virtio_blk",
];
const FOLDERS: [&str; 6] = ["bin", "dev", "modules", "proc", "sys", "tmp"];

/// Builds the images, and with `linux` gets that, too. With `trusts`, Airlock's image can trust a disk.
///
/// # Errors
/// Something does not build, or cannot be had.
pub fn parts(workspace: &Workspace, linux: bool, trusts: bool) -> Result<Parts> {
    let wanted = std::env::var_os("QEMU").map(PathBuf::from);
    let out = workspace.out();
    let features: &[&str] = if trusts { &["trust"] } else { &[] };
    let program = workspace.program_with(PAYLOAD, features)?;
    Ok(Parts {
        qemu: qemu::find(wanted.as_deref())?,
        payload: workspace.write_image(&program, &out, false)?,
        monitor: workspace.write_image(&Workspace::monitor(), &out, false)?,
        linux: linux.then(|| get_linux(&out)).transpose()?,
    })
}

/// What is known of sizes before anything runs: images on disk.
///
/// # Errors
/// An image does not build.
pub fn sizes(workspace: &Workspace, parts: &Parts) -> Result<BTreeMap<Guest, Sizes>> {
    let bytes = |path: &Path| Ok::<f64, std::io::Error>(as_float(path.metadata()?.len()));
    let image = |name: &str| {
        let program = workspace.program(name)?;
        let image = workspace.write_image(&program, &workspace.out(), false)?;
        anyhow::Ok(Some(bytes(&image)?))
    };
    let airlock = Sizes {
        hello: image("hello")?,
        fetch: image("fetch")?,
        ..Sizes::default()
    };
    let mut sizes = BTreeMap::from([(Guest::Airlock, airlock), (Guest::AirlockRealm, airlock)]);
    if let Some(linux) = &parts.linux {
        let both = bytes(&linux.kernel)? + bytes(&linux.initramfs)?;
        let linux = Sizes {
            hello: Some(both),
            fetch: Some(both),
            ..Sizes::default()
        };
        for guest in [Guest::Linux, Guest::LinuxBounced, Guest::LinuxRealm] {
            sizes.insert(guest, linux);
        }
    }
    Ok(sizes)
}

fn get_linux(out: &Path) -> Result<Linux> {
    let packages = packages::packages(&out.join("linux"), Wanted::from_environment()?)?;
    let initramfs = out.join("bench-initramfs.cpio");
    std::fs::write(&initramfs, archive(&packages, &build_program()?)?)?;
    Ok(Linux {
        kernel: packages.kernel,
        initramfs,
        version: packages.version,
    })
}

/// The measured program, as one static file.
fn build_program() -> Result<Vec<u8>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--release", "--target", LINUX_TARGET])
        .args(["--package", LINUX_PROGRAM, "--message-format", "json"])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    ensure!(
        output.status.success(),
        "`{LINUX_PROGRAM}` does not build; rustup target add {LINUX_TARGET}"
    );
    let text = String::from_utf8_lossy(&output.stdout);
    let file = text.lines().filter_map(executable).next_back();
    read(&file.context("cargo made no program for Linux")?)
}

/// The program that a line of cargo's messages names.
fn executable(line: &str) -> Option<PathBuf> {
    let message: serde_json::Value = serde_json::from_str(line).ok()?;
    message.get("executable")?.as_str().map(PathBuf::from)
}

fn archive(packages: &Packages, program: &[u8]) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    for name in FOLDERS {
        archive.add(name, Kind::Folder, &[]);
    }
    archive.add("init", Kind::Program, include_bytes!("init.sh"));
    archive.add("bench", Kind::Program, program);
    archive.add("bin/busybox", Kind::Program, &read(&packages.busybox)?);
    for module in MODULES {
        let (content, extension) = packages.module(module)?;
        let name = module.rsplit('/').next().unwrap_or(module);
        // Unpacked here, because Linux' boot is measured, and not busybox' xz.
        match unpack(&content, extension) {
            Some(plain) => archive.add(&format!("modules/{name}.ko"), Kind::File, &plain),
            None => archive.add(&format!("modules/{name}.{extension}"), Kind::File, &content),
        }
    }
    Ok(archive.finish())
}

/// Unpacks what is packed, if this machine has `xz`; the guest does it otherwise.
fn unpack(content: &[u8], extension: &str) -> Option<Vec<u8>> {
    if extension != "ko.xz" {
        return None;
    }
    let mut child = Command::new("xz")
        .args(["--decompress", "--stdout"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut input = child.stdin.take()?;
    let content = content.to_owned();
    // From a thread: both pipes are short.
    let writer = std::thread::spawn(move || input.write_all(&content));
    let output = child.wait_with_output().ok()?;
    let written = writer.join().is_ok_and(|written| written.is_ok());
    (output.status.success() && written).then_some(output.stdout)
}
