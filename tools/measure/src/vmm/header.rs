//! The headers of what is loaded.

use super::Error;

/// The head of an arm64 `Image`, as far as it decides where the image goes.
///
/// Ref: Linux Documentation/arch/arm64/booting.rst, "Call the kernel image".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageHeader {
    /// Distance from the base of RAM, in bytes.
    pub text_offset: u64,
    /// Bytes that the image takes in memory, at least those of its file.
    pub image_size: u64,
}

impl ImageHeader {
    const MAGIC: &'static [u8] = b"ARM\x64";

    /// Reads the header of `image`.
    ///
    /// # Errors
    ///
    /// [`Error::NotAnImage`] if there is none.
    pub fn parse(image: &[u8]) -> Result<Self, Error> {
        if image.get(56..60) != Some(Self::MAGIC) {
            return Err(Error::NotAnImage);
        }
        let word = |at| u64_at(image, at).ok_or(Error::NotAnImage);
        let text_offset = word(8)?;
        let image_size = word(16)?;
        Ok(Self {
            text_offset,
            image_size,
        })
    }
}

/// Checks that `dtb` begins as a device tree does, is whole, and has at most `limit` bytes.
///
/// Ref: Devicetree Specification v0.4, 5.2 "Header".
pub(super) fn check_dtb(dtb: &[u8], limit: u64) -> Result<(), Error> {
    let word = |at: usize| {
        let bytes = dtb.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_be_bytes(bytes))
    };
    if word(0) != Some(0xd00d_feed) {
        return Err(Error::DeviceTreeBroken);
    }
    let whole = word(4).is_some_and(|size| size as usize <= dtb.len());
    if !whole {
        return Err(Error::DeviceTreeBroken);
    }
    if dtb.len() as u64 > limit {
        return Err(Error::DeviceTreeTooBig { limit });
    }
    Ok(())
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + 8)?.try_into().ok()?;
    Some(u64::from_le_bytes(bytes))
}
