//! Boots Debian's arm64 Linux as a realm under the test monitor, and checks what it says.
//!
//! `make test-linux`, or `cargo run -p linux-guest [-- --keep-logs DIR]`. The first run gets the
//! kernel and busybox with apt's own tools, into a folder of the build: the newest kernel, or the one
//! that `LINUX=7.2` asks for. Three boots:
//!
//! | boot | how it has to end |
//! | --- | --- |
//! | `realm` | lease, download and disk are right, and nothing is violated |
//! | `small-pool` | without `swiotlb=`: a kernel since 7.3 runs out of bounce buffers, and hangs |
//! | `control` | with the shared half left out of the SMMU: it fails, or the first proves nothing |
#![forbid(unsafe_code)]

mod boot;
mod checks;
mod initramfs;

use std::process::ExitCode;
use std::time::Duration;

use airlock_cli::qemu;
use airlock_cli::serve::{Behaviour, Content, FileServer};
use airlock_cli::workspace::Workspace;
use anyhow::{Context, Result, bail, ensure};
use debian::packages;
use debian::version::Wanted;

use crate::boot::{Guest, Plan, Pool};

const DOWNLOAD: usize = 4 << 20;
const DISK: usize = 16 << 20;
/// On two slow processors the guest needs 20 s.
const LIMIT: Duration = Duration::from_secs(180);

fn main() -> ExitCode {
    match run() {
        Ok(()) => {
            println!("test-linux: ok");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("test-linux: failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let logs = logs()?;
    qemu::catch_interrupts()?;
    let workspace = Workspace::find()?;
    let folder = workspace.out().join("linux");
    let packages = packages::packages(&folder, Wanted::from_environment()?)?;
    let scratch = tempfile::tempdir()?;
    let disk = Content::generate(2, DISK);
    let download = Content::generate(1, DOWNLOAD);
    let server = FileServer::start(&download, Behaviour::Honest)?;
    let wanted = std::env::var_os("QEMU").map(std::path::PathBuf::from);
    let guest = Guest {
        qemu: qemu::find(wanted.as_deref())?,
        monitor: workspace.write_image(&Workspace::monitor(), &workspace.out(), false)?,
        kernel: packages.kernel.clone(),
        initramfs: initramfs::write(&packages, scratch.path())?,
        disk: boot::write_disk(&disk, scratch.path())?,
        url: server.guest_url(),
        limit: LIMIT,
    };
    let expected = checks::Expected {
        download: download.digest(),
        disk: disk.digest(),
    };
    println!("test-linux: Linux {} as a realm", packages.version);
    let enough = Plan {
        name: "realm",
        monitor: "",
        pool: Pool::Enough,
    };
    let session = guest.boot(enough, logs.as_deref())?;
    checks::passes(&session, &expected)?;
    println!("test-linux: the same with the bounce pool that the kernel chooses by itself");
    let small = Plan {
        name: "small-pool",
        pool: Pool::Default,
        ..enough
    };
    let session = guest.boot(small, logs.as_deref())?;
    println!("test-linux: {}", checks::small_pool(&session, &expected)?);
    println!("test-linux: the same with the shared half left out of the SMMU, which has to fail");
    let control = Plan {
        name: "control",
        monitor: "monitor.smmu=low-only",
        ..enough
    };
    let control = guest.boot(control, logs.as_deref())?;
    match checks::passes(&control, &expected) {
        Ok(()) => bail!("a monitor that leaves the shared half out of the SMMU passes the test"),
        Err(reason) => println!("test-linux: it fails, as it has to: {reason:#}"),
    }
    checks::was_blocked(&control)?;
    println!("test-linux: tested with Linux {}", packages.version);
    Ok(())
}

/// The folder behind `--keep-logs`, if there is one.
fn logs() -> Result<Option<std::path::PathBuf>> {
    let mut words = std::env::args_os().skip(1);
    let Some(word) = words.next() else {
        return Ok(None);
    };
    ensure!(
        word == "--keep-logs",
        "usage: linux-guest [--keep-logs DIR]"
    );
    let folder = words.next().context("--keep-logs needs a folder")?;
    std::fs::create_dir_all(&folder)?;
    Ok(Some(folder.into()))
}
