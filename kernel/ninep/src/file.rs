//! An open file.

use alloc::vec::Vec;

use crate::client::{Fid, body};
use crate::message::{self, READ_HEAD, SMALL, kind};
use crate::wire::{HEADER, Reader};
use crate::{Client, Error, Malformed, Transport};

/// Bytes by which a file that is read to its end makes room for more.
const STEP: usize = 64 << 10;

/// An open file. What is read is the host's word, and may be another one the next time.
///
/// [`File::close`] tells the host at once that it is closed; one that is dropped is closed later.
pub struct File<'c, T> {
    client: &'c Client<T>,
    fid: Fid<'c, T>,
}

impl<'c, T: Transport> File<'c, T> {
    pub(crate) fn new(client: &'c Client<T>, fid: Fid<'c, T>) -> Self {
        Self { client, fid }
    }

    /// Bytes that the host says it has.
    ///
    /// # Errors
    ///
    /// Whatever the host or the transport says.
    pub async fn size(&self) -> Result<u64, Error<T::Error>> {
        let mut room = [0; SMALL];
        let request = message::attributes(self.fid.number());
        let mut reader = self
            .client
            .ask(kind::GET_ATTRIBUTES, request, &mut room)
            .await?;
        let size = message::size(&mut reader).map_err(Error::Malformed)?;
        reader.end().map_err(Error::Malformed)?;
        Ok(size)
    }

    /// Reads bytes from `offset` on into `into`, as many as one message has; says how many, and 0 at the
    /// end. What is behind them may have been written to as well.
    ///
    /// # Errors
    ///
    /// Whatever the host or the transport says.
    pub async fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize, Error<T::Error>> {
        read(self.client, (kind::READ, self.fid.number()), offset, into).await
    }

    /// Reads from `offset` on until `into` is full or the file ends; says how many bytes that were.
    ///
    /// # Errors
    ///
    /// Whatever the host or the transport says.
    pub async fn read_full_at(
        &self,
        offset: u64,
        into: &mut [u8],
    ) -> Result<usize, Error<T::Error>> {
        let mut done = 0;
        while let Some(rest) = into.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let at = offset.saturating_add(done as u64);
            match self.read_at(at, rest).await? {
                0 => break,
                count => done += count,
            }
        }
        Ok(done)
    }

    /// All of it, if it has at most `limit` bytes, whatever it says of its size.
    ///
    /// # Errors
    ///
    /// [`Error::TooLong`], and whatever the host or the transport says.
    pub async fn read_to_end(&self, limit: usize) -> Result<Vec<u8>, Error<T::Error>> {
        let mut bytes = Vec::new();
        loop {
            let have = bytes.len();
            // One more than is taken, so that a longer file shows.
            let more = STEP.min(limit.saturating_add(1).saturating_sub(have));
            bytes.resize(have.saturating_add(more), 0);
            let into = bytes.get_mut(have..).unwrap_or_default();
            let count = self.read_full_at(have as u64, into).await?;
            bytes.truncate(have.saturating_add(count));
            if bytes.len() > limit {
                return Err(Error::TooLong { limit });
            }
            if count < more {
                return Ok(bytes);
            }
        }
    }

    /// Writes all of `from`, from `offset` on.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if the host says that it took nothing, and whatever it or the transport says.
    pub async fn write_all_at(&self, offset: u64, from: &[u8]) -> Result<(), Error<T::Error>> {
        let (mut offset, mut from) = (offset, from);
        while !from.is_empty() {
            let len = from.len().min(self.client.max_data());
            let (now, _) = from.split_at(len);
            let count = u32::try_from(len).map_err(|_| Error::Malformed(Malformed::Count))?;
            let mut head = message::write(self.fid.number(), offset, count);
            let mut room = [0; SMALL];
            let exchange = self
                .client
                .transport()
                .exchange((&mut head, now), [&mut room, &mut []]);
            let answer = exchange.await.map_err(Error::Transport)?;
            let bytes = room.get(..answer).unwrap_or_default();
            let mut reader: Reader<'_> = body(kind::WRITE, bytes)?;
            let taken = reader.word().map_err(Error::Malformed)?;
            reader.end().map_err(Error::Malformed)?;
            if taken == 0 || taken > count {
                return Err(Error::Malformed(Malformed::Count));
            }
            offset = offset.saturating_add(taken.into());
            from = from
                .get(usize::try_from(taken).unwrap_or(usize::MAX)..)
                .unwrap_or_default();
        }
        Ok(())
    }

    /// Asks the host to bring what was written to its disk. That it did cannot be known.
    ///
    /// # Errors
    ///
    /// Whatever the host or the transport says.
    pub async fn sync(&self) -> Result<(), Error<T::Error>> {
        let request = message::sync(self.fid.number());
        self.client.done(kind::SYNC, request).await
    }

    /// Tells the host that it is closed.
    ///
    /// # Errors
    ///
    /// Those of the transport.
    pub async fn close(self) -> Result<(), Error<T::Error>> {
        self.client.clunk(self.fid).await
    }
}

/// Reads by one message of `kind` from the file of a number.
pub(crate) async fn read<T: Transport>(
    client: &Client<T>,
    (kind, fid): (u8, u32),
    offset: u64,
    into: &mut [u8],
) -> Result<usize, Error<T::Error>> {
    let len = into.len().min(client.max_data());
    let into = into.get_mut(..len).unwrap_or_default();
    let asked = u32::try_from(len).map_err(|_| Error::Malformed(Malformed::Count))?;
    let mut request = message::read(kind, fid, offset, asked);
    let mut head = [0; READ_HEAD];
    let exchange = client
        .transport()
        .exchange((&mut request, &[]), [&mut head, into]);
    let answer = exchange.await.map_err(Error::Transport)?;
    let bytes = head.get(..answer.min(READ_HEAD)).unwrap_or_default();
    let mut reader = body(kind, bytes)?;
    let count = reader.word().map_err(Error::Malformed)?;
    reader.end().map_err(Error::Malformed)?;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if count > len {
        return Err(Error::Malformed(Malformed::Count));
    }
    match answer.checked_sub(HEADER + 4) {
        Some(data) if data == count => Ok(count),
        _ => Err(Error::Malformed(Malformed::Length)),
    }
}
