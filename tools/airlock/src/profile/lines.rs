//! Which lines of the source ran, by the blocks that the plugin saw and the line tables of the ELF file.

use addr2line::Context as Lines;
use anyhow::{Context, Result};
use gimli::{EndianRcSlice, LittleEndian, SectionId};
use object::{Object, ObjectSection};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use std::rc::Rc;

/// Bytes of one instruction.
const INSTRUCTION: u64 = 4;

/// Writes into `out`, as lcov does, each line of the ELF file `program` of which an instruction is in one of
/// the blocks `ran` of its image at `base`; those of functions that were inlined there, and of the calls of
/// them, are among them. Gives their number.
///
/// # Errors
/// The file is no ELF file, or `out` cannot be written.
pub(super) fn write(ran: &[(u64, u64)], program: &Path, base: u64, out: &Path) -> Result<usize> {
    let bytes = std::fs::read(program).with_context(|| program.display().to_string())?;
    let file = object::File::parse(bytes.as_slice())?;
    let section = |id: SectionId| {
        let section = file.section_by_name(id.name());
        let data = section.and_then(|section| section.uncompressed_data().ok());
        let data: Rc<[u8]> = Rc::from(data.unwrap_or_default().as_ref());
        Ok::<_, gimli::Error>(EndianRcSlice::new(data, LittleEndian))
    };
    let tables = Lines::from_dwarf(gimli::Dwarf::load(section)?)?;
    let mut found: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    for address in addresses(ran, base) {
        let Ok(mut frames) = tables.find_frames(address).skip_all_loads() else {
            continue;
        };
        while let Ok(Some(frame)) = frames.next() {
            if let Some(place) = frame.location
                && let (Some(file), Some(line)) = (place.file, place.line)
            {
                found.entry(file.to_owned()).or_default().insert(line);
            }
        }
    }
    std::fs::write(out, lcov(&found)).with_context(|| out.display().to_string())?;
    Ok(found.values().map(BTreeSet::len).sum())
}

/// Where the instructions of the blocks are in the ELF file, each once.
fn addresses(ran: &[(u64, u64)], base: u64) -> BTreeSet<u64> {
    let blocks = ran.iter().filter_map(|&(start, count)| {
        let start = start.checked_sub(base)?;
        Some((0..count).map(move |at| start + at * INSTRUCTION))
    });
    blocks.flatten().collect()
}

fn lcov(found: &BTreeMap<String, BTreeSet<u32>>) -> String {
    let mut text = String::new();
    for (file, lines) in found {
        let _ = writeln!(text, "SF:{file}");
        for line in lines {
            let _ = writeln!(text, "DA:{line},1");
        }
        text.push_str("end_of_record\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_their_instructions_and_what_is_below_the_image_is_left_out() {
        let found = addresses(&[(0x1000, 2), (0x1004, 2), (0x10, 9)], 0x1000);
        assert_eq!(found, BTreeSet::from([0, 4, 8]));
    }

    #[test]
    fn lines_are_written_by_file() {
        let found = BTreeMap::from([("a.rs".to_owned(), BTreeSet::from([3, 9]))]);
        assert_eq!(lcov(&found), "SF:a.rs\nDA:3,1\nDA:9,1\nend_of_record\n");
    }
}
