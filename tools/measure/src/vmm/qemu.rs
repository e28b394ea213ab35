//! QEMU `virt` with `rme-guest`, as posted for review in 2024 to 2026.

use super::header::check_dtb;
use super::{Blob, Error, Files, ImageHeader, Layout, Machine, Order};
use crate::{Algorithm, GRANULE, RealmParams, RecParams};

const RAM_BASE: u64 = 0x4000_0000;
const MIB: u64 = 1 << 20;
const DTB_LIMIT: u64 = MIB;
const GIB: u64 = 1 << 30;
/// What lies above RAM, each at a multiple of its size: more redistributors, PCI configuration space, and
/// the window of 64-bit BARs.
const ABOVE_RAM: [u64; 3] = [64 * MIB, 256 * MIB, 512 * GIB];
/// Where that begins at least: the end of the 255 GiB that RAM could once have.
const ABOVE_RAM_LEAST: u64 = 256 * GIB;

/// Where QEMU puts `files` on `machine`, with `-kernel` and without firmware.
///
/// The device tree is the one that `-machine dumpdtb=FILE` writes, whole: QEMU loads (and so measures)
/// all of its buffer of 1 MiB.
///
/// # Errors
///
/// [`Error`] says what is missing or does not fit.
pub fn qemu<'a>(files: &Files<'a>, machine: &Machine) -> Result<Layout<'a>, Error> {
    let dtb = files.dtb.ok_or(Error::DeviceTreeMissing)?;
    let memory = machine.memory;
    let bits = ipa_bits(memory).ok_or(Error::Memory { memory })?;
    let params = machine.params(bits, Algorithm::Sha512)?;
    let mut layout = from_ram(RAM_BASE, files, machine, params)?;
    check_dtb(dtb, DTB_LIMIT)?;
    let [dtb_at, ..] = layout.rec.gprs;
    layout.dtb = Some(Blob::new(dtb_at, dtb)?.within(layout.image.top(), layout.ram_top)?);
    Ok(layout)
}

/// Bits of the IPA space: enough for what lies above `memory` bytes of RAM, and one for the shared half.
fn ipa_bits(memory: u64) -> Option<u8> {
    let ram = RAM_BASE.checked_add(memory)?;
    let start = ram.checked_next_multiple_of(GIB)?.max(ABOVE_RAM_LEAST);
    let end = ABOVE_RAM.iter().try_fold(start, |at, size| {
        at.checked_next_multiple_of(*size)?.checked_add(*size)
    })?;
    u8::try_from((end - 1).ilog2() + 2).ok()
}

/// The layout that QEMU gives to an image at `RAM base + text_offset`, without a device tree yet.
fn from_ram<'a>(
    ram_base: u64,
    files: &Files<'a>,
    machine: &Machine,
    params: RealmParams,
) -> Result<Layout<'a>, Error> {
    let memory = machine.memory;
    if memory == 0 || !memory.is_multiple_of(GRANULE) {
        return Err(Error::Memory { memory });
    }
    let ram_top = ram_base
        .checked_add(memory)
        .ok_or(Error::Memory { memory })?;
    let header = ImageHeader::parse(files.image)?;
    let image_at = ram_base
        .checked_add(header.text_offset)
        .filter(|at| *at < ram_top)
        .ok_or(Error::Memory { memory })?;
    let image = Blob::new(image_at, files.image)?.within(ram_base, ram_top)?;
    let size = header.image_size.max(files.image.len() as u64);
    let image_top = image_at
        .checked_add(size)
        .filter(|top| *top <= ram_top)
        .ok_or(Error::DoesNotFit { at: image_at, size })?;
    let initrd_at = initrd_address(ram_base, memory).max(image_top.next_multiple_of(GRANULE));
    let initrd = files
        .initrd
        .map(|bytes| Blob::new(initrd_at, bytes)?.within(image.top(), ram_top))
        .transpose()?;
    let end = initrd_at + files.initrd.map_or(0, |bytes| bytes.len() as u64);
    let dtb_at = end.next_multiple_of(2 * MIB);
    Ok(Layout {
        params,
        ram_base,
        ram_top,
        image,
        image_top,
        initrd,
        dtb: None,
        rec: RecParams::entry(image_at, dtb_at),
        order: Order::RamFirst,
    })
}

/// Half of RAM, or 128 MiB into it.
const fn initrd_address(ram_base: u64, memory: u64) -> u64 {
    let half = memory / 2;
    let offset = if half < 128 * MIB { half } else { 128 * MIB };
    (ram_base + offset).next_multiple_of(GRANULE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_space_grows_with_ram() {
        for (gib, bits) in [
            (1, 41),
            (255, 41),
            (510, 41),
            // The window of 64-bit BARs no longer fits below 1 TiB.
            (511, 42),
            (1022, 42),
            (1600, 43),
        ] {
            assert_eq!(ipa_bits(gib * GIB), Some(bits), "{gib} GiB");
        }
        assert_eq!(ipa_bits(u64::MAX), None);
    }
}
