//! The main job `fetch`, seen from the host: serve a file, lend a disk, and look at the disk afterwards.

use crate::disk;
use crate::serve::{Behaviour, Content, FileServer, digest};
use crate::units::MIB;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Bytes of the file.
const FILE: usize = 8 << 20;
/// Bytes of the disk.
const DISK: u64 = 64 * MIB;

/// What the host lends to one run of `fetch`.
pub struct Fetch {
    content: Content,
    server: FileServer,
    disk: PathBuf,
}

impl Fetch {
    /// Starts the server; makes a disk in `folder` unless the user named one.
    ///
    /// # Errors
    /// No port is free, or there is no room for the disk.
    pub fn prepare(
        folder: &Path,
        disk: Option<&PathBuf>,
        behaviour: Behaviour,
        seed: Option<u64>,
    ) -> Result<Self> {
        let content = Content::generate(seed.unwrap_or_else(seed_of_now), FILE);
        let server = FileServer::start(&content, behaviour).context("cannot serve the file")?;
        let disk = match disk {
            Some(disk) => disk.clone(),
            None => {
                let path = folder.join("disk.img");
                disk::create(&path, DISK)?;
                path
            }
        };
        Ok(Self {
            content,
            server,
            disk,
        })
    }

    /// The boot argument that tells the payload where the file is.
    #[must_use]
    pub fn boot_argument(&self) -> String {
        format!("fetch.url={}", self.server.guest_url())
    }

    /// The disk that the payload writes to.
    #[must_use]
    pub fn disk(&self) -> &Path {
        &self.disk
    }

    /// One line on what is lent.
    #[must_use]
    pub fn description(&self) -> String {
        format!(
            "serves {} MiB (seed {}) at {}, disk {}",
            FILE as u64 / MIB,
            self.content.seed,
            self.server.guest_url(),
            self.disk.display()
        )
    }

    /// Looks at the disk after the payload said ok: `Ok` says what is there, `Err` what is wrong.
    ///
    /// # Errors
    /// The disk does not hold the file.
    pub fn check(&self) -> Result<String, String> {
        let found = disk::read_start(&self.disk, FILE).map_err(|error| format!("{error:#}"))?;
        if found[..] == self.content.bytes[..] {
            return Ok(format!(
                "disk image holds the file: sha256 {}",
                self.content.digest()
            ));
        }
        let same = found
            .iter()
            .zip(self.content.bytes.iter())
            .take_while(|(a, b)| a == b)
            .count();
        Err(format!(
            "the disk image differs from the file at byte {same}: sha256 {}, should be {}",
            digest(&found),
            self.content.digest()
        ))
    }
}

/// A new file each time: an old disk image must not pass for a new one.
fn seed_of_now() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    since.as_secs() ^ u64::from(since.subsec_nanos()) << 32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetch(folder: &Path) -> Fetch {
        Fetch::prepare(folder, None, Behaviour::Honest, Some(1)).unwrap()
    }

    #[test]
    fn an_empty_disk_does_not_pass() {
        let folder = tempfile::tempdir().unwrap();
        let error = fetch(folder.path()).check().unwrap_err();
        assert!(error.contains("differs from the file at byte 0"), "{error}");
    }

    #[test]
    fn a_disk_that_holds_the_file_passes_and_one_wrong_byte_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let fetch = fetch(folder.path());
        let mut bytes = fetch.content.bytes.to_vec();
        std::fs::write(fetch.disk(), &bytes).unwrap();
        assert!(fetch.check().unwrap().contains(&fetch.content.digest()));
        bytes[5_000_000] ^= 1;
        std::fs::write(fetch.disk(), &bytes).unwrap();
        assert!(fetch.check().unwrap_err().contains("byte 5000000"));
    }

    #[test]
    fn a_disk_that_is_too_short_does_not_pass() {
        let folder = tempfile::tempdir().unwrap();
        let fetch = fetch(folder.path());
        std::fs::write(fetch.disk(), b"short").unwrap();
        assert!(fetch.check().is_err());
    }
}
