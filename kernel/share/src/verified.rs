//! A file whose bytes are checked before they are handed out.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use ninep::{Client, File, Transport};

use crate::manifest::{CHUNK, Listed};
use crate::{Changed, Digest, Error};

/// All of the file at `path`, if it has at most `limit` bytes and this digest. It is read whole into private
/// memory first.
///
/// # Errors
///
/// [`Error::Changed`], and [`Error::Files`] for whatever the host or the transport says.
pub async fn read_verified<T: Transport>(
    client: &Client<T>,
    path: &str,
    digest: &Digest,
    limit: usize,
) -> Result<Vec<u8>, Error<T::Error>> {
    let read = client.read(path, limit).await;
    let bytes = read.map_err(|error| files(path, error))?;
    let found = Digest::of(&bytes);
    match found == *digest {
        true => Ok(bytes),
        false => Err(Error::Changed {
            path: String::from(path),
            what: Changed::Whole { found },
        }),
    }
}

/// An open file of a manifest.
pub struct VerifiedFile<'f, T> {
    listed: Listed<'f>,
    file: File<'f, T>,
    /// The piece that was checked last.
    piece: Option<usize>,
    bytes: Vec<u8>,
}

impl<'f, T: Transport> VerifiedFile<'f, T> {
    pub(crate) fn new(listed: Listed<'f>, file: File<'f, T>) -> Self {
        Self {
            listed,
            file,
            piece: None,
            bytes: Vec::new(),
        }
    }

    /// Its bytes, as the manifest says.
    pub fn size(&self) -> u64 {
        self.listed.size
    }

    /// Bytes from `offset` on, as many as the piece has that they are in, checked; none at the end. Who asks
    /// again for the same piece does not wait for the host.
    ///
    /// # Errors
    ///
    /// [`Error::Changed`] if the host has other bytes there; [`Error::Files`].
    pub async fn read_at(&mut self, offset: u64) -> Result<&[u8], Error<T::Error>> {
        if offset >= self.listed.size {
            return Ok(&[]);
        }
        let number = usize::try_from(offset / CHUNK as u64).unwrap_or(usize::MAX);
        if self.piece != Some(number) {
            self.fetch(number).await?;
        }
        // Less than a piece.
        let within = usize::try_from(offset % CHUNK as u64).unwrap_or(CHUNK);
        Ok(self.bytes.get(within..).unwrap_or_default())
    }

    /// Reads piece `number` and checks it.
    async fn fetch(&mut self, number: usize) -> Result<(), Error<T::Error>> {
        // Until it is checked, it is nobody's.
        self.piece = None;
        let at = number as u64 * CHUNK as u64;
        let len = self.listed.size.saturating_sub(at).min(CHUNK as u64);
        let mut bytes = core::mem::take(&mut self.bytes);
        bytes.clear();
        bytes.resize(usize::try_from(len).unwrap_or(CHUNK), 0);
        let read = self.file.read_full_at(at, &mut bytes).await;
        let count = read.map_err(|error| files(self.listed.path, error))?;
        let what = if count < bytes.len() {
            let at = at.saturating_add(count as u64);
            Some(Changed::Short { at })
        } else if self.listed.chunk(number) != Some(&Digest::of(&bytes)) {
            Some(Changed::Piece { at })
        } else {
            None
        };
        if let Some(what) = what {
            let path = String::from(self.listed.path);
            return Err(Error::Changed { path, what });
        }
        (self.piece, self.bytes) = (Some(number), bytes);
        Ok(())
    }

    /// All of it, if it has at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// As for [`Self::read_at`], and [`ninep::Error::TooLong`] before anything is read.
    pub async fn read_to_end(&mut self, limit: usize) -> Result<Vec<u8>, Error<T::Error>> {
        let size = usize::try_from(self.listed.size).ok();
        let size = size
            .filter(|size| *size <= limit)
            .ok_or_else(|| files(self.listed.path, ninep::Error::TooLong { limit }))?;
        let mut all = vec![0; size];
        let mut done = 0;
        while let Some(place) = all.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let piece = self.read_at(done as u64).await?;
            let len = piece.len().min(place.len());
            place
                .iter_mut()
                .zip(piece)
                .for_each(|(to, from)| *to = *from);
            done += len.max(1);
        }
        Ok(all)
    }

    /// Tells the host that it is closed.
    ///
    /// # Errors
    ///
    /// [`Error::Files`]
    pub async fn close(self) -> Result<(), Error<T::Error>> {
        let closed = self.file.close().await;
        closed.map_err(|error| files(self.listed.path, error))
    }
}

/// An error of the host or the transport, with the path that it is about.
pub(crate) fn files<E>(path: &str, error: ninep::Error<E>) -> Error<E> {
    let path = String::from(path);
    Error::Files { path, error }
}
