//! From the network to the disk, and back from the disk.

use airlock::{BlockDevice, Buffer, Disk, SECTOR_SIZE};
use embassy_futures::join::join;
use embedded_io_async::Read;
use http::Response;
use sha2::{Digest as _, Sha256};

use crate::digest::Digest;
use crate::error::Error;

/// Bytes that are on their way at once, twice: while one half is written, the other is filled.
const CHUNK: usize = 128 * 1024;

/// Writes the body to the disk from sector 0 on, and flushes. Says how long it is, and its digest.
pub async fn receive<S>(response: &mut Response<S>, disk: &Disk) -> Result<(u64, Digest), Error>
where
    S: Read<Error = airlock::NetworkError>,
{
    let room = disk.capacity().saturating_mul(SECTOR_SIZE as u64);
    let (mut hash, mut len) = (Sha256::new(), 0);
    let mut next = disk.buffer(CHUNK)?;
    let mut spare = None;
    let mut got = fill(response, next.bytes_mut()).await?;
    while got != 0 {
        hash.update(next.bytes().get(..got).unwrap_or_default());
        let sector = len / SECTOR_SIZE as u64;
        len += got as u64;
        if len > room {
            return Err(Error::TooLong { room });
        }
        let full = match got {
            CHUNK => core::mem::replace(&mut next, take(&mut spare, disk)?),
            _ => tail(&next, got, disk)?,
        };
        let writing = disk.write_owned(sector, full);
        let (written, filled) = join(writing, fill(response, next.bytes_mut())).await;
        written.result?;
        spare = written.buffer.filter(|buffer| buffer.len() == CHUNK);
        got = filled?;
    }
    if len == 0 {
        return Err(Error::Empty);
    }
    disk.flush().await?;
    Ok((len, Digest::new(hash)))
}

/// The buffer that came back, or a new one.
fn take(spare: &mut Option<Buffer>, disk: &Disk) -> Result<Buffer, Error> {
    match spare.take() {
        Some(buffer) => Ok(buffer),
        None => Ok(disk.buffer(CHUNK)?),
    }
}

/// The first `len` bytes of `chunk`, filled up with zeros to whole sectors.
fn tail(chunk: &Buffer, len: usize, disk: &Disk) -> Result<Buffer, Error> {
    let mut tail = disk.buffer(len.next_multiple_of(SECTOR_SIZE))?;
    for (to, from) in tail.bytes_mut().iter_mut().zip(chunk.bytes()).take(len) {
        *to = *from;
    }
    Ok(tail)
}

/// Fills `into` as far as the body goes; says how far.
async fn fill<S>(response: &mut Response<S>, into: &mut [u8]) -> Result<usize, Error>
where
    S: Read<Error = airlock::NetworkError>,
{
    let mut at = 0;
    while let Some(rest) = into.get_mut(at..).filter(|rest| !rest.is_empty()) {
        match response.read(rest).await? {
            0 => break,
            read => at += read,
        }
    }
    Ok(at)
}

/// Reads `len` bytes from sector 0 on, and gives their digest.
pub async fn read_back(disk: &Disk, len: u64) -> Result<Digest, Error> {
    let mut hash = Sha256::new();
    let mut spare = None;
    let mut at = 0;
    while at < len {
        let wanted = usize::try_from(len - at).unwrap_or(CHUNK).min(CHUNK);
        let chunk = match wanted {
            CHUNK => take(&mut spare, disk)?,
            _ => disk.buffer(wanted.next_multiple_of(SECTOR_SIZE))?,
        };
        let read = disk.read_owned(at / SECTOR_SIZE as u64, chunk).await;
        read.result?;
        let bytes = read
            .buffer
            .as_ref()
            .and_then(|chunk| chunk.bytes().get(..wanted));
        hash.update(bytes.unwrap_or_default());
        spare = read.buffer;
        at += wanted as u64;
    }
    Ok(Digest::new(hash))
}
