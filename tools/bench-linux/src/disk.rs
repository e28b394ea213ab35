//! Reads of the disk, past the page cache. What they bring is not looked at: the disk behind it is
//! QEMU's `null-co`.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;

use anyhow::{Context, Result};
use workload::amounts::Amounts;
use workload::mark::mark;
use workload::phase::Phase;
use workload::sectors::Places;

use crate::aio::Reader;

const DISK: &str = "/dev/vda";
const LARGE: usize = 128 * 1024;
const SMALL: usize = 4096;
/// The part of a job that warms up.
const WARM_UP: u64 = 4;
/// Reads go to the device, not to the page cache. Ref: Linux, `asm-generic/fcntl.h`; arm64 has its own value.
const O_DIRECT: i32 = if cfg!(target_arch = "aarch64") {
    0o200_000
} else {
    0o40_000
};

/// Large reads in order, one at a time.
///
/// # Errors
/// The disk cannot be read.
pub fn in_order(amounts: &Amounts) -> Result<()> {
    let (disk, size) = open()?;
    let mut reader = Reader::new(&disk, 1, LARGE)?;
    let places = (size / LARGE as u64).max(1);
    let mut read = |bytes: u64| {
        let offsets = (0..bytes / LARGE as u64).map(|number| number % places * LARGE as u64);
        reader.read(offsets)
    };
    read(amounts.bytes / WARM_UP)?;
    mark(Phase::Read128K);
    let done = read(amounts.bytes);
    mark(Phase::Other);
    done
}

/// Small reads anywhere, as many at a time as `phase` says.
///
/// # Errors
/// The disk cannot be read.
pub fn anywhere(amounts: &Amounts, phase: Phase) -> Result<()> {
    let (disk, size) = open()?;
    let mut reader = Reader::new(&disk, phase.depth(), SMALL)?;
    let mut read = |count: u64| {
        let places = Places::new(size / SMALL as u64, 1);
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        reader.read(places.take(count).map(|place| place * SMALL as u64))
    };
    read(amounts.count / WARM_UP)?;
    mark(phase);
    let done = read(amounts.count);
    mark(Phase::Other);
    done
}

fn open() -> Result<(File, u64)> {
    let mut disk = OpenOptions::new()
        .read(true)
        .custom_flags(O_DIRECT)
        .open(DISK)
        .with_context(|| format!("cannot open {DISK}"))?;
    let size = disk.seek(SeekFrom::End(0))?;
    Ok((disk, size))
}
