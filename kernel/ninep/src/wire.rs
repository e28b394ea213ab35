//! Fields of messages: little-endian numbers, and texts with their length in front.

use alloc::vec::Vec;

use crate::Malformed;

/// Bytes in front of every message: size, kind, tag.
pub(crate) const HEADER: usize = 7;

/// A message that is being written.
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    /// A message of `kind`; the transport gives it a tag.
    pub(crate) fn new(kind: u8) -> Self {
        let mut bytes = Vec::with_capacity(64);
        bytes.extend_from_slice(&[0, 0, 0, 0, kind, 0, 0]);
        Self(bytes)
    }

    pub(crate) fn half(mut self, value: u16) -> Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub(crate) fn word(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub(crate) fn long(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// A text of ours: a name that was checked, or a constant.
    pub(crate) fn text(self, value: &str) -> Self {
        let len = value.len().min(usize::from(u16::MAX));
        let mut writer = self.half(u16::try_from(len).unwrap_or(u16::MAX));
        writer.0.extend(value.bytes().take(len));
        writer
    }

    /// The message, which `more` bytes follow.
    pub(crate) fn finish(mut self, more: usize) -> Vec<u8> {
        let size = u32::try_from(self.0.len().saturating_add(more)).unwrap_or(u32::MAX);
        if let Some(place) = self.0.first_chunk_mut::<4>() {
            *place = size.to_le_bytes();
        }
        self.0
    }
}

/// A message of the host, copied to private memory, that is being read.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next `N` bytes.
    pub(crate) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (now, later) = self.0.split_first_chunk().ok_or(Malformed::Length)?;
        self.0 = later;
        Ok(*now)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Malformed> {
        self.bytes().map(|[byte]| byte)
    }

    pub(crate) fn half(&mut self) -> Result<u16, Malformed> {
        self.bytes().map(u16::from_le_bytes)
    }

    pub(crate) fn word(&mut self) -> Result<u32, Malformed> {
        self.bytes().map(u32::from_le_bytes)
    }

    pub(crate) fn long(&mut self) -> Result<u64, Malformed> {
        self.bytes().map(u64::from_le_bytes)
    }

    /// The next text, as bytes.
    pub(crate) fn text(&mut self) -> Result<&'a [u8], Malformed> {
        let len = usize::from(self.half()?);
        let (now, later) = self.0.split_at_checked(len).ok_or(Malformed::Length)?;
        self.0 = later;
        Ok(now)
    }

    /// Nothing may be left.
    pub(crate) fn end(self) -> Result<(), Malformed> {
        match self.is_empty() {
            true => Ok(()),
            false => Err(Malformed::Length),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let bytes = Writer::new(100)
            .half(2)
            .word(3)
            .long(4)
            .text("five")
            .finish(10);
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.word(), Ok(7 + 2 + 4 + 8 + 6 + 10));
        assert_eq!((reader.byte(), reader.half()), (Ok(100), Ok(0)));
        assert_eq!(
            (reader.half(), reader.word(), reader.long()),
            (Ok(2), Ok(3), Ok(4))
        );
        assert_eq!(reader.text(), Ok(&b"five"[..]));
        assert_eq!(reader.end(), Ok(()));
    }

    #[test]
    fn a_message_that_ends_early_is_an_error_at_each_field() {
        assert_eq!(Reader::new(&[1]).half(), Err(Malformed::Length));
        assert_eq!(Reader::new(&[1, 2, 3]).word(), Err(Malformed::Length));
        assert_eq!(Reader::new(&[4, 0, b'a']).text(), Err(Malformed::Length));
        assert_eq!(Reader::new(&[0]).end(), Err(Malformed::Length));
    }
}
