//! The first memory: the image, and the device tree.
// UNSAFETY: here addresses become memory.
#![expect(unsafe_code, reason = "here addresses become memory")]

use alloc::rc::Rc;
use core::cell::RefCell;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};

use arch::{AddressSpace, Content, image};
use devtree::{HEADER_SIZE, Tree};
use ipa::{GRANULE_SIZE, IpaSpace};
use realm::Error;

use crate::heap;

/// The map of the address space, which RAM and devices are added to later.
pub type Map = Rc<RefCell<AddressSpace>>;

/// What is mapped at first: the image, and then the device tree.
pub struct Memory {
    map: Map,
    tree: u64,
}

impl Memory {
    /// Makes the map, with nothing in it but the image, and opens the heap with the arena of the
    /// image. RAM is not touched: it may not be ours yet. `tree` is where the VMM says that the
    /// device tree is.
    ///
    /// # Errors
    ///
    /// [`Error::NoDeviceTree`] if this is not the first call.
    pub fn begin(tree: u64) -> Result<Self, Error> {
        static BEGUN: AtomicBool = AtomicBool::new(false);
        if BEGUN.load(Ordering::Relaxed) {
            return Err(Error::NoDeviceTree { at: tree });
        }
        BEGUN.store(true, Ordering::Relaxed);
        // SAFETY: the flag sees to it that this happens once.
        let space = unsafe { AddressSpace::new() }?;
        // SAFETY: the CPU walks the first map, because nothing but this replaces it. This one is kept for good
        // below; its tables are in the image, and do not move when it does.
        unsafe { space.activate() };
        // SAFETY: the arena is mapped and cleared, and named by nothing else.
        unsafe { heap::add(image::arena()) };
        let map = Rc::new(RefCell::new(space));
        core::mem::forget(Rc::clone(&map));
        Ok(Self { map, tree })
    }

    /// The map.
    pub fn map(&self) -> Map {
        Rc::clone(&self.map)
    }

    /// The bytes of the device tree. `space` is what the RMM says: a tree in the shared half would
    /// be one that the host can change while we read it.
    ///
    /// # Errors
    ///
    /// [`Error::DeviceTree`], [`Error::NoDeviceTree`], [`Error::Map`].
    pub fn device_tree(&self, space: IpaSpace) -> Result<&'static [u8], Error> {
        let header = self.map_tree(space, HEADER_SIZE)?;
        // SAFETY: `map_tree` mapped these bytes, aligned to 8, and nobody writes them: not we, and
        // in a realm not the host, which reaches the shared half only.
        let header = unsafe { header.cast::<[u8; HEADER_SIZE]>().read() };
        let size = Tree::size(&header)?;
        let bytes = self.map_tree(space, size)?;
        // SAFETY: as for the header. They stay mapped, read-only, and `Ram::open` leaves their
        // pages out.
        Ok(unsafe { core::slice::from_raw_parts(bytes, size) })
    }

    /// Maps the first `len` bytes of the device tree, unless they meet the image or leave the
    /// protected half.
    fn map_tree(&self, space: IpaSpace, len: usize) -> Result<*const u8, Error> {
        let none = Error::NoDeviceTree { at: self.tree };
        let end = self.tree.checked_add(len as u64);
        let end = end.filter(|end| *end <= space.protected_limit());
        let pages = pages(&(self.tree..end.ok_or(none)?));
        let image = image::whole();
        let meets_image = pages.start < image.end && image.start < pages.end;
        if meets_image || self.tree == 0 || !self.tree.is_multiple_of(8) {
            return Err(none);
        }
        self.map.borrow_mut().map(pages, Content::Constants)?;
        Ok(self.tree as *const u8)
    }
}

/// The pages that hold `bytes`.
pub fn pages(bytes: &Range<u64>) -> Range<u64> {
    let start = bytes.start - bytes.start % GRANULE_SIZE;
    let end = bytes.end.checked_next_multiple_of(GRANULE_SIZE);
    start..end.unwrap_or(u64::MAX - u64::MAX % GRANULE_SIZE)
}
