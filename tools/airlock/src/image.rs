//! From the ELF file that the linker makes to the raw image that boots.
//!
//! The raw image is the loadable segments at their addresses, from the lowest one, with zeros between
//! them and nothing behind the last byte of the file: what is only in memory (bss, stack) is covered by
//! `image_size` in the header.
//!
//! Ref: Linux, `Documentation/arch/arm64/booting.rst`, the image header.

use crate::units::MIB;
use anyhow::{Context, Result, bail, ensure};
use object::{Object, ObjectSegment};

/// `ARM\x64`, little-endian, at [`MAGIC_AT`].
const MAGIC: u32 = 0x644d_5241;
const MAGIC_AT: usize = 56;
const TEXT_OFFSET_AT: usize = 8;
const IMAGE_SIZE_AT: usize = 16;
/// No image of ours comes near it; an ELF file that says more is not one of ours.
const LARGEST: u64 = 64 * MIB;

/// What the header of an image says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Where the image wants to lie behind a 2 MiB boundary. Ours say 0.
    pub text_offset: u64,
    /// Bytes of memory that the image needs from its start, with all that is not in the file.
    pub image_size: u64,
}

/// The raw image from `file`, which is ELF or an image already.
///
/// # Errors
/// `file` is neither, or its header and its content do not agree.
pub fn from_file(file: &[u8]) -> Result<Vec<u8>> {
    let image = if file.starts_with(b"\x7fELF") {
        flatten(file)?
    } else {
        file.to_vec()
    };
    check(&image)?;
    Ok(image)
}

/// Reads and checks the header.
///
/// # Errors
/// There is no arm64 header, or it covers less than the file has.
pub fn check(image: &[u8]) -> Result<Header> {
    let magic = image.get(MAGIC_AT..MAGIC_AT + 4);
    ensure!(
        magic == Some(&MAGIC.to_le_bytes()),
        "no arm64 image header: this does not boot"
    );
    let header = Header {
        text_offset: double_word(image, TEXT_OFFSET_AT)?,
        image_size: double_word(image, IMAGE_SIZE_AT)?,
    };
    ensure!(
        header.text_offset == 0,
        "text_offset is {:#x}, must be 0",
        header.text_offset
    );
    ensure!(
        header.image_size >= image.len() as u64,
        "image_size {:#x} in the header is less than the {:#x} bytes of the file",
        header.image_size,
        image.len()
    );
    Ok(header)
}

fn double_word(image: &[u8], at: usize) -> Result<u64> {
    let bytes = image
        .get(at..at + 8)
        .context("the image ends within its header")?;
    Ok(u64::from_le_bytes(bytes.try_into()?))
}

fn flatten(elf: &[u8]) -> Result<Vec<u8>> {
    let file = object::File::parse(elf).context("cannot read the ELF file")?;
    ensure!(
        file.architecture() == object::Architecture::Aarch64,
        "the ELF file is for {:?}, not for AArch64",
        file.architecture()
    );
    let mut segments = Vec::new();
    for segment in file.segments() {
        let data = segment.data().context("a segment lies outside the file")?;
        segments.push((segment.address(), data));
    }
    segments.sort_by_key(|(address, _)| *address);
    lay_out(inside(&segments))
}

/// The segments of the image itself. Behind it, where its header says that it ends, the ELF file has
/// what only a debugger wants: unwind tables.
fn inside<'f, 's>(segments: &'f [(u64, &'s [u8])]) -> &'f [(u64, &'s [u8])] {
    let end = segments.first().and_then(|(base, data)| {
        let size = double_word(data, IMAGE_SIZE_AT).ok()?;
        base.checked_add(size)
    });
    let count = segments.partition_point(|(address, _)| end.is_none_or(|end| *address < end));
    segments.get(..count).unwrap_or_default()
}

/// Puts segments where they belong; what lies between them is zero.
fn lay_out(segments: &[(u64, &[u8])]) -> Result<Vec<u8>> {
    // A segment without bytes in the file is memory that boot clears.
    let filled = segments.iter().filter(|(_, data)| !data.is_empty());
    let base = filled
        .clone()
        .map(|(address, _)| *address)
        .min()
        .context("the ELF file is empty")?;
    let mut image = Vec::new();
    for (address, data) in filled {
        place(&mut image, address.saturating_sub(base), data)?;
    }
    Ok(image)
}

/// Puts `data` at `offset` of the image.
fn place(image: &mut Vec<u8>, offset: u64, data: &[u8]) -> Result<()> {
    let end = offset
        .checked_add(data.len() as u64)
        .filter(|&end| end <= LARGEST);
    let Some(end) = end else {
        bail!(
            "a segment {offset:#x} bytes behind the first is beyond {} MiB",
            LARGEST / MIB
        )
    };
    let (start, end) = (usize::try_from(offset)?, usize::try_from(end)?);
    if image.len() < end {
        image.resize(end, 0);
    }
    image
        .get_mut(start..end)
        .context("a segment outside the image")?
        .copy_from_slice(data);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(size: u64, bytes: usize) -> Vec<u8> {
        let mut image = vec![0; bytes];
        image[16..24].copy_from_slice(&size.to_le_bytes());
        image[56..60].copy_from_slice(b"ARMd");
        image
    }

    #[test]
    fn a_good_header_is_read() {
        let header = check(&image(0x2000, 64)).unwrap();
        assert_eq!(
            header,
            Header {
                text_offset: 0,
                image_size: 0x2000
            }
        );
    }

    #[test]
    fn a_file_larger_than_its_image_size_is_refused() {
        let error = check(&image(63, 64)).unwrap_err().to_string();
        assert!(error.contains("image_size 0x3f"), "{error}");
    }

    #[test]
    fn text_offset_must_be_zero() {
        let mut bytes = image(0x2000, 64);
        bytes[10] = 8;
        assert!(
            check(&bytes)
                .unwrap_err()
                .to_string()
                .contains("text_offset is 0x80000")
        );
    }

    #[test]
    fn what_is_no_image_is_refused() {
        for bytes in [vec![], vec![0; 64], vec![0; 4096], b"\x7fELF".to_vec()] {
            assert!(from_file(&bytes).is_err());
        }
    }

    #[test]
    fn gaps_between_segments_are_zero_and_order_does_not_matter() {
        let base = 0x4020_0000;
        let bytes = lay_out(&[(base + 8, &[3, 4]), (base, &[1, 2]), (0, &[])]).unwrap();
        assert_eq!(bytes, [1, 2, 0, 0, 0, 0, 0, 0, 3, 4]);
    }

    #[test]
    fn what_lies_behind_the_image_is_not_in_it() {
        let first = image(0x2000, 64);
        let segments: [(u64, &[u8]); 3] = [(0, &first), (0x1fff, &[1]), (0x2000, &[2])];
        assert_eq!(inside(&segments), &segments[..2]);
        assert_eq!(inside(&[]), &[]);
    }

    #[test]
    fn a_segment_far_away_does_not_make_a_huge_file() {
        for address in [LARGEST, 0xffff_0000_0000_0000, u64::MAX] {
            assert!(lay_out(&[(0, &[1]), (address, &[1])]).is_err());
        }
    }

    #[test]
    fn a_file_without_segments_is_refused() {
        assert!(lay_out(&[(0, &[])]).is_err());
    }
}
