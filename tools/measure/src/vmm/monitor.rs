//! The test monitor of this project.

use super::{Blob, Error, Files, ImageHeader, Layout, Machine, Order};
use crate::{Algorithm, GRANULE, RecParams};

/// Bits of the IPA space that the monitor gives when nobody says otherwise.
const IPA_BITS: u8 = 33;

/// What the test monitor measures: RAM from `ram_base`, the image at `image_at`, the device tree at
/// `dtb_at` if `files` has one, in the order of the newest lkvm.
///
/// # Errors
///
/// [`Error`] says what does not fit.
pub fn monitor<'a>(
    files: &Files<'a>,
    machine: &Machine,
    ram_base: u64,
    image_at: u64,
    dtb_at: u64,
) -> Result<Layout<'a>, Error> {
    let memory = machine.memory;
    let ram_top = ram_base
        .checked_add(memory)
        .filter(|_| memory > 0 && memory.is_multiple_of(GRANULE))
        .ok_or(Error::Memory { memory })?;
    let header = ImageHeader::parse(files.image)?;
    let image = Blob::new(image_at, files.image)?.within(ram_base, ram_top)?;
    let dtb = files
        .dtb
        .map(|bytes| Blob::new(dtb_at, bytes)?.within(ram_base, ram_top))
        .transpose()?;
    Ok(Layout {
        params: machine.params(IPA_BITS, Algorithm::Sha256)?,
        ram_base,
        ram_top,
        image,
        image_top: image_at.saturating_add(header.image_size),
        initrd: None,
        dtb,
        rec: RecParams::entry(image_at, dtb_at),
        order: Order::RamFirst,
    })
}
