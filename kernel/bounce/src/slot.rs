//! A leased run of shared bytes.

use alloc::rc::Rc;
use core::ops::Range;

use crate::pool::Shared;
use crate::{Direction, Error, SharedIpa};

/// A leased run of shared bytes. Dropping it gives it back; the next owner finds it cleared.
///
/// A slot that a device may still write must not be dropped: keep it until the device was reset.
pub struct Slot {
    shared: Rc<Shared>,
    run: Range<usize>,
}

macro_rules! words {
    ($load:ident, $store:ident, $word:ty) => {
        #[doc = concat!("Loads the little-endian `", stringify!($word), "` at offset `at`, once.")]
        ///
        /// # Errors
        ///
        /// [`Error::OutOfBounds`], [`Error::Unaligned`].
        pub fn $load(&self, at: usize) -> Result<$word, Error> {
            self.shared
                .window
                .$load(self.inside(at, size_of::<$word>())?)
        }

        #[doc = concat!("Stores `value` as a little-endian `", stringify!($word), "` at `at`.")]
        ///
        /// # Errors
        ///
        /// [`Error::OutOfBounds`], [`Error::Unaligned`].
        pub fn $store(&self, at: usize, value: $word) -> Result<(), Error> {
            self.shared
                .window
                .$store(self.inside(at, size_of::<$word>())?, value)
        }
    };
}

impl Slot {
    pub(crate) fn new(shared: Rc<Shared>, run: Range<usize>) -> Self {
        Self { shared, run }
    }

    /// Bytes of the slot.
    pub fn len(&self) -> usize {
        self.run.len()
    }

    /// Whether the slot has no bytes; it always has some.
    pub fn is_empty(&self) -> bool {
        self.run.is_empty()
    }

    /// What a device is told for the byte at offset `at`.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`].
    pub fn address(&self, at: usize) -> Result<SharedIpa, Error> {
        self.shared.window.address(self.inside(at, 1)?)
    }

    /// Copies `bytes` out to the host, counted and traced.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`]; then nothing was copied.
    pub fn copy_out(&self, at: usize, bytes: &[u8]) -> Result<(), Error> {
        let start = self.inside(at, bytes.len())?;
        self.shared.window.copy_out(start, bytes)?;
        self.cross(start, bytes.len(), Direction::Out)
    }

    /// Copies bytes in from the host, counted and traced. They are a snapshot: check, then use.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`]; then nothing was copied.
    pub fn copy_in(&self, at: usize, into: &mut [u8]) -> Result<(), Error> {
        let start = self.inside(at, into.len())?;
        self.shared.window.copy_in(start, into)?;
        self.cross(start, into.len(), Direction::In)
    }

    /// Sets the whole slot to zero.
    pub fn clear(&self) {
        let cleared = self.shared.window.clear(self.run.start, self.run.len());
        debug_assert_eq!(cleared, Ok(()), "a slot lies inside its window");
    }

    /// Sets `len` bytes at `at` to zero: what a device may write next.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`]; then nothing was cleared.
    pub fn clear_range(&self, at: usize, len: usize) -> Result<(), Error> {
        let start = self.inside(at, len)?;
        self.shared.window.clear(start, len)
    }

    words!(load_u16, store_u16, u16);
    words!(load_u32, store_u32, u32);
    words!(load_u64, store_u64, u64);

    fn cross(&self, start: usize, size: usize, direction: Direction) -> Result<(), Error> {
        if size != 0 {
            self.shared
                .crossed(self.shared.window.address(start)?, size, direction);
        }
        Ok(())
    }

    /// The offset in the window of `len` bytes at `at` of the slot.
    fn inside(&self, at: usize, len: usize) -> Result<usize, Error> {
        match at.checked_add(len) {
            Some(end) if end <= self.run.len() => Ok(self.run.start + at),
            _ => Err(Error::OutOfBounds { at, len }),
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.shared.give_back(self.run.clone());
    }
}
