//! Bodies in chunks.

use embedded_io_async::Read;

use crate::{Error, MAX_HEAD, buffered::Buffered};

/// Most bytes of the line before a chunk, its extensions included.
const MAX_CHUNK_LINE: usize = 256;

/// Where in a chunked body we are.
///
/// Ref: RFC 9112, 7.1 "Chunked Transfer Coding".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chunked {
    /// Before the first chunk.
    Start,
    /// This many bytes before the end of a chunk.
    Inside(u64),
    /// Behind the last chunk and its trailers.
    Done,
}

impl Chunked {
    /// Reads a part of the body. 0 is its end.
    pub async fn read<S: Read>(
        &mut self,
        from: &mut Buffered<S>,
        into: &mut [u8],
    ) -> Result<usize, Error<S::Error>> {
        if matches!(self, Self::Start | Self::Inside(0)) {
            self.next_chunk(from).await?;
        }
        let Self::Inside(left) = self else {
            return Ok(0);
        };
        let limit = usize::try_from(*left).unwrap_or(usize::MAX).min(into.len());
        let room = into.get_mut(..limit).unwrap_or_default();
        let len = from.read(room).await?;
        if len == 0 {
            return Err(Error::Truncated);
        }
        *left = left.saturating_sub(len as u64);
        Ok(len)
    }

    async fn next_chunk<S: Read>(&mut self, from: &mut Buffered<S>) -> Result<(), Error<S::Error>> {
        if *self == Self::Inside(0) {
            let end = from.line(0).await?;
            end.ok_or(Error::BadChunk)?;
        }
        let line = from.line(MAX_CHUNK_LINE).await?.ok_or(Error::BadChunk)?;
        *self = match chunk_size(&line).ok_or(Error::BadChunk)? {
            0 => {
                skip_trailers(from).await?;
                Self::Done
            }
            size => Self::Inside(size),
        };
        Ok(())
    }
}

/// The hexadecimal number that starts the line before a chunk. Extensions are ignored.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let end = line.iter().position(|byte| *byte == b';');
    let digits = line.get(..end.unwrap_or(line.len()))?.trim_ascii_end();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u64::from_str_radix(core::str::from_utf8(digits).ok()?, 16).ok()
}

async fn skip_trailers<S: Read>(from: &mut Buffered<S>) -> Result<(), Error<S::Error>> {
    let mut room = MAX_HEAD;
    loop {
        let line = from
            .line(room.saturating_sub(2))
            .await?
            .ok_or(Error::BadChunk)?;
        if line.is_empty() {
            return Ok(());
        }
        room = room.saturating_sub(line.len() + 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_hexadecimal_and_may_have_extensions() {
        assert_eq!(chunk_size(b"1aF"), Some(0x1af));
        assert_eq!(chunk_size(b"10 ; name=value"), Some(16));
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for line in ["", ";", "+1", "0x10", "1 2", "-1", "11111111111111111"] {
            assert_eq!(chunk_size(line.as_bytes()), None, "{line}");
        }
    }
}
