//! Bytes at an address, page by page.

use super::Error;
use crate::{GRANULE, PAGE};

/// Something that is loaded: bytes at an address, with zeros behind them up to a size.
#[derive(Clone, Copy, Debug)]
pub struct Blob<'a> {
    at: u64,
    bytes: &'a [u8],
    size: u64,
}

impl<'a> Blob<'a> {
    /// Puts `bytes` to address `at`. The pages at both ends are filled up with zeros.
    ///
    /// # Errors
    ///
    /// [`Error::DoesNotFit`] if it would pass the end of the address space.
    pub fn new(at: u64, bytes: &'a [u8]) -> Result<Self, Error> {
        Self::padded(at, bytes, bytes.len() as u64)
    }

    /// As [`Blob::new`], with zeros behind `bytes` up to `size` bytes.
    ///
    /// # Errors
    ///
    /// [`Error::DoesNotFit`] if it would pass the end of the address space.
    pub fn padded(at: u64, bytes: &'a [u8], size: u64) -> Result<Self, Error> {
        let size = size.max(bytes.len() as u64);
        at.checked_add(size)
            .and_then(|top| top.checked_next_multiple_of(GRANULE))
            .ok_or(Error::DoesNotFit { at, size })?;
        Ok(Self { at, bytes, size })
    }

    /// Where it begins; not always at a page.
    pub const fn at(&self) -> u64 {
        self.at
    }

    /// First page boundary behind it.
    pub const fn top(&self) -> u64 {
        (self.at + self.size).next_multiple_of(GRANULE)
    }

    /// Checks that it lies in `[base, top)`.
    pub(super) fn within(self, base: u64, top: u64) -> Result<Self, Error> {
        if self.at < base || self.top() > top {
            return Err(Error::DoesNotFit {
                at: self.at,
                size: self.size,
            });
        }
        Ok(self)
    }

    /// Its pages, ascending.
    pub const fn pages(&self) -> Pages<'a> {
        Pages {
            next: self.at - self.at % GRANULE,
            blob: *self,
        }
    }
}

/// The pages of a [`Blob`].
#[derive(Clone, Debug)]
pub struct Pages<'a> {
    next: u64,
    blob: Blob<'a>,
}

/// One page: zeros, then bytes, then zeros up to the page's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page<'a> {
    /// Its address.
    pub ipa: u64,
    /// Zero bytes in front.
    pub skip: usize,
    /// The bytes behind them.
    pub bytes: &'a [u8],
}

impl<'a> Iterator for Pages<'a> {
    type Item = Page<'a>;

    fn next(&mut self) -> Option<Page<'a>> {
        if self.next >= self.blob.top() {
            return None;
        }
        let ipa = self.next;
        self.next += GRANULE;
        let skip = usize::try_from(self.blob.at.saturating_sub(ipa)).ok()?;
        let from = usize::try_from(ipa.saturating_sub(self.blob.at)).ok()?;
        let rest = self.blob.bytes.get(from..).unwrap_or_default();
        let bytes = rest.get(..PAGE - skip).unwrap_or(rest);
        Some(Page { ipa, skip, bytes })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::vec::Vec;

    #[test]
    fn pages_start_with_zeros_where_the_blob_is_not_aligned() {
        let bytes: Vec<u8> = (0..5000_u32).map(|byte| byte.to_le_bytes()[0]).collect();
        let blob = Blob::new(0x1ffc, &bytes).unwrap();
        let pages: Vec<Page<'_>> = blob.pages().collect();
        assert_eq!(pages.len(), 3);
        assert_eq!((pages[0].ipa, pages[0].skip), (0x1000, 0xffc));
        assert_eq!(pages[0].bytes, &bytes[..4]);
        assert_eq!((pages[1].ipa, pages[1].skip), (0x2000, 0));
        assert_eq!(pages[1].bytes, &bytes[4..4100]);
        assert_eq!(pages[2].bytes, &bytes[4100..]);
    }

    #[test]
    fn padding_makes_empty_pages() {
        let blob = Blob::padded(0x4000, &[1, 2], 0x3000).unwrap();
        let lengths: Vec<usize> = blob.pages().map(|page| page.bytes.len()).collect();
        assert_eq!(lengths, [2, 0, 0]);
    }

    #[test]
    fn the_end_of_the_address_space_is_an_error() {
        let at = u64::MAX - 10;
        assert_eq!(
            Blob::new(at, &[0; 11]).unwrap_err(),
            Error::DoesNotFit { at, size: 11 }
        );
    }
}
