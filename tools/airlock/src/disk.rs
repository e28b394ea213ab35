//! Disk images on the host.

use anyhow::{Context, Result, bail, ensure};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Bytes of a sector: a disk has a whole number of them.
const SECTOR: u64 = 512;

/// Checks a disk that the user named.
///
/// # Errors
/// It is not there, or is not a raw image; the text says what to do.
pub fn check(path: &Path) -> Result<()> {
    let shown = path.display();
    let Ok(metadata) = path.metadata() else {
        bail!("there is no disk `{shown}`; make one of 64 MiB: truncate -s 64M {shown}")
    };
    ensure!(
        !metadata.is_dir(),
        "`{shown}` is a folder, not a disk image"
    );
    ensure!(
        !metadata.is_file() || metadata.len().is_multiple_of(SECTOR),
        "`{shown}` has {} bytes, no whole number of sectors; round it up: truncate -s %{SECTOR} {shown}",
        metadata.len()
    );
    Ok(())
}

/// Makes an empty disk that takes no room until it is written.
///
/// # Errors
/// The file cannot be made.
pub fn create(path: &Path, bytes: u64) -> Result<()> {
    let file = File::create(path).with_context(|| format!("cannot make {}", path.display()))?;
    file.set_len(bytes)
        .with_context(|| format!("cannot size {}", path.display()))
}

/// The first `bytes` bytes of a disk.
///
/// # Errors
/// The file cannot be read, or is shorter.
pub fn read_start(path: &Path, bytes: usize) -> Result<Vec<u8>> {
    let mut content = vec![0; bytes];
    File::open(path)
        .and_then(|mut file| file.read_exact(&mut content))
        .with_context(|| format!("cannot read {bytes} bytes of {}", path.display()))?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_disk_is_told_with_the_command_that_makes_it() {
        let error = check(Path::new("no/such/disk")).unwrap_err().to_string();
        assert!(error.contains("truncate -s 64M no/such/disk"), "{error}");
    }

    #[test]
    fn a_disk_with_half_a_sector_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        create(&path, 700).unwrap();
        assert!(check(&path).unwrap_err().to_string().contains("700 bytes"));
        create(&path, 1024).unwrap();
        assert!(check(&path).is_ok());
    }

    #[test]
    fn an_empty_disk_is_a_case_for_the_guest_to_judge() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        create(&path, 0).unwrap();
        assert!(check(&path).is_ok());
    }
}
