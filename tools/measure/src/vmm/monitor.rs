//! The test monitor of this project.

use super::{Blob, Error, Files, ImageHeader, Layout, Machine, Order};
use crate::{Algorithm, GRANULE, RecParams};

/// First address of guest memory under the test monitor.
pub const MONITOR_RAM: u64 = 0x4400_0000;
/// Where the test monitor puts the image, and enters it.
pub const MONITOR_IMAGE: u64 = 0x4420_0000;
/// Where the guest of the test monitor finds its device tree.
pub const MONITOR_TREE: u64 = MONITOR_RAM;
/// Breakpoints and watchpoints, as fields of `ID_AA64DFR0_EL1`, that the test monitor measures.
pub const MONITOR_DEBUG: (u8, u8) = (5, 3);

/// Bits of the IPA space, unless something else is asked for: QEMU's configuration space is high.
const IPA_BITS: u8 = 41;
/// The narrowest IPA space that has both halves of the machine.
const LEAST_IPA_BITS: u8 = 33;

/// What the test monitor measures: RAM, the image, the device tree, and the REC.
///
/// The monitor finds the image in memory and knows its size by the header only, so the zeros behind
/// the file are measured as well. The tree is the one that the guest gets: `monitor::Plan` makes it of
/// QEMU's.
///
/// # Errors
///
/// [`Error`] says what does not fit.
pub fn monitor<'a>(files: &Files<'a>, machine: &Machine) -> Result<Layout<'a>, Error> {
    let memory = machine.memory;
    let ram_top = MONITOR_RAM
        .checked_add(memory)
        .filter(|_| memory > 0 && memory.is_multiple_of(GRANULE))
        .ok_or(Error::Memory { memory })?;
    let header = ImageHeader::parse(files.image)?;
    let image = Blob::padded(MONITOR_IMAGE, files.image, header.image_size)?;
    let image = image.within(MONITOR_RAM, ram_top)?;
    let dtb = files.dtb.ok_or(Error::DeviceTreeMissing)?;
    let dtb = Blob::new(MONITOR_TREE, dtb)?.within(MONITOR_RAM, MONITOR_IMAGE)?;
    let wide = Machine {
        ipa_bits: machine.ipa_bits.or(Some(IPA_BITS)),
        ..*machine
    };
    Ok(Layout {
        params: wide.params(LEAST_IPA_BITS, Algorithm::Sha256)?,
        ram_base: MONITOR_RAM,
        ram_top,
        image,
        image_top: MONITOR_IMAGE.saturating_add(header.image_size),
        initrd: None,
        dtb: Some(dtb),
        rec: RecParams::entry(MONITOR_IMAGE, MONITOR_TREE),
        order: Order::RamFirst,
    })
}
