//! Who called what broke: from the line that a panic or a fault prints, and the ELF file.
//!
//! The image has no frame pointers and no unwind tables; its ELF file has the tables. The image prints
//! those words of its stack that are addresses of code, with their places, and nothing else of it.
//! That is just enough to unwind by the tables (`unwind`).

mod stack;
mod unwind;

use addr2line::Context as Lines;
use anyhow::{Context, Result};
use gimli::{EhFrame, EndianRcSlice, LittleEndian, SectionId};
use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};
use std::fmt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use stack::Stack;

/// Bytes of the ELF file, as gimli reads them.
type Bytes = EndianRcSlice<LittleEndian>;

/// Most lines that one stack becomes.
const MOST_CALLERS: usize = 64;

/// The symbols of one image.
pub struct Symbols {
    lines: Lines<Bytes>,
    tables: EhFrame<Bytes>,
    tables_at: u64,
    text: Vec<u8>,
    /// Names of code without lines: what is written in assembly, or has a name of its own.
    names: Vec<(u64, String)>,
}

/// The callers in `line`, if it tells of a stack and the ELF file at `path` has its symbols.
#[must_use]
pub fn callers(path: &Path, line: &str) -> Option<Vec<Caller>> {
    let _is_one = Stack::parse(line)?;
    let symbols = Symbols::read(path);
    let symbols = symbols.inspect_err(|error| eprintln!("airlock: no callers: {error:#}"));
    symbols.ok()?.callers(line)
}

/// Prints callers, one in a line.
pub fn print(callers: &[Caller]) {
    for (number, caller) in callers.iter().enumerate() {
        println!("  {number:2}: {caller}");
    }
}

/// One function on the way to what broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    function: String,
    place: Option<String>,
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place}: {}", self.function),
            None => f.write_str(&self.function),
        }
    }
}

impl Symbols {
    /// Where the ELF file of the raw image at `image` is kept: beside it.
    #[must_use]
    pub fn beside(image: &Path) -> PathBuf {
        image.with_extension("elf")
    }

    /// Reads the ELF file at `path`.
    ///
    /// # Errors
    /// It cannot be read, or has no symbols.
    pub fn read(path: &Path) -> Result<Self> {
        let file =
            std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::of(&file).with_context(|| format!("{} has no symbols", path.display()))
    }

    fn of(file: &[u8]) -> Result<Self> {
        let file = object::File::parse(file)?;
        let section = |name: &str| file.section_by_name(name);
        let bytes = |name: &str| -> Bytes {
            let data = section(name).and_then(|section| section.uncompressed_data().ok());
            EndianRcSlice::new(Rc::from(data.unwrap_or_default().as_ref()), LittleEndian)
        };
        let load = |id: SectionId| Ok::<_, gimli::Error>(bytes(id.name()));
        let lines = Lines::from_dwarf(gimli::Dwarf::load(load)?)?;
        let tables = section(".eh_frame").context("it has no unwind tables")?;
        let text = section(".text").context("it has no code")?;
        Ok(Self {
            lines,
            tables_at: tables.address(),
            tables: EhFrame::from(bytes(".eh_frame")),
            text: text.data()?.to_vec(),
            names: names(&file),
        })
    }

    /// The callers, innermost first, if `line` is what a panic or a fault printed of its stack.
    #[must_use]
    pub fn callers(&self, line: &str) -> Option<Vec<Caller>> {
        let stack = Stack::parse(line)?;
        let addresses = unwind::addresses(&stack, &self.tables, self.tables_at, &self.text);
        let callers = addresses.iter().flat_map(|at| self.at(*at));
        Some(callers.take(MOST_CALLERS).collect())
    }

    /// The function at `address`, after those that were inlined into it there.
    fn at(&self, address: u64) -> Vec<Caller> {
        let mut callers = Vec::new();
        if let Ok(mut frames) = self.lines.find_frames(address).skip_all_loads() {
            while let Ok(Some(frame)) = frames.next() {
                let name = frame
                    .function
                    .as_ref()
                    .and_then(|name| name.demangle().ok());
                callers.push(Caller {
                    function: name.map_or_else(|| self.name(address), |name| short(&name)),
                    place: frame.location.as_ref().and_then(place),
                });
            }
        }
        if callers.is_empty() {
            let function = self.name(address);
            callers.push(Caller {
                function,
                place: None,
            });
        }
        callers
    }

    /// The name before `address`, where no table says more.
    fn name(&self, address: u64) -> String {
        let behind = self.names.partition_point(|(at, _)| *at <= address);
        let name = behind.checked_sub(1).and_then(|last| self.names.get(last));
        name.map_or_else(|| format!("image + {address:#x}"), |(_, name)| name.clone())
    }
}

/// The names of the file's code, by address.
fn names(file: &object::File<'_>) -> Vec<(u64, String)> {
    let code = file
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Text);
    let named = code.filter_map(|symbol| {
        let name = addr2line::demangle_auto(symbol.name().ok()?.into(), None);
        Some((symbol.address(), short(&name)))
    });
    let mut names: Vec<_> = named.collect();
    names.sort_unstable();
    names
}

/// A name without the hash that the compiler puts behind it, and without generic arguments, which
/// fill a screen.
fn short(name: &str) -> String {
    let name = match name.rsplit_once("::h") {
        Some((rest, hash)) if hash.len() == 16 => rest,
        _ => name,
    };
    match name.split_once('<') {
        Some((rest, _)) if !rest.is_empty() => rest.to_owned(),
        _ => name.to_owned(),
    }
}

/// File and line; the folder of the workspace was taken out of the image when it was built.
fn place(location: &addr2line::Location<'_>) -> Option<String> {
    let file = location.file?;
    // As the build named them: this project's folder, the library's, and where cargo keeps sources.
    let file = match file.strip_prefix("/airlock/") {
        Some(ours) => ours,
        None => ["/library/", "/src/"]
            .iter()
            .find_map(|mark| file.rfind(mark))
            .map_or(file, |at| {
                let before = file.get(..at).and_then(|folder| folder.rfind('/'));
                file.get(before.map_or(0, |slash| slash + 1)..)
                    .unwrap_or(file)
            }),
    };
    Some(match location.line {
        Some(line) => format!("{file}:{line}"),
        None => file.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_hash_and_arguments() {
        assert_eq!(short("a::b::h0123456789abcdef"), "a::b");
        assert_eq!(short("poll<alloc::boxed::Box<dyn X>>"), "poll");
        assert_eq!(short("<T as U>::f"), "<T as U>::f");
        assert_eq!(short("airlock_start"), "airlock_start");
    }
}
