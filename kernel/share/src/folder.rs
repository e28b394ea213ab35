//! A folder of files that are not trusted, with a manifest that is.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use ninep::{Client, Transport};

use crate::verified::files;
use crate::{Changed, Digest, Error, MANIFEST, MAX_MANIFEST, Manifest, VerifiedFile};

/// Which manifest is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The one with this digest.
    Only(Digest),
    /// Any: whoever asks measures its digest, for a verifier to judge.
    Any,
}

impl Trust {
    /// What [`Self::parse`] takes.
    pub const EXPECTED: &str = "sha256: and 64 digits, or any";

    /// Reads the value of a boot argument; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "any" => Some(Self::Any),
            text => Digest::parse(text).map(Self::Only),
        }
    }
}

/// A folder whose files are checked before they are handed out. Clones are the same folder.
pub struct Folder<T> {
    client: Rc<Client<T>>,
    manifest: Rc<Manifest>,
}

impl<T> Clone for Folder<T> {
    fn clone(&self) -> Self {
        Self {
            client: Rc::clone(&self.client),
            manifest: Rc::clone(&self.manifest),
        }
    }
}

impl<T: Transport> Folder<T> {
    /// Reads the manifest of the share.
    ///
    /// # Errors
    ///
    /// [`Error::Changed`] if it is not the one that is trusted, [`Error::Manifest`] if it is none,
    /// [`Error::Files`].
    pub async fn open(client: Rc<Client<T>>, trust: Trust) -> Result<Self, Error<T::Error>> {
        let read = client.read(MANIFEST, MAX_MANIFEST).await;
        let bytes = read.map_err(|error| files(MANIFEST, error))?;
        let found = Digest::of(&bytes);
        if trust != Trust::Any && trust != Trust::Only(found) {
            return Err(Error::Changed {
                path: String::from(MANIFEST),
                what: Changed::Whole { found },
            });
        }
        let manifest = Manifest::parse(&bytes).map_err(Error::Manifest)?;
        let manifest = Rc::new(manifest);
        Ok(Self { client, manifest })
    }

    /// What is in it.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Opens the file at `path`, which the manifest lists.
    ///
    /// # Errors
    ///
    /// [`Error::NotListed`], [`Error::Files`].
    pub async fn file(&self, path: &str) -> Result<VerifiedFile<'_, T>, Error<T::Error>> {
        let Some(listed) = self.manifest.find(path) else {
            let path = String::from(path);
            return Err(Error::NotListed { path });
        };
        let opened = self.client.open(path).await;
        let file = opened.map_err(|error| files(path, error))?;
        Ok(VerifiedFile::new(listed, file))
    }

    /// All of the file at `path`, if it has at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// As for [`Self::file`] and [`VerifiedFile::read_to_end`].
    pub async fn read(&self, path: &str, limit: usize) -> Result<Vec<u8>, Error<T::Error>> {
        let mut file = self.file(path).await?;
        let bytes = file.read_to_end(limit).await?;
        file.close().await?;
        Ok(bytes)
    }
}
