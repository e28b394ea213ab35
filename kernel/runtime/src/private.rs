//! Memory for devices that are trusted: private, and theirs for good.
// UNSAFETY: says of a run of the heap that it is a window.
#![expect(unsafe_code, reason = "memory that devices reach has no safe type")]

use alloc::alloc::alloc_zeroed;
use alloc::rc::Rc;
use core::alloc::Layout;
use core::ptr::NonNull;

use bounce::{Private, Region, Window};
use clock::Clock;
use realm::Error;

/// Bytes of a granule.
const GRANULE: usize = 4096;

/// A region of `len` bytes, whole granules, that only the realm and devices that it trusts reach.
///
/// # Errors
///
/// [`Error::Bounce`] if there is no such run of private memory.
pub fn region(len: usize, clock: Rc<dyn Clock>) -> Result<Region<Private>, Error> {
    let none = Error::Bounce(bounce::Error::Exhausted { wanted: len });
    let layout = Layout::from_size_align(len, GRANULE).map_err(|_| none)?;
    if len == 0 || !len.is_multiple_of(GRANULE) {
        return Err(none);
    }
    // SAFETY: the layout is not of zero bytes.
    let base = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or(none)?;
    // The realm's memory is mapped where it lies, and a trusted device is told the same address.
    let told = base.expose_provenance().get() as u64;
    // SAFETY: the run was just allocated as a whole, on a granule, and is never freed; only this window
    // refers to it.
    let window = unsafe { Window::new(base, len, told) };
    Ok(Region::new(window, clock)?)
}
