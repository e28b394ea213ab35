//! Numbers of one or two cells, one after the other.

/// What is left of a property of big-endian cells of four bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cells<'a>(&'a [u8]);

impl<'a> Cells<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Takes one cell.
    pub(crate) fn cell(&mut self) -> Option<u32> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*first))
    }

    /// Takes a number of `cells` cells, at most two; none of them is 0.
    pub(crate) fn number(&mut self, cells: u32) -> Option<u64> {
        if cells > 2 {
            return None;
        }
        (0..cells).try_fold(0, |number, _| Some(number << 32 | u64::from(self.cell()?)))
    }
}
