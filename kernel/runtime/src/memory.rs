//! The first memory: the image, and the device tree.
// UNSAFETY: here addresses become memory.
#![expect(unsafe_code, reason = "here addresses become memory")]

use alloc::rc::Rc;
use core::cell::RefCell;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};

use arch::{AddressSpace, Content, image};
use devtree::{HEADER_SIZE, Tree};
use ipa::GRANULE_SIZE;

use crate::{Error, heap};

/// The map of the address space, which RAM and devices are added to later.
pub type Map = Rc<RefCell<AddressSpace>>;

/// What is mapped at first: the image, and the device tree.
pub struct Memory {
    map: Map,
    tree: u64,
}

impl Memory {
    /// Turns the MMU on, with nothing mapped but the image and the first page of the device tree
    /// at `tree`, and opens the heap with the arena of the image. RAM is not touched: it may not be
    /// ours yet.
    ///
    /// # Errors
    ///
    /// [`Error::NoDeviceTree`] if there cannot be one at `tree`, or this is not the first call.
    pub fn begin(tree: u64) -> Result<Self, Error> {
        static BEGUN: AtomicBool = AtomicBool::new(false);
        let none = Error::NoDeviceTree { at: tree };
        if BEGUN.load(Ordering::Relaxed) {
            return Err(none);
        }
        BEGUN.store(true, Ordering::Relaxed);
        // SAFETY: the flag sees to it that this happens once.
        let mut space = unsafe { AddressSpace::new() }?;
        let end = tree.checked_add(HEADER_SIZE as u64);
        let header = end
            .filter(|_| tree != 0 && tree.is_multiple_of(8))
            .map(|end| tree..end);
        let mapped = header.map_or(Err(none), |header| map_tree(&mut space, &header));
        // SAFETY: the MMU is off, because nothing but this turns it on, and the map is kept for
        // good below.
        unsafe { space.activate() };
        // SAFETY: the arena is mapped and cleared, and named by nothing else.
        unsafe { heap::add(image::arena()) };
        let map = Rc::new(RefCell::new(space));
        core::mem::forget(Rc::clone(&map));
        mapped.map(|()| Self { map, tree })
    }

    /// The map.
    pub fn map(&self) -> Map {
        Rc::clone(&self.map)
    }

    /// The bytes of the device tree.
    ///
    /// # Errors
    ///
    /// [`Error::DeviceTree`], [`Error::NoDeviceTree`], [`Error::Map`].
    pub fn device_tree(&self) -> Result<&'static [u8], Error> {
        let none = Error::NoDeviceTree { at: self.tree };
        let pointer = usize::try_from(self.tree).map_err(|_| none)? as *const u8;
        // SAFETY: `begin` mapped these bytes, aligned to 8, and nobody writes them: not we, and in
        // a realm not the host.
        let header = unsafe { pointer.cast::<[u8; HEADER_SIZE]>().read() };
        let size = Tree::size(&header)?;
        let end = self.tree.checked_add(size as u64).ok_or(none)?;
        map_tree(&mut self.map.borrow_mut(), &(self.tree..end))?;
        // SAFETY: all of it is mapped now, read-only and for good; `Ram::open` leaves its pages
        // out.
        Ok(unsafe { core::slice::from_raw_parts(pointer, size) })
    }
}

/// Maps the pages of the device tree, unless they meet the image.
fn map_tree(space: &mut AddressSpace, bytes: &Range<u64>) -> Result<(), Error> {
    let (image, pages) = (image::whole(), pages(bytes));
    if pages.start < image.end && image.start < pages.end {
        return Err(Error::NoDeviceTree { at: bytes.start });
    }
    Ok(space.map(pages, Content::Constants)?)
}

/// The pages that hold `bytes`.
pub fn pages(bytes: &Range<u64>) -> Range<u64> {
    let start = bytes.start - bytes.start % GRANULE_SIZE;
    let end = bytes.end.checked_next_multiple_of(GRANULE_SIZE);
    start..end.unwrap_or(u64::MAX - u64::MAX % GRANULE_SIZE)
}
