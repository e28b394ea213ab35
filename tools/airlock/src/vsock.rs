//! The socket device of a guest, and the back end behind it, which runs as long as the guest does.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use vsock::{Backend, Config, Way};

use crate::qemu;
use crate::units::MIB;

/// What the guest is called.
const CID: u32 = 3;
/// QEMU's name of the memory that the back end is handed.
pub const MEMORY: &str = "shared";

/// A way, or none: `--vsock` alone.
pub type MaybeWay = Option<Way>;

/// Reads what stands behind `--vsock`.
///
/// # Errors
/// It is no way; the text says what is one.
pub fn parse(text: &str) -> Result<MaybeWay, String> {
    match text {
        "" => Ok(None),
        text => text.parse().map(Some),
    }
}

/// A socket device.
#[derive(Clone, Debug)]
pub struct Device {
    /// Where QEMU finds the back end.
    socket: PathBuf,
    /// Which port leads where.
    pub ways: Vec<Way>,
}

impl Device {
    /// The device that `--vsock` asks for, if it was given; its socket will be in `folder`.
    #[must_use]
    pub fn of_options(options: &[MaybeWay], folder: &Path) -> Option<Self> {
        let ways = options.iter().flatten().cloned().collect();
        (!options.is_empty()).then(|| Self::new(ways, folder))
    }

    /// A device with these ways; its socket will be in `folder`.
    #[must_use]
    pub fn new(ways: Vec<Way>, folder: &Path) -> Self {
        let socket = folder.join("vsock");
        Self { socket, ways }
    }

    /// Starts the back end, which ends when it is dropped.
    ///
    /// # Errors
    /// An address of a way is in use.
    pub fn start(&self) -> Result<Backend> {
        let config = Config {
            socket: self.socket.clone(),
            cid: CID,
            ways: self.ways.clone(),
            say: |text| eprintln!("airlock: vsock: {text}"),
        };
        Backend::start(config).context("--vsock")
    }

    /// QEMU's words for it; `platform` is what every device of the machine has.
    #[must_use]
    pub fn words(&self, memory: u64, platform: &str) -> [(&'static str, OsString); 3] {
        let size = memory / MIB;
        let object = format!("memory-backend-memfd,id={MEMORY},share=on,size={size}M");
        let mut socket = OsString::from("socket,id=vsock,path=");
        socket.push(qemu::escaped(&self.socket));
        let device = format!("vhost-user-vsock-pci,chardev=vsock,disable-legacy=on{platform}");
        [
            ("-object", object.into()),
            ("-chardev", socket),
            ("-device", device.into()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_option_there_is_no_device_and_alone_it_leads_nowhere() {
        let folder = Path::new("/f");
        assert!(Device::of_options(&[], folder).is_none());
        let alone = [parse("").unwrap()];
        assert!(Device::of_options(&alone, folder).unwrap().ways.is_empty());
        let one = [parse("guest:7=tcp:7007").unwrap()];
        assert_eq!(Device::of_options(&one, folder).unwrap().ways.len(), 1);
        assert!(parse("7=7007").is_err());
    }

    #[test]
    fn the_back_end_gets_memory_that_can_be_shared_and_the_device_an_iommu() {
        let device = Device::new(Vec::new(), Path::new("a,b"));
        let words = device.words(128 * MIB, ",iommu_platform=on");
        let [object, socket, device] = words.map(|(_, word)| word.into_string().unwrap());
        assert!(object.contains("share=on,size=128M"), "{object}");
        assert!(socket.ends_with("path=a,,b/vsock"), "{socket}");
        assert!(device.ends_with("iommu_platform=on"), "{device}");
    }
}
