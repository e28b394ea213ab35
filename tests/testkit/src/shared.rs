//! Pages that a realm and its host share, and the host's view of them.
// UNSAFETY: makes a window, and reads and writes the bytes behind it as a host does.
#![expect(unsafe_code, reason = "shared memory has no safe type")]

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use bounce::{Private, Window, World};

/// What the host left in the pages before they were shared.
const LEFTOVER: u64 = u64::from_ne_bytes([0xa5; 8]);

/// Bytes of the longest word.
const WORD: u64 = 8;
/// Whether long runs are copied by such words.
const BY_WORDS: bool = !cfg!(miri);

/// A granule, aligned as one.
#[derive(Debug)]
#[repr(C, align(4096))]
struct Page([AtomicU64; 512]);

/// The host's view of shared pages. Clones are the same pages, and may be used by other threads.
/// Addresses are those that devices are told.
#[derive(Clone, Debug)]
pub struct HostMemory {
    pages: &'static [Page],
    told: u64,
}

/// Pages that were given back. A window is for ever, so pages are never freed; a fuzzer, which makes
/// thousands of machines, would run out of memory.
static SPARE: Mutex<Vec<&'static [Page]>> = Mutex::new(Vec::new());

/// Shares `pages` pages of 4096 bytes, which devices are told as `told` onwards; they are full of
/// what the host left there. Like a realm's, they are shared for ever.
pub fn shared_memory(pages: usize, told: u64) -> (Window, HostMemory) {
    memory(pages, told)
}

/// The same for pages that a realm shares with nobody but a device that it trusts, whose view this
/// is.
pub fn private_memory(pages: usize, told: u64) -> (Window<Private>, HostMemory) {
    memory(pages, told)
}

fn memory<W: World>(pages: usize, told: u64) -> (Window<W>, HostMemory) {
    let pages = spare(pages).unwrap_or_else(|| {
        let page = || Page([const { AtomicU64::new(LEFTOVER) }; 512]);
        Vec::leak((0..pages).map(|_| page()).collect())
    });
    let host = HostMemory { pages, told };
    let base = NonNull::from(pages).cast();
    // SAFETY: the pages were leaked, so they live as long as the program; they are atomics, and
    // only windows and the host's view touch them, by atomics; a page is aligned to 4096.
    let window = unsafe { Window::new(base, host.len(), told) };
    (window, host)
}

/// Pages that were given back, as many as asked for, and as the host leaves them.
fn spare(pages: usize) -> Option<&'static [Page]> {
    let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
    let found = spare.iter().position(|run| run.len() == pages)?;
    let run = spare.swap_remove(found);
    for word in run.iter().flat_map(|page| &page.0) {
        word.store(LEFTOVER, Ordering::Relaxed);
    }
    Some(run)
}

macro_rules! words {
    ($load:ident, $store:ident, $word:ty, $atomic:ty) => {
        #[doc = concat!("Loads the little-endian `", stringify!($word), "` at `address`.")]
        pub fn $load(&self, address: u64) -> $word {
            let at = self.at(address, size_of::<$word>()).cast::<$atomic>();
            // SAFETY: `at` checked that the word lies inside the pages, which live for ever.
            let word = unsafe { at.as_ref() };
            <$word>::from_le(word.load(Ordering::Relaxed))
        }

        #[doc = concat!("Stores a little-endian `", stringify!($word), "` at `address`.")]
        pub fn $store(&self, address: u64, value: $word) {
            let at = self.at(address, size_of::<$word>()).cast::<$atomic>();
            // SAFETY: as for the load.
            let word = unsafe { at.as_ref() };
            word.store(value.to_le(), Ordering::Relaxed);
        }
    };
}

impl HostMemory {
    words!(load_u8, store_u8, u8, AtomicU8);
    words!(load_u16, store_u16, u16, AtomicU16);
    words!(load_u32, store_u32, u32, AtomicU32);
    words!(load_u64, store_u64, u64, AtomicU64);

    /// What devices are told for the first byte.
    pub const fn told(&self) -> u64 {
        self.told
    }

