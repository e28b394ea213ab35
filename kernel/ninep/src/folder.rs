//! What is in a folder.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::file::read;
use crate::message::{self, Qid, flags, kind};
use crate::wire::Reader;
use crate::{Client, Error, Malformed, Transport, path};

/// Bytes of names that are asked for at once.
const STEP: usize = 8 << 10;

/// What the host says that something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A plain file, or something that is opened like one.
    File,
    /// A folder.
    Folder,
    /// A symbolic link, which is not followed.
    SymbolicLink,
}

/// Something in a folder. It is what the host says: nothing of it needs to be true.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its name: one part of a path.
    pub name: String,
    /// What it is.
    pub kind: Kind,
}

impl<T: Transport> Client<T> {
    /// What is in the folder at `path`, in no order; the empty path is the share itself. Names that cannot
    /// be a part of a path, or are no UTF-8, are left out.
    ///
    /// # Errors
    ///
    /// [`Error::TooLong`] if there is more than `limit`; [`Error::NotAFolder`]; and as for
    /// [`Client::open`].
    pub async fn list(&self, path: &str, limit: usize) -> Result<Vec<Entry>, Error<T::Error>> {
        let (fid, found) = self.walk(path).await?;
        if !found.is_folder() {
            return Err(Error::NotAFolder);
        }
        let request = message::open(fid.number(), flags::READ);
        self.opened(kind::OPEN, request).await?;
        let mut listing = Listing::new(limit);
        let mut room = vec![0; STEP];
        loop {
            let which = (kind::READ_FOLDER, fid.number());
            let count = read(self, which, listing.offset, &mut room).await?;
            if count == 0 {
                break;
            }
            listing.add(room.get(..count).unwrap_or_default())?;
        }
        self.clunk(fid).await?;
        Ok(listing.entries)
    }
}

/// A listing that grows.
struct Listing {
    entries: Vec<Entry>,
    /// What the host wants to be asked for next.
    offset: u64,
    /// Names so far, those that were left out as well: a host must not go on for ever.
    seen: usize,
    limit: usize,
}

impl Listing {
    fn new(limit: usize) -> Self {
        Self {
            entries: Vec::new(),
            offset: 0,
            seen: 0,
            // `.` and `..` come on top.
            limit: limit.saturating_add(2),
        }
    }

    /// Takes whole entries from an answer, which has at least one.
    ///
    /// Ref: diod, `protocol.md`: "readdir - read a directory".
    fn add<E>(&mut self, bytes: &[u8]) -> Result<(), Error<E>> {
        let mut reader = Reader::new(bytes);
        while !reader.is_empty() {
            let entry = self.next(&mut reader).map_err(Error::Malformed)?;
            self.seen += 1;
            if self.seen > self.limit {
                return Err(Error::TooLong {
                    limit: self.limit - 2,
                });
            }
            self.entries.extend(entry);
        }
        Ok(())
    }

    fn next(&mut self, reader: &mut Reader<'_>) -> Result<Option<Entry>, Malformed> {
        let qid = Qid::read(reader)?;
        self.offset = reader.long()?;
        // The kind of Linux, which not every host knows; the one in front does as well.
        let _kind = reader.byte()?;
        let name = core::str::from_utf8(reader.text()?).ok();
        let name = name.filter(|name| path::check(name).is_ok());
        Ok(name.map(|name| Entry {
            name: String::from(name),
            kind: match qid {
                _ if qid.is_link() => Kind::SymbolicLink,
                _ if qid.is_folder() => Kind::Folder,
                _ => Kind::File,
            },
        }))
    }
}
