//! A leased run of bytes that a device reaches.

use alloc::rc::Rc;
use core::cell::Cell;
use core::ops::Range;
use core::ptr::NonNull;

use untrusted::Untrusted;

use crate::pool::Owner;
use crate::{DeviceAddress, Direction, Error, Label, Parts, Pool, Purpose, Shared, Spacing, World};

/// A leased run of bytes that a device reaches. Dropping it gives it back; the next owner finds it cleared.
///
/// A slot that a device may still write must not be dropped: keep it until the device was reset.
pub struct Slot<W: World = Shared> {
    owner: Rc<Owner<W>>,
    /// Everything that was leased; the slot may be shorter.
    run: Range<usize>,
    len: usize,
    /// Bytes from the start that may hold what was copied out and not cleared since.
    filled: Cell<usize>,
    /// What copies are noted with.
    label: Cell<Label>,
}

macro_rules! words {
    ($load:ident, $store:ident, $word:ty) => {
        #[doc = concat!("Loads the little-endian `", stringify!($word), "` at offset `at`, once.")]
        ///
        /// # Errors
        ///
        /// [`Error::OutOfBounds`], [`Error::Unaligned`].
        pub fn $load(&self, at: usize) -> Result<Untrusted<$word>, Error> {
            self.owner.note_load();
            self.owner
                .window
                .$load(self.inside(at, size_of::<$word>())?)
        }

        #[doc = concat!("Stores `value` as a little-endian `", stringify!($word), "` at `at`.")]
        ///
        /// # Errors
        ///
        /// [`Error::OutOfBounds`], [`Error::Unaligned`].
        pub fn $store(&self, at: usize, value: $word) -> Result<(), Error> {
            self.owner
                .window
                .$store(self.inside(at, size_of::<$word>())?, value)
        }
    };
}

impl<W: World> Slot<W> {
    pub(crate) fn new(owner: Rc<Owner<W>>, run: Range<usize>, len: usize) -> Self {
        Self {
            owner,
            run,
            len,
            filled: Cell::new(0),
            label: Cell::new(Label::default()),
        }
    }

    /// Whether it was leased from `pool`.
    pub fn is_of(&self, pool: &Pool<W>) -> bool {
        pool.owns(&self.owner)
    }

    /// Says what is copied from now on: for `queue` of the device, as number `slot` there, and what for.
    /// The trace says so.
    pub fn label(&self, queue: u16, slot: u16, purpose: Purpose) {
        self.label.set(Label {
            queue: u8::try_from(queue).unwrap_or(u8::MAX),
            slot,
            purpose,
        });
    }

    /// Says what is copied from now on, for the same queue as before.
    pub fn purpose(&self, purpose: Purpose) {
        self.label.set(Label {
            purpose,
            ..self.label.get()
        });
    }

    /// Bytes of the slot.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the slot has no bytes; it always has some.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What a device is told for the byte at offset `at`.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`].
    pub fn address(&self, at: usize) -> Result<DeviceAddress<W>, Error> {
        self.owner.window.address(self.inside(at, 1)?)
    }

    /// Copies `bytes` out to the device, counted and traced.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`]; then nothing was copied.
    pub fn copy_out(&self, at: usize, bytes: &[u8]) -> Result<(), Error> {
        let start = self.inside(at, bytes.len())?;
        self.owner.window.copy_out(start, bytes)?;
        self.filled.set(self.filled.get().max(at + bytes.len()));
        self.cross(start, bytes.len(), Direction::Out);
        Ok(())
    }

    /// Makes the slot ready to be lent with `len` bytes of content: what was copied out behind them,
    /// for an earlier loan, is cleared where slots are kept apart ([`Spacing::Strict`]).
    /// Elsewhere it stays: the device has seen it.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`] if the slot has no `len` bytes.
    pub fn seal(&self, len: usize) -> Result<(), Error> {
        self.inside(0, len)?;
        let behind = self.filled.get().saturating_sub(len);
        if behind != 0 && self.owner.spacing == Spacing::Strict {
            self.clear_range(len, behind)?;
            self.filled.set(len);
        }
        Ok(())
    }