    /// Bytes.
    pub const fn len(&self) -> usize {
        size_of_val(self.pages)
    }

    /// Whether there are no pages.
    pub const fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Whether `len` bytes at `address` are shared.
    pub fn holds(&self, address: u64, len: usize) -> bool {
        let end = address.checked_add(len as u64);
        address >= self.told && end.is_some_and(|end| end <= self.told + self.len() as u64)
    }

    /// Gives the pages back for the next machine. Whoever still uses the window over them shares
    /// them with that machine.
    pub fn give_back(&self) {
        let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
        spare.push(self.pages);
    }

    /// Copies `len` bytes at `address`: by words where they are whole, because fuzzers do so often. Miri
    /// cannot judge a race between sizes, so there it goes by bytes.
    pub fn read(&self, address: u64, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len);
        let end = address + len as u64;
        let mut at = address;
        while at < end {
            if BY_WORDS && at.is_multiple_of(WORD) && end - at >= WORD {
                bytes.extend(self.load_u64(at).to_le_bytes());
                at += WORD;
            } else {
                bytes.push(self.load_u8(at));
                at += 1;
            }
        }
        bytes
    }

    /// Writes `bytes` at `address`, in the same way.
    pub fn write(&self, address: u64, bytes: &[u8]) {
        let mut at = address;
        let mut rest = bytes;
        while let Some((first, behind)) = rest.split_first() {
            match rest.split_first_chunk() {
                Some((word, behind)) if BY_WORDS && at.is_multiple_of(WORD) => {
                    self.store_u64(at, u64::from_le_bytes(*word));
                    (at, rest) = (at + WORD, behind);
                }
                _ => {
                    self.store_u8(at, *first);
                    (at, rest) = (at + 1, behind);
                }
            }
        }
    }

    /// Whether `needle`, of a page at most, is anywhere in the pages. Fuzzers ask that of every input, and most pages have
    /// not even its first byte: those are not looked through byte by byte.
    pub fn contains(&self, needle: &[u8]) -> bool {
        let Some(first) = needle.first() else {
            return true;
        };
        // The end of the page before, where a needle may begin.
        let mut bytes = Vec::with_capacity(2 * size_of::<Page>());
        for page in self.pages {
            let words = page.0.iter().map(|word| word.load(Ordering::Relaxed));
            bytes.extend(words.flat_map(u64::to_ne_bytes));
            if bytes.contains(first) && bytes.windows(needle.len()).any(|run| run == needle) {
                return true;
            }
            bytes.drain(..bytes.len().saturating_sub(needle.len() - 1));
        }
        false
    }

    /// Where `len` bytes at `address` are, for a driver that goes by pointers. They are shared for ever.
    pub fn pointer(&self, address: u64, len: usize) -> NonNull<u8> {
        assert!(self.holds(address, len), "{address:#x} is not shared");
        self.at(address, 1)
    }

    /// The place of a word. A host that reaches for anything else is a broken test.
    fn at(&self, address: u64, size: usize) -> NonNull<u8> {
        assert!(self.holds(address, size), "{address:#x} is not shared");
        assert!(
            address.is_multiple_of(size as u64),
            "{address:#x} is not aligned"
        );
        let offset = (address - self.told) as usize;
        let base = NonNull::from(self.pages).cast::<u8>();
        // SAFETY: the offset lies inside the pages, as was just checked.
        unsafe { base.add(offset) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_needle_is_found_wherever_it_lies_and_nowhere_else() {
        const NEEDLE: &[u8] = b"private canary!!";
        let (_, host) = shared_memory(3, 0x1000);
        assert!(!host.contains(NEEDLE) && host.contains(&[]) && host.contains(&[0xa5; 9]));
        for at in [
            0,
            100,
            4096 - 16,
            4096 - 15,
            4096 - 1,
            4096,
            2 * 4096 - 7,
            3 * 4096 - 16,
        ] {
            host.write(0x1000 + at, NEEDLE);
            assert!(host.contains(NEEDLE), "{at}");
            host.write(0x1000 + at + 3, b"-");
            assert!(!host.contains(NEEDLE), "{at}");
        }
        host.give_back();
    }
}
