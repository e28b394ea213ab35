//! Folders of the host, as payloads see them.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use ::share::{Digest, Trust};
use attest::MeasureError;
use ninep::{Client, Entry, Error as NinePError};
use virtio::{Error as DeviceError, NineP};

use crate::realm::Realm;

/// The measurement that manifests extend.
const MANIFEST_REM: u8 = 4;

/// An open file of a share. What is read is the host's word.
pub type ShareFile<'s> = ninep::File<'s, Rc<NineP>>;
/// A share with a manifest: what it hands out was checked.
pub type Folder = ::share::Folder<Rc<NineP>>;
/// Why a [`Folder`] hands nothing out.
pub type FolderError = ::share::Error<DeviceError>;
/// An open file of a [`Folder`].
pub type FolderFile<'f> = ::share::VerifiedFile<'f, Rc<NineP>>;

/// A folder of the host. Clones are the same folder.
///
/// Paths are relative to it, and cannot leave it; no symbolic link is followed. Whatever is read is the
/// host's word: hold it against a digest ([`Share::read_verified`]), or use a [`Folder`].
#[derive(Clone)]
pub struct Share(Rc<Client<Rc<NineP>>>);

impl Share {
    /// Starts the device anew that had failed, and is let in again. Does nothing while the folder can be used,
    /// and can be tried again if the host did not let us in. Files that were open are so no more.
    ///
    /// # Errors
    ///
    /// [`ShareError::Files`]
    pub async fn restart(&self) -> Result<(), ShareError> {
        let device = self.0.transport();
        if device.failure().is_some() {
            self.0.detach();
            device.restart().map_err(NinePError::Transport)?;
        }
        if !self.0.is_attached() {
            self.0.attach_again().await?;
        }
        Ok(())
    }

    /// Opens the plain file at `path` for reading.
    ///
    /// # Errors
    ///
    /// [`ShareError::Files`]
    pub async fn open(&self, path: &str) -> Result<ShareFile<'_>, ShareError> {
        Ok(self.0.open(path).await?)
    }

    /// Opens the plain file at `path` for writing, empty; makes it if it is not there.
    ///
    /// # Errors
    ///
    /// [`ShareError::Files`]
    pub async fn create(&self, path: &str) -> Result<ShareFile<'_>, ShareError> {
        Ok(self.0.create(path).await?)
    }

    /// All of the file at `path`, if it has at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// [`ShareError::Files`]
    pub async fn read(&self, path: &str, limit: usize) -> Result<Vec<u8>, ShareError> {
        Ok(self.0.read(path, limit).await?)
    }

    /// The same, if it has this digest.
    ///
    /// # Errors
    ///
    /// [`ShareError::Verified`]
    pub async fn read_verified(
        &self,
        path: &str,
        digest: &Digest,
        limit: usize,
    ) -> Result<Vec<u8>, ShareError> {
        Ok(::share::read_verified(&self.0, path, digest, limit).await?)
    }

    /// Makes the file at `path` have these bytes and no others. The host reads them.
    ///
    /// # Errors
    ///
    /// [`ShareError::Files`]
    pub async fn write(&self, path: &str, bytes: &[u8]) -> Result<(), ShareError> {
        Ok(self.0.write(path, bytes).await?)
    }

    /// What is in the folder at `path`, in no order, if that is no more than `limit`; the empty path is the
    /// share itself.
    ///
    /// # Errors
    ///
    /// [`ShareError::Files`]
    pub async fn list(&self, path: &str, limit: usize) -> Result<Vec<Entry>, ShareError> {
        Ok(self.0.list(path, limit).await?)
    }

    /// Makes a folder.
    ///
    /// # Errors
    ///
    /// [`ShareError::Files`]
    pub async fn create_folder(&self, path: &str) -> Result<(), ShareError> {
        Ok(self.0.create_folder(path).await?)
    }

    /// Removes a file, a symbolic link, or an empty folder.
    ///
    /// # Errors
    ///
    /// [`ShareError::Files`]
    pub async fn remove(&self, path: &str) -> Result<(), ShareError> {
        Ok(self.0.remove(path).await?)
    }
}

impl Realm {
    /// The names of the shared folders that work, in the order of the bus.
    pub fn share_names(&self) -> impl Iterator<Item = Rc<str>> {
        self.shared().iter().map(|shared| shared.name())
    }

    /// The shared folder `name`, which the boot argument `share=` has let in. It is asked for once.
    ///
    /// # Errors
    ///
    /// [`ShareError::Missing`], [`ShareError::Taken`], [`ShareError::Files`].
    pub async fn share(&self, name: &str) -> Result<Share, ShareError> {
        let owned = || String::from(name);
        let mut shared = self.shared().iter();
        let shared = shared.find(|shared| *shared.name() == *name);
        let shared = shared.ok_or_else(|| ShareError::Missing { name: owned() })?;
        let claim = shared
            .claim()
            .ok_or_else(|| ShareError::Taken { name: owned() })?;
        let client = Client::attach(shared.device()).await?;
        claim.keep();
        Ok(Share(Rc::new(client)))
    }

    /// The shared folder `name` with its manifest, whose digest goes into REM 4 before anything of it is
    /// used. The boot argument `share.manifest=` says which manifest that may be.
    ///
    /// # Errors
    ///
    /// As for [`Self::share`]; [`ShareError::Argument`], [`ShareError::Verified`], [`ShareError::Measure`].
    pub async fn folder(&self, name: &str) -> Result<Folder, ShareError> {
        let text = self.args().get("share.manifest");
        let trust = text.and_then(Trust::parse).ok_or(ShareError::Argument)?;
        let share = self.share(name).await?;
        let folder = Folder::open(share.0, trust).await?;
        let digest = folder.manifest().digest();
        let event = format!("share {name}: manifest {digest}");
        if let Some(attestation) = self.attestation() {
            let measured = attestation.measure(MANIFEST_REM, event.as_bytes(), &event);
            measured.map_err(ShareError::Measure)?;
        }
        log::info!("{event}");
        Ok(folder)
    }
}

/// Why a shared folder, or something in it, cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShareError {
    /// There is no such folder, or none that works.
    Missing {
        /// Its name.
        name: String,
    },
    /// It was asked for before: use that one.
    Taken {
        /// Its name.
        name: String,
    },
    /// The host, or the device.
    Files(NinePError<DeviceError>),
    /// A file is not what it must be.
    Verified(::share::Error<DeviceError>),
    /// The boot argument `share.manifest=` is not there, or says nothing.
    Argument,
    /// The manifest could not be measured.
    Measure(MeasureError),
}

impl fmt::Display for ShareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { name } => write!(
                f,
                "there is no shared folder `{name}` that works; airlock run --share {name}=DIR gives one"
            ),
            Self::Taken { name } => write!(f, "the shared folder `{name}` is in use already"),
            Self::Files(error) => error.fmt(f),
            Self::Verified(error) => error.fmt(f),
            Self::Argument => write!(
                f,
                "boot argument share.manifest: {}; `airlock manifest DIR` makes a manifest and prints its digest",
                Trust::EXPECTED
            ),
            Self::Measure(error) => write!(f, "the manifest cannot be measured: {error}"),
        }
    }
}

impl From<NinePError<DeviceError>> for ShareError {
    fn from(error: NinePError<DeviceError>) -> Self {
        Self::Files(error)
    }
}

impl From<::share::Error<DeviceError>> for ShareError {
    fn from(error: ::share::Error<DeviceError>) -> Self {
        Self::Verified(error)
    }
}
