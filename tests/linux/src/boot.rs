//! The machine: QEMU with the monitor, the guest beside it, a network card and a disk.

use std::ffi::OsString;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use airlock_cli::qemu::{self, Session};
use airlock_cli::serve::Content;
use anyhow::{Context, Result};

use crate::checks;

/// Where the monitor expects the guest's image.
const GUEST_IMAGE: &str = "0x44200000";
/// Memory of the guest, with the monitor's 64 MiB.
const MEMORY: &str = "1024M";
/// The guest sees the console in the shared half, from its first line on.
const ARGUMENTS: &str = "console=ttyAMA0 earlycon=pl011,mmio32,0x10009000000 panic=-1";

/// 128 MiB of bounce buffers, whatever the kernel thinks of the machine. Without it, a kernel since 7.3
/// takes 1 MiB for each GiB where all memory lies below 4 GiB, and waits for ever when that is used up.
/// A number equal to the kernel's own choice would count as not given.
const ENOUGH: &str = "swiotlb=65536,force";
/// After so many complaints that the pool is full there is nothing to wait for: it never gets emptier.
const PATIENCE: usize = 20;

/// How large the guest's own bounce pool is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// As large as it needs.
    Enough,
    /// What the kernel chooses by itself.
    Default,
}

/// What a boot is to be like.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Names the log and the lines on the console.
    pub name: &'static str,
    /// Options of the monitor.
    pub monitor: &'static str,
    /// The guest's bounce pool.
    pub pool: Pool,
}

/// Everything that a boot needs.
pub struct Guest {
    /// QEMU.
    pub qemu: PathBuf,
    /// Raw image of the monitor.
    pub monitor: PathBuf,
    /// The kernel.
    pub kernel: PathBuf,
    /// Its user space.
    pub initramfs: PathBuf,
    /// Its disk.
    pub disk: PathBuf,
    /// What it downloads.
    pub url: String,
    /// It is ended after this time.
    pub limit: Duration,
}

impl Guest {
    /// Boots it as `plan` says; the console goes to `NAME.log` in `logs`. It ends when it is done, when
    /// its time is over, or when its bounce pool ran dry.
    ///
    /// # Errors
    /// QEMU cannot be started, or the log cannot be written.
    pub fn boot(&self, plan: Plan, logs: Option<&Path>) -> Result<Session> {
        let mut full = 0;
        let watch = |at: Duration, line: &str| {
            full += usize::from(checks::tells_full_pool(line));
            if is_telling(line) {
                println!("{:8.3} {line}", at.as_secs_f64());
            }
            match full {
                PATIENCE.. => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        };
        let session = qemu::run_while(&self.qemu, &self.arguments(plan), self.limit, watch)?;
        if let Some(folder) = logs {
            let path = folder.join(format!("{}.log", plan.name));
            let text = session.console.lines().join("\n");
            std::fs::write(&path, text)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(session)
    }

    fn arguments(&self, plan: Plan) -> Vec<OsString> {
        let mut words: Vec<OsString> = [
            "-machine",
            "virt,virtualization=on,gic-version=3,iommu=smmuv3",
            "-cpu",
            "max,pauth-impdef=on",
            "-m",
            MEMORY,
            "-nodefaults",
            "-no-reboot",
            "-display",
            "none",
            "-monitor",
            "none",
            "-serial",
            "stdio",
            "-netdev",
            "user,id=n0",
            "-device",
            "virtio-net-pci,netdev=n0,disable-legacy=on,iommu_platform=on,romfile=",
            "-device",
            "virtio-blk-pci,drive=d0,disable-legacy=on,iommu_platform=on",
        ]
        .map(OsString::from)
        .to_vec();
        let pool = match plan.pool {
            Pool::Enough => ENOUGH,
            Pool::Default => "",
        };
        let line = format!(
            "{} -- {ARGUMENTS} {pool} guest.url={}",
            plan.monitor, self.url
        );
        let mut option = |name: &str, value: OsString| words.extend([name.into(), value]);
        option("-kernel", self.monitor.clone().into());
        option("-initrd", self.initramfs.clone().into());
        option("-append", line.trim().into());
        option(
            "-device",
            with_file("loader,force-raw=on,addr=", GUEST_IMAGE, &self.kernel),
        );
        option(
            "-drive",
            with_file("if=none,id=d0,format=raw,snapshot=", "on", &self.disk),
        );
        words
    }
}

/// An option whose last part is a file.
fn with_file(start: &str, value: &str, file: &Path) -> OsString {
    let mut text = OsString::from(format!("{start}{value},file="));
    text.push(file);
    text
}

/// Whether a line belongs to the test; the others are in the log.
fn is_telling(line: &str) -> bool {
    const WORDS: [&str; 5] = [
        "guest: ",
        "monitor: ",
        "RSI version",
        "bounce buffers",
        "report: ",
    ];
    WORDS.iter().any(|word| line.contains(word))
}

/// Writes the guest's disk into `folder`.
///
/// # Errors
/// There is no room.
pub fn write_disk(content: &Content, folder: &Path) -> Result<PathBuf> {
    let path = folder.join("disk.img");
    std::fs::write(&path, &content.bytes)?;
    Ok(path)
}
