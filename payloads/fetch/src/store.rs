//! From the network to the disk, and back from the disk.

use alloc::vec;
use alloc::vec::Vec;

use airlock::{BlockDevice, Disk, SECTOR_SIZE};
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
    let mut full = Vec::new();
    let mut next = vec![0; CHUNK];
    let mut got = fill(response, &mut next).await?;
    while got != 0 {
        core::mem::swap(&mut full, &mut next);
        full.truncate(got);
        hash.update(&full);
        let sector = len / SECTOR_SIZE as u64;
        len += got as u64;
        if len > room {
            return Err(Error::TooLong { room });
        }
        full.resize(got.next_multiple_of(SECTOR_SIZE), 0);
        next.resize(CHUNK, 0);
        let (written, filled) = join(disk.write(sector, &full), fill(response, &mut next)).await;
        written?;
        got = filled?;
    }
    if len == 0 {
        return Err(Error::Empty);
    }
    disk.flush().await?;
    Ok((len, Digest::new(hash)))
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
    let mut chunk = vec![0; CHUNK];
    let mut at = 0;
    while at < len {
        let wanted = usize::try_from(len - at).unwrap_or(CHUNK).min(CHUNK);
        chunk.resize(wanted.next_multiple_of(SECTOR_SIZE), 0);
        disk.read(at / SECTOR_SIZE as u64, &mut chunk).await?;
        hash.update(chunk.get(..wanted).unwrap_or_default());
        at += wanted as u64;
    }
    Ok(Digest::new(hash))
}
