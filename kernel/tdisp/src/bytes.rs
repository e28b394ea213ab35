//! Bytes from the front, as far as there are any.

/// Bytes that are not read yet. Clones read on their own.
#[derive(Clone, Copy, Debug)]
pub struct Bytes<'a>(&'a [u8]);

/// There were fewer bytes than something needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short;

impl<'a> Bytes<'a> {
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub const fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub fn take(&mut self, len: usize) -> Result<&'a [u8], Short> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Short)?;
        self.0 = rest;
        Ok(taken)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Short> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Short)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub fn u8(&mut self) -> Result<u8, Short> {
        self.array().map(u8::from_le_bytes)
    }

    pub fn u16(&mut self) -> Result<u16, Short> {
        self.array().map(u16::from_le_bytes)
    }

    pub fn u32(&mut self) -> Result<u32, Short> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, Short> {
        self.array().map(u64::from_le_bytes)
    }

    /// A length of three bytes.
    pub fn u24(&mut self) -> Result<usize, Short> {
        let [a, b, c] = self.array()?;
        Ok(usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16)
    }
}
