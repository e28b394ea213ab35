//! An image as ELF: its code, its symbols, and whose each instruction is.

use addr2line::Context as Lines;
use anyhow::{Context, Result};
use gimli::{EndianRcSlice, LittleEndian, SectionId};
use object::{Object, ObjectSection, ObjectSymbol, SectionKind, SymbolKind};
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

/// A function that an instruction belongs to, inlined or not.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The file, as the compiler was told it.
    pub file: String,
    /// The line, from 1; 0 where nobody knows.
    pub line: u32,
}

/// An ELF file of A64 code.
pub struct Elf {
    lines: Lines<EndianRcSlice<LittleEndian>>,
    /// Functions by address.
    functions: Vec<(u64, String)>,
    /// Where each section with code begins, and its words.
    code: Vec<(u64, Vec<u32>)>,
}

impl Elf {
    /// Reads `file`.
    ///
    /// # Errors
    ///
    /// It is no ELF file.
    pub fn load(file: &Path) -> Result<Self> {
        let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
        let elf = object::File::parse(bytes.as_slice())?;
        let section = |id: SectionId| {
            let section = elf.section_by_name(id.name());
            let data = section.and_then(|section| section.uncompressed_data().ok());
            let data: Rc<[u8]> = Rc::from(data.unwrap_or_default().as_ref());
            Ok::<_, gimli::Error>(EndianRcSlice::new(data, LittleEndian))
        };
        let symbols = elf.symbols();
        let symbols = symbols.filter(|s| s.kind() == SymbolKind::Text && s.is_definition());
        let mut functions: Vec<_> = symbols
            .filter_map(|s| Some((s.address(), demangled(s.name().ok()?))))
            .collect();
        functions.sort_unstable();
        let of_code = elf.sections().filter(|s| s.kind() == SectionKind::Text);
        let words = |data: &[u8]| {
            data.as_chunks()
                .0
                .iter()
                .map(|w| u32::from_le_bytes(*w))
                .collect()
        };
        let code = of_code
            .filter_map(|s| Some((s.address(), words(s.data().ok()?))))
            .collect();
        Ok(Self {
            lines: Lines::from_dwarf(gimli::Dwarf::load(section)?)?,
            functions,
            code,
        })
    }

    /// The functions whose names are `wanted`, by address.
    pub fn functions(&self, wanted: impl Fn(&str) -> bool) -> BTreeMap<u64, String> {
        let named = self.functions.iter().filter(|(_, name)| wanted(name));
        named.cloned().collect()
    }

    /// Where the function begins that has the instruction at `at`.
    pub fn function_at(&self, at: u64) -> Option<u64> {
        let behind = self.functions.partition_point(|(begin, _)| *begin <= at);
        let (begin, _) = self.functions.get(behind.checked_sub(1)?)?;
        Some(*begin)
    }

    /// The name of the function that begins at `begin`.
    pub fn name_of(&self, begin: u64) -> &str {
        let at = self.functions.partition_point(|(at, _)| *at < begin);
        let named = self.functions.get(at).filter(|(at, _)| *at == begin);
        named.map_or("", |(_, name)| name)
    }

    /// Every word of code, and where it is.
    pub fn code(&self) -> impl Iterator<Item = (u64, u32)> {
        self.code
            .iter()
            .flat_map(|(base, words)| (*base..).step_by(4).zip(words.iter().copied()))
    }

    /// The functions that the instruction at `at` belongs to, the innermost first.
    pub fn frames(&self, at: u64) -> Vec<Frame> {
        let mut found = Vec::new();
        let Ok(mut frames) = self.lines.find_frames(at).skip_all_loads() else {
            return found;
        };
        while let Ok(Some(frame)) = frames.next() {
            let Some(place) = frame.location else {
                continue;
            };
            found.push(Frame {
                file: place.file.unwrap_or_default().to_owned(),
                line: place.line.unwrap_or(0),
            });
        }
        found
    }
}

/// The target of an A64 `b` or `bl` at `at`.
///
/// Ref: DDI0487, C6.2 "B", "BL".
pub fn branch(word: u32, at: u64) -> Option<u64> {
    if word & 0x7c00_0000 != 0x1400_0000 {
        return None;
    }
    // 26 bits of words, signed.
    let words = i64::from((word << 6).cast_signed() >> 6);
    at.checked_add_signed(words * 4)
}

fn demangled(name: &str) -> String {
    without_hash(&addr2line::demangle_auto(name.into(), None))
}

/// `a::b::h0123456789abcdef` without its end.
fn without_hash(name: &str) -> String {
    let (head, tail) = name.rsplit_once("::").unwrap_or((name, ""));
    let is_hash = tail.len() == 17 && tail.starts_with('h');
    if is_hash { head } else { name }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_go_forward_and_back() {
        assert_eq!(branch(0x9400_0001, 0x1000), Some(0x1004));
        assert_eq!(branch(0x97ff_ffff, 0x1000), Some(0xffc));
        assert_eq!(branch(0x1400_0002, 0x1000), Some(0x1008));
        assert_eq!(branch(0xd65f_03c0, 0x1000), None);
    }

    #[test]
    fn hashes_are_no_part_of_a_name() {
        assert_eq!(without_hash("a::b::h0123456789abcdef"), "a::b");
        assert_eq!(without_hash("a::b"), "a::b");
    }
}