    /// Sets `len` bytes at `at`, which lie behind the content of a loan, to zero where slots are kept
    /// apart ([`Spacing::Strict`]). Elsewhere they stay: the device has seen them.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`]; then nothing was cleared.
    pub fn clear_gap(&self, at: usize, len: usize) -> Result<(), Error> {
        match self.owner.spacing {
            Spacing::Strict => self.clear_range(at, len),
            Spacing::Packed => self.inside(at, len).map(|_| ()),
        }
    }

    /// Copies bytes in from the device, counted and traced. They are a snapshot: check, then use.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`]; then nothing was copied.
    pub fn copy_in<'b>(
        &self,
        at: usize,
        into: &'b mut [u8],
    ) -> Result<Untrusted<&'b mut [u8]>, Error> {
        let (start, len) = (self.inside(at, into.len())?, into.len());
        let bytes = self.owner.window.copy_in(start, into)?;
        self.cross(start, len, Direction::In);
        Ok(bytes)
    }

    /// Copies bytes at `at` in from the device, as part of what [`Self::note`] counts and traces together: a frame may
    /// lie in many slots. Where each copy is traced, it is noted at once.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`]; then nothing was copied.
    pub fn copy_in_part<'b>(
        &self,
        at: usize,
        into: &'b mut [u8],
        parts: &mut Parts,
    ) -> Result<Untrusted<&'b mut [u8]>, Error> {
        if self.owner.tells_copies() {
            return self.copy_in(at, into);
        }
        let (start, len) = (self.inside(at, into.len())?, into.len());
        let bytes = self.owner.window.copy_in(start, into)?;
        parts.bytes += len;
        parts.copies += 1;
        Ok(bytes)
    }

    /// Counts and traces what was copied in by parts, of which the first began at `at` of this slot.
    pub fn note(&self, at: usize, parts: Parts) {
        if parts.copies != 0 {
            let (start, label) = (self.run.start + at, self.label.get());
            self.owner.crossed(start, parts, Direction::In, label);
        }
    }

    /// Copies a structure of `N` bytes in, counted and traced.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`].
    pub fn snapshot<const N: usize>(&self, at: usize) -> Result<Untrusted<[u8; N]>, Error> {
        let mut parts = Parts::default();
        let bytes = self.snapshot_part(at, &mut parts)?;
        self.note(at, parts);
        Ok(bytes)
    }

    /// Copies a structure of `N` bytes in, as [`Self::copy_in_part`] does.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`].
    pub fn snapshot_part<const N: usize>(
        &self,
        at: usize,
        parts: &mut Parts,
    ) -> Result<Untrusted<[u8; N]>, Error> {
        let mut bytes = [0; N];
        self.copy_in_part(at, &mut bytes, parts)?
            .opaque("marked again below");
        Ok(Untrusted::from_host(bytes))
    }

    /// Sets the whole slot to zero.
    pub fn clear(&self) {
        let cleared = self.owner.window.clear(self.run.start, self.run.len());
        debug_assert_eq!(cleared, Ok(()), "a slot lies inside its window");
        self.filled.set(0);
    }

    /// Sets `len` bytes at `at` to zero: what a device may write next.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`]; then nothing was cleared.
    pub fn clear_range(&self, at: usize, len: usize) -> Result<(), Error> {
        let start = self.inside(at, len)?;
        self.owner.window.clear(start, len)
    }

    words!(load_u16, store_u16, u16);
    words!(load_u32, store_u32, u32);
    words!(load_u64, store_u64, u64);

    /// The place of the slot in our own memory.
    pub(crate) fn memory(&self) -> NonNull<[u8]> {
        let first = self.owner.window.place(self.run.start);
        NonNull::slice_from_raw_parts(first, self.len)
    }

    fn cross(&self, start: usize, bytes: usize, direction: Direction) {
        if bytes != 0 {
            let one = Parts { bytes, copies: 1 };
            self.owner.crossed(start, one, direction, self.label.get());
        }
    }

    /// The offset in the window of `len` bytes at `at` of the slot.
    fn inside(&self, at: usize, len: usize) -> Result<usize, Error> {
        match at.checked_add(len) {
            Some(end) if end <= self.len => Ok(self.run.start + at),
            _ => Err(Error::OutOfBounds { at, len }),
        }
    }
}

impl<W: World> Drop for Slot<W> {
    fn drop(&mut self) {
        self.owner.give_back(self.run.clone());
    }
}
