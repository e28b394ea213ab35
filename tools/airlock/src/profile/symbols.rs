//! Names of code, from the ELF file that became the image.

use addr2line::Context as Lines;
use anyhow::{Context, Result};
use gimli::{EndianRcSlice, LittleEndian, SectionId};
use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

/// Bytes of the ELF file, as gimli reads them.
type Bytes = EndianRcSlice<LittleEndian>;

/// Names of the code at an address, the outermost function first.
pub struct Symbols {
    lines: Lines<Bytes>,
    /// What the linker knows, by address.
    linked: Vec<(u64, String)>,
    base: u64,
    known: RefCell<HashMap<u64, Vec<String>>>,
}

impl Symbols {
    /// Reads `file`, whose image runs at `base`.
    ///
    /// # Errors
    /// It is no ELF file.
    pub fn load(file: &Path, base: u64) -> Result<Self> {
        let bytes =
            std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let file = object::File::parse(bytes.as_slice())?;
        let section = |id: SectionId| {
            let section = file.section_by_name(id.name());
            let data = section.and_then(|section| section.uncompressed_data().ok());
            let data: Rc<[u8]> = Rc::from(data.unwrap_or_default().as_ref());
            Ok::<Bytes, gimli::Error>(EndianRcSlice::new(data, LittleEndian))
        };
        let code = file
            .symbols()
            .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.is_definition());
        let mut linked: Vec<(u64, String)> = code
            .filter_map(|symbol| Some((symbol.address(), symbol.name().ok()?.to_owned())))
            .collect();
        linked.sort_unstable();
        Ok(Self {
            lines: Lines::from_dwarf(gimli::Dwarf::load(section)?)?,
            linked,
            base,
            known: RefCell::default(),
        })
    }

    /// The functions that the code at `address` belongs to: the one that the linker knows, and what was
    /// inlined into it.
    pub fn names(&self, address: u64) -> Vec<String> {
        if let Some(names) = self.known.borrow().get(&address) {
            return names.clone();
        }
        let names = self.look_up(address);
        self.known.borrow_mut().insert(address, names.clone());
        names
    }

    fn look_up(&self, address: u64) -> Vec<String> {
        let Some(place) = address.checked_sub(self.base) else {
            return vec![unknown(address)];
        };
        let mut names = self.inlined(place);
        // The outermost is the function that the linker knows, with its whole name.
        if let Some(name) = self.linked_name(place) {
            names.pop();
            names.push(demangled(name));
        }
        if names.is_empty() {
            names.push(unknown(address));
        }
        // The tables begin with the innermost.
        names.reverse();
        names
    }

    /// The function that begins at or before `place`.
    fn linked_name(&self, place: u64) -> Option<&str> {
        let behind = self.linked.partition_point(|(at, _)| *at <= place);
        let (_, name) = self.linked.get(behind.checked_sub(1)?)?;
        Some(name)
    }

    /// What the line tables know, the innermost first.
    fn inlined(&self, place: u64) -> Vec<String> {
        let mut names = Vec::new();
        let Ok(mut frames) = self.lines.find_frames(place).skip_all_loads() else {
            return names;
        };
        while let Ok(Some(frame)) = frames.next() {
            let name = frame.function.as_ref();
            let name = name.and_then(|name| Some(name.demangle().ok()?.into_owned()));
            let file = frame.location.and_then(|location| location.file);
            names.extend(name.map(|name| qualified(&short(&name), file)));
        }
        names
    }
}

/// The line tables have names without their modules; those are in the file's path.
fn qualified(name: &str, file: Option<&str>) -> String {
    let end = name.find('<').filter(|end| *end > 0);
    let name = name.get(..end.unwrap_or(name.len())).unwrap_or(name);
    match file.and_then(module) {
        Some(module) if !name.contains("::") => format!("{module}::{name}"),
        _ => name.to_owned(),
    }
}

/// `…/smoltcp-0.14.0/src/iface/interface/mod.rs` is `smoltcp::iface::interface`.
fn module(file: &str) -> Option<String> {
    let (before, inside) = file.rsplit_once("/src/")?;
    let package = before.rsplit('/').next()?;
    // A version begins behind the last `-` that a digit follows.
    let version = package
        .rmatch_indices('-')
        .find(|(at, _)| package[at + 1..].starts_with(|c: char| c.is_ascii_digit()));
    let package = version.map_or(package, |(at, _)| &package[..at]);
    let inside = inside.strip_suffix(".rs")?;
    let parts = inside
        .split('/')
        .filter(|part| !matches!(*part, "mod" | "lib" | "main"));
    let module: Vec<&str> = std::iter::once(package).chain(parts).collect();
    Some(module.join("::"))
}

fn unknown(address: u64) -> String {
    format!("{address:#x}")
}

fn demangled(name: &str) -> String {
    short(&addr2line::demangle_auto(name.into(), None))
}

/// A name without what only the compiler needs: hashes and the crates' numbers.
fn short(name: &str) -> String {
    let name = match name.rsplit_once("::h") {
        Some((start, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
            start
        }
        _ => name,
    };
    let mut short = String::new();
    let mut bracket = false;
    for c in name.chars() {
        match c {
            // `[1a2b…]` behind a crate's name, and no array.
            '[' if short.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_') => {
                bracket = true
            }
            ']' if bracket => bracket = false,
            c if !bracket => short.push(c),
            _ => {}
        }
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_come_from_the_path_of_the_file() {
        let found = [
            "/deps/smoltcp-0.14.0/src/iface/interface/mod.rs",
            "/airlock/kernel/devtree/src/tokens.rs",
            "/rustc/59807/library/core/src/slice/iter.rs",
            "/airlock/kernel/net/src/lib.rs",
        ]
        .map(|file| module(file).unwrap());
        let wanted = [
            "smoltcp::iface::interface",
            "devtree::tokens",
            "core::slice::iter",
            "net",
        ];
        assert_eq!(found, wanted);
        let name = qualified("position<u8, F>", Some("/x/core/src/slice/iter.rs"));
        assert_eq!(name, "core::slice::iter::position");
        assert_eq!(qualified("<[u8]>::x", None), "<[u8]>::x");
    }

    #[test]
    fn names_lose_what_only_the_compiler_needs() {
        assert_eq!(
            short("net::stack::poll::h0123456789abcdef"),
            "net::stack::poll"
        );
        assert_eq!(short("net[1a2b3c4d]::stack::poll"), "net::stack::poll");
        assert_eq!(
            short("<[u8] as core::fmt::Debug>::fmt"),
            "<[u8] as core::fmt::Debug>::fmt"
        );
    }
}
