//! What a share is used for, by paths.

use alloc::vec::Vec;

use crate::message::{self, Qid, SMALL, flags, kind};
use crate::{Client, Error, File, Transport};

impl<T: Transport> Client<T> {
    /// Opens the plain file at `path` for reading.
    ///
    /// # Errors
    ///
    /// [`Error::Path`] before the host is asked, [`Error::NotFound`], [`Error::SymbolicLink`],
    /// [`Error::NotAFile`], and whatever the host or the transport says.
    pub async fn open(&self, path: &str) -> Result<File<'_, T>, Error<T::Error>> {
        let (fid, found) = self.walk(path).await?;
        if found.is_folder() {
            return Err(Error::NotAFile);
        }
        let request = message::open(fid.number(), flags::READ);
        self.opened(kind::OPEN, request).await?;
        Ok(File::new(self, fid))
    }

    /// Opens the plain file at `path` for writing, empty; makes it if it is not there.
    ///
    /// # Errors
    ///
    /// As for [`Self::open`].
    pub async fn create(&self, path: &str) -> Result<File<'_, T>, Error<T::Error>> {
        match self.walk(path).await {
            Ok((_, found)) if found.is_folder() => Err(Error::NotAFile),
            Ok((fid, _)) => {
                let how = flags::WRITE | flags::TRUNCATE;
                self.opened(kind::OPEN, message::open(fid.number(), how))
                    .await?;
                Ok(File::new(self, fid))
            }
            Err(Error::NotFound) => {
                let (fid, name) = self.parent(path).await?;
                let how = flags::WRITE | flags::CREATE | flags::EXCLUSIVE;
                let request = message::create(fid.number(), name, how);
                self.opened(kind::CREATE, request).await?;
                Ok(File::new(self, fid))
            }
            Err(error) => Err(error),
        }
    }

    /// Makes a folder.
    ///
    /// # Errors
    ///
    /// As for [`Self::open`]; [`Error::Refused`] if there is something by that name.
    pub async fn create_folder(&self, path: &str) -> Result<(), Error<T::Error>> {
        let (fid, name) = self.parent(path).await?;
        let request = message::make_folder(fid.number(), name);
        let mut room = [0; SMALL];
        let mut reader = self.ask(kind::MAKE_FOLDER, request, &mut room).await?;
        Qid::read(&mut reader).map_err(Error::Malformed)?;
        reader.end().map_err(Error::Malformed)
    }

    /// Removes a file, a symbolic link, or an empty folder.
    ///
    /// # Errors
    ///
    /// As for [`Self::open`].
    pub async fn remove(&self, path: &str) -> Result<(), Error<T::Error>> {
        let is_folder = match self.walk(path).await {
            Ok((_, found)) => found.is_folder(),
            // The link itself goes, and not what it points to.
            Err(Error::SymbolicLink) => false,
            Err(error) => return Err(error),
        };
        let how = if is_folder { flags::REMOVE_FOLDER } else { 0 };
        let (fid, name) = self.parent(path).await?;
        let request = message::unlink(fid.number(), name, how);
        self.done(kind::UNLINK, request).await
    }

    /// All of the file at `path`, if it has at most `limit` bytes. What comes is the host's word.
    ///
    /// # Errors
    ///
    /// As for [`Self::open`], and [`Error::TooLong`].
    pub async fn read(&self, path: &str, limit: usize) -> Result<Vec<u8>, Error<T::Error>> {
        let file = self.open(path).await?;
        let bytes = file.read_to_end(limit).await?;
        file.close().await?;
        Ok(bytes)
    }

    /// Makes the file at `path` have these bytes and no others.
    ///
    /// # Errors
    ///
    /// As for [`Self::open`].
    pub async fn write(&self, path: &str, bytes: &[u8]) -> Result<(), Error<T::Error>> {
        let file = self.create(path).await?;
        file.write_all_at(0, bytes).await?;
        file.close().await
    }
}
