//! The only loads and stores of memory that devices reach.
//!
//! The host, or a device, may change every byte here at any moment, so there is never a reference to it: words
//! are relaxed atomics, and bytes are copied once, out or in. Relaxed accesses are in no order of
//! their own: whoever speaks with a device puts barriers between them.
// UNSAFETY: raw access to memory that the host reads and writes.
#![expect(unsafe_code, reason = "shared memory has no safe type")]

mod copy;

use core::marker::PhantomData;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};

use untrusted::Untrusted;

use crate::{DeviceAddress, Error, Shared, World};

/// One contiguous run of memory of one world.
#[derive(Debug)]
pub struct Window<W: World = Shared> {
    base: NonNull<u8>,
    len: usize,
    told: u64,
    world: PhantomData<W>,
}

macro_rules! words {
    ($load:ident, $store:ident, $word:ty, $atomic:ty) => {
        #[doc = concat!("Loads the little-endian `", stringify!($word), "` at offset `at`, once.")]
        ///
        /// # Errors
        ///
        /// [`Error::OutOfBounds`], [`Error::Unaligned`].
        pub fn $load(&self, at: usize) -> Result<Untrusted<$word>, Error> {
            let word = self.word(at, size_of::<$word>())?.cast::<$atomic>();
            // SAFETY: `word` checked that these bytes lie inside the window and are aligned; `new`
            // was promised that they stay valid and are accessed by atomics only. The reference
            // is to an atomic and lives for this expression.
            let value = unsafe { word.as_ref() }.load(Ordering::Relaxed);
            Ok(Untrusted::from_host(<$word>::from_le(value)))
        }

        #[doc = concat!("Stores `value` as a little-endian `", stringify!($word), "` at `at`.")]
        ///
        /// # Errors
        ///
        /// [`Error::OutOfBounds`], [`Error::Unaligned`].
        pub fn $store(&self, at: usize, value: $word) -> Result<(), Error> {
            let word = self.word(at, size_of::<$word>())?.cast::<$atomic>();
            // SAFETY: as for the load above.
            unsafe { word.as_ref() }.store(value.to_le(), Ordering::Relaxed);
            Ok(())
        }
    };
}

impl<W: World> Window<W> {
    /// Takes `len` bytes at `base`, which devices are told as `told` onwards.
    ///
    /// # Panics
    ///
    /// If the addresses that devices are told would wrap. They are ours to choose.
    ///
    /// # Safety
    ///
    /// For the life of the program the bytes are mapped as Normal memory, readable and writable, are
    /// of the window's world (in a realm: shared with the host, or not), are accessed through this
    /// window only, or by atomics, as far as this program is concerned, and `base` is aligned to 8.
    /// Private bytes that no device has may be referred to by a [`crate::Buffer`]: whoever promises
    /// that a device is trusted promises that it writes nothing but what it was lent.
    pub unsafe fn new(base: NonNull<u8>, len: usize, told: u64) -> Self {
        let top = told.checked_add(len as u64);
        assert!(
            top.is_some(),
            "addresses that devices are told must not wrap"
        );
        Self {
            base,
            len,
            told,
            world: PhantomData,
        }
    }

    /// Bytes in the window.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing in it.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What a device is told for the byte at offset `at`.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`].
    pub fn address(&self, at: usize) -> Result<DeviceAddress<W>, Error> {
        self.check(at, 1)?;
        Ok(DeviceAddress::new(self.told + at as u64))
    }

    /// The first offset from `at` on that devices are told as a multiple of `align`.
    pub(crate) fn next_aligned(&self, at: usize, align: usize) -> Option<usize> {
        let told = self.told.checked_add(at as u64)?;
        let aligned = told.checked_next_multiple_of(align as u64)?;
        usize::try_from(aligned - self.told).ok()
    }

    words!(load_u16, store_u16, u16, AtomicU16);
    words!(load_u32, store_u32, u32, AtomicU32);
    words!(load_u64, store_u64, u64, AtomicU64);

    /// Copies `bytes` out to the host, each byte stored once.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`]; then nothing was copied.
    pub fn copy_out(&self, at: usize, bytes: &[u8]) -> Result<(), Error> {
        let to = self.bytes(at, bytes.len())?;
        // SAFETY: `bytes` checked that the range lies inside the window; `new` was promised that
        // it is mapped, and accessed by atomics only.
        unsafe { copy::copy_out(bytes, to) };
        Ok(())
    }

    /// Copies bytes in from the host, each byte loaded once.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`]; then nothing was copied.
    pub fn copy_in<'b>(
        &self,
        at: usize,
        into: &'b mut [u8],
    ) -> Result<Untrusted<&'b mut [u8]>, Error> {
        let from = self.bytes(at, into.len())?;
        // SAFETY: as for `copy_out`.
        unsafe { copy::fetch(from, into) };
        Ok(Untrusted::from_host(into))
    }

    /// Sets `len` bytes at `at` to zero.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`]; then nothing was cleared.
    pub fn clear(&self, at: usize, len: usize) -> Result<(), Error> {
        let bytes = self.bytes(at, len)?;
        // SAFETY: as for `copy_out`.
        unsafe { copy::clear(bytes, len) };
        Ok(())
    }

    /// Where the byte at offset `at` is in our own memory; the end of the window for what is behind.
    pub(crate) fn place(&self, at: usize) -> NonNull<u8> {
        // SAFETY: the offset is kept inside, or right behind, the bytes that `new` was promised.
        unsafe { self.base.add(at.min(self.len)) }
    }

    /// Checks that `len` bytes at `at` lie inside.
    const fn check(&self, at: usize, len: usize) -> Result<(), Error> {
        match at.checked_add(len) {
            Some(end) if end <= self.len => Ok(()),
            _ => Err(Error::OutOfBounds { at, len }),
        }
    }

    /// The place of `len` bytes at `at`.
    fn bytes(&self, at: usize, len: usize) -> Result<NonNull<u8>, Error> {
        self.check(at, len)?;
        // SAFETY: `check` keeps `at` inside, or right behind, the bytes that `new` was promised.
        Ok(unsafe { self.base.add(at) })
    }

    /// The place of a word of `size` bytes at `at`.
    fn word(&self, at: usize, size: usize) -> Result<NonNull<u8>, Error> {
        let word = self.bytes(at, size)?;
        if !at.is_multiple_of(size) {
            return Err(Error::Unaligned { at });
        }
        Ok(word)
    }
}
