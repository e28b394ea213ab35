//! kvmtool (`lkvm run --realm`).

use super::header::check_dtb;
use super::{Blob, Error, Files, ImageHeader, Layout, Machine, Order};
use crate::{Algorithm, RealmParams, RecParams};

const RAM_BASE: u64 = 0x8000_0000;
const MIB: u64 = 1 << 20;
/// The device tree's buffer, all of it measured.
const DTB_SIZE: u64 = 64 << 10;
/// Everything is loaded into this much of RAM.
const LOAD_LIMIT: u64 = 256 * MIB;

/// Where lkvm puts `files` on `machine`.
///
/// The device tree is the one that `lkvm run ... --dump-dtb FILE` writes: it holds the boot arguments,
/// the size of memory, the number of CPUs and the devices, so each of these is measured through it.
///
/// # Errors
///
/// [`Error`] says what is missing or does not fit.
pub fn lkvm<'a>(files: &Files<'a>, machine: &Machine, order: Order) -> Result<Layout<'a>, Error> {
    let memory = machine.memory;
    if memory == 0 || !memory.is_multiple_of(2 * MIB) {
        return Err(Error::Memory { memory });
    }
    let ram_top = RAM_BASE
        .checked_add(memory)
        .ok_or(Error::Memory { memory })?;
    let dtb = files.dtb.ok_or(Error::DeviceTreeMissing)?;
    check_dtb(dtb, DTB_SIZE)?;
    let header = ImageHeader::parse(files.image)?;
    let limit = ram_top.min(RAM_BASE + LOAD_LIMIT);
    let dtb_at = dtb_address(limit).ok_or(Error::Memory { memory })?;
    let image_at = image_address(&header)?;
    let image = Blob::new(image_at, files.image)?.within(RAM_BASE, dtb_at)?;
    let initrd = files
        .initrd
        .map(|bytes| place_initrd(bytes, dtb_at)?.within(image.top(), dtb_at))
        .transpose()?;
    let image_top = image_at
        .checked_add(header.image_size)
        .filter(|top| *top <= ram_top)
        .ok_or(Error::DoesNotFit {
            at: image_at,
            size: header.image_size,
        })?;
    Ok(Layout {
        params: params(machine, ram_top)?,
        ram_base: RAM_BASE,
        ram_top,
        image,
        image_top,
        initrd,
        dtb: Some(Blob::padded(dtb_at, dtb, DTB_SIZE)?.within(image.top(), ram_top)?),
        rec: RecParams::entry(image_at, dtb_at),
        order,
    })
}

/// The device tree goes to the last 2 MiB boundary that leaves room for it below `limit`.
fn dtb_address(limit: u64) -> Option<u64> {
    let lowest = limit.checked_sub(1 + DTB_SIZE + 2 * MIB)?;
    let at = lowest.next_multiple_of(2 * MIB);
    (at > RAM_BASE).then_some(at)
}

/// An image without a size is loaded where kernels before Linux 3.17 went.
fn image_address(header: &ImageHeader) -> Result<u64, Error> {
    const OLD_OFFSET: u64 = 0x8_0000;
    let offset = match header.image_size {
        0 => OLD_OFFSET,
        _ => header.text_offset,
    };
    RAM_BASE.checked_add(offset).ok_or(Error::DoesNotFit {
        at: RAM_BASE,
        size: offset,
    })
}

/// The initial file system ends just below the device tree, and starts at a multiple of 4.
fn place_initrd(bytes: &[u8], dtb_at: u64) -> Result<Blob<'_>, Error> {
    const ALIGN: u64 = 4;
    let size = bytes.len() as u64;
    let at = dtb_at
        .checked_sub(size + ALIGN)
        .ok_or(Error::DoesNotFit { at: RAM_BASE, size })?;
    Blob::new(at.next_multiple_of(ALIGN), bytes)
}

fn params(machine: &Machine, ram_top: u64) -> Result<RealmParams, Error> {
    let last = ram_top - 1;
    let own = u8::try_from(last.ilog2() + 1).map_or(u8::MAX, |bits| bits.max(32) + 1);
    machine.params(own, Algorithm::Sha256)
}
