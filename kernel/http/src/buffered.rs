//! A stream that remembers what was read too far.

use alloc::vec::Vec;

use embedded_io_async::Read;

use crate::{Error, MAX_HEAD};

/// Bytes that are read at once when more are needed.
const STEP: usize = 1024;

/// A stream, and bytes of it that nobody has taken yet.
pub(crate) struct Buffered<S> {
    stream: S,
    pending: Vec<u8>,
    taken: usize,
}

impl<S: Read> Buffered<S> {
    pub const fn new(stream: S) -> Self {
        Self {
            stream,
            pending: Vec::new(),
            taken: 0,
        }
    }

    /// What was read and not taken.
    pub fn pending(&self) -> &[u8] {
        self.pending.get(self.taken..).unwrap_or_default()
    }

    /// Takes `len` of the pending bytes away.
    pub fn take(&mut self, len: usize) {
        self.taken = self.taken.saturating_add(len).min(self.pending.len());
        if self.taken == self.pending.len() {
            self.pending.clear();
            self.taken = 0;
        }
    }

    /// Adds to the pending bytes. `false` is the end of the stream.
    pub async fn fill(&mut self) -> Result<bool, Error<S::Error>> {
        self.pending.drain(..self.taken);
        self.taken = 0;
        let known = self.pending.len();
        if known >= MAX_HEAD {
            return Err(Error::HeadTooLong);
        }
        self.pending.resize((known + STEP).min(MAX_HEAD), 0);
        let room = self.pending.get_mut(known..).unwrap_or_default();
        let room_len = room.len();
        let read = self.stream.read(room).await;
        let len = read.as_ref().map_or(0, |len| (*len).min(room_len));
        self.pending.truncate(known + len);
        read.map(|len| len > 0).map_err(Error::Stream)
    }

    /// Reads a part of a body: pending bytes first, then straight from the stream. 0 is the end.
    pub async fn read(&mut self, into: &mut [u8]) -> Result<usize, Error<S::Error>> {
        let pending = self.pending();
        if pending.is_empty() {
            return self.stream.read(into).await.map_err(Error::Stream);
        }
        let len = pending.len().min(into.len());
        for (to, from) in into.iter_mut().zip(pending) {
            *to = *from;
        }
        self.take(len);
        Ok(len)
    }

    /// Takes one line of at most `limit` bytes, without its end. `Ok(None)` is a line that is too
    /// long, or the end of the stream.
    pub async fn line(&mut self, limit: usize) -> Result<Option<Vec<u8>>, Error<S::Error>> {
        loop {
            if let Some(len) = self.pending().iter().position(|byte| *byte == b'\n') {
                let line = self.pending().get(..len).unwrap_or_default();
                let line = line.strip_suffix(b"\r").unwrap_or(line).to_vec();
                self.take(len + 1);
                return Ok((line.len() <= limit).then_some(line));
            }
            // One more than the limit may be the first half of the end.
            if self.pending().len() > limit.saturating_add(1) || !self.fill().await? {
                return Ok(None);
            }
        }
    }
}
