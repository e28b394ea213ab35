//! Writing: the guest's tree.

use core::fmt::Write as _;

use super::reader::{Item, Items};
use super::{BEGIN_NODE, END, END_NODE, Error, HEADER, MAGIC, PROPERTY};
use crate::layout::{GUEST_RAM, GuestMemory};
use crate::options::Pools;

/// What the guest is told.
#[derive(Clone, Copy, Debug)]
pub struct Guest<'a> {
    /// Its memory.
    pub memory: GuestMemory,
    /// Its boot arguments.
    pub arguments: &'a str,
    /// Whether it is told that PSCI is called by `hvc`, as a host says that wants no realm to be one.
    pub hvc: bool,
    /// Pools that functions are bound to.
    pub pools: &'a Pools,
}

/// The phandle of the first pool; QEMU's are small.
const POOL_HANDLE: u32 = 0x7000;

/// Nodes under the root that a realm must not see: each can reach memory without the SMMU, or is
/// the SMMU, or stands on one of those. Flash lies below all memory and is closed as well.
const HIDDEN: [&[u8]; 6] = [
    b"smmuv3@",
    b"fw-cfg@",
    b"virtio_mmio@",
    b"flash@",
    b"platform-bus@",
    b"gpio-keys",
];
/// Bytes for the names of properties.
const STRINGS: usize = 4096;
/// Offset of the structure block: behind the header and one empty entry of reserved memory.
const STRUCTURE: usize = HEADER + 16;

/// Writes the guest's tree into `out`; returns its size in bytes.
///
/// # Errors
///
/// [`Error`], if `tree` is broken or `out` too short.
pub fn rewrite(tree: &[u8], guest: &Guest<'_>, out: &mut [u8]) -> Result<usize, Error> {
    let mut writer = Writer {
        out,
        at: STRUCTURE,
        strings: [0; STRINGS],
        strings_length: 0,
    };
    let mut items = Items::new(tree)?;
    let mut depth = 0usize;
    let mut hidden_at = None;
    let mut place = Place::Other;
    // The node right below the root that this is in.
    let mut node = Place::Other;
    while let Some(item) = items.next()? {
        match item {
            Item::Begin(name) => {
                depth += 1;
                if depth == 2 && HIDDEN.iter().any(|prefix| name.starts_with(prefix)) {
                    hidden_at = hidden_at.or(Some(depth));
                }
                place = if depth == 2 {
                    Place::of(name)
                } else {
                    Place::Other
                };
                if depth == 2 {
                    node = place;
                }
                if hidden_at.is_none() {
                    writer.begin(name, place)?;
                    writer.arguments(place, guest.arguments)?;
                }
            }
            Item::End => {
                if hidden_at.is_none() {
                    match (depth, node) {
                        (2, Place::Pci) => writer.functions(guest.pools)?,
                        (1, _) => writer.reserved_memory(guest.pools)?,
                        _ => {}
                    }
                    writer.word(END_NODE)?;
                } else if hidden_at == Some(depth) {
                    hidden_at = None;
                }
                depth = depth.saturating_sub(1);
                place = Place::Other;
            }
            Item::Property(name, value) if hidden_at.is_none() => {
                writer.copy(place, name, value, guest)?;
            }
            Item::Property(..) => {}
        }
    }
    writer.finish()
}

/// A node whose properties change.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Memory,
    Pci,
    Chosen,
    Psci,
    Other,
}

impl Place {
    fn of(name: &[u8]) -> Self {
        match name {
            b"chosen" => Self::Chosen,
            b"psci" => Self::Psci,
            name if name.starts_with(b"memory@") => Self::Memory,
            name if name.starts_with(b"pcie@") => Self::Pci,
            _ => Self::Other,
        }
    }
}

struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
    strings: [u8; STRINGS],
    strings_length: usize,
}

impl Writer<'_> {
    fn begin(&mut self, name: &[u8], place: Place) -> Result<(), Error> {
        self.word(BEGIN_NODE)?;
        let name = if place == Place::Memory {
            b"memory@44000000"
        } else {
            name
        };
        self.bytes(name)?;
        self.bytes(&[0])?;
        self.align()
    }

    fn arguments(&mut self, place: Place, arguments: &str) -> Result<(), Error> {
        if place != Place::Chosen || arguments.is_empty() {
            return Ok(());
        }
        self.property_head(b"bootargs", arguments.len() + 1)?;
        self.bytes(arguments.as_bytes())?;
        self.bytes(&[0])?;
        self.align()
    }

    fn copy(
        &mut self,
        place: Place,
        name: &[u8],
        value: &[u8],
        guest: &Guest<'_>,
    ) -> Result<(), Error> {
        match (place, name) {
            (Place::Chosen, b"bootargs") | (Place::Pci, b"iommu-map") => Ok(()),
            (Place::Memory, b"reg") => {
                let mut reg = [0; 16];
                let (base, size) = reg.split_at_mut(8);
                base.copy_from_slice(&GUEST_RAM.to_be_bytes());
                size.copy_from_slice(&guest.memory.size().to_be_bytes());
                self.property(name, &reg)
            }
            (Place::Psci, b"method") if guest.hvc => self.property(name, b"hvc\0"),
            _ => self.property(name, value),
        }
    }

    /// A node for each function that is bound to a pool.
    fn functions(&mut self, pools: &Pools) -> Result<(), Error> {
        for (pool, handle) in pools.iter().zip(POOL_HANDLE..) {
            for stream in &pool.streams {
                self.named("function", u64::from(*stream))?;
                let reg = [stream << 8, 0, 0, 0, 0];
                self.cells(b"reg", &reg)?;
                self.cells(b"memory-region", &[handle])?;
                self.word(END_NODE)?;
            }
        }
        Ok(())
    }

    /// The node with a node for each pool, if there is any.
    fn reserved_memory(&mut self, pools: &Pools) -> Result<(), Error> {
        if pools.iter().next().is_none() {
            return Ok(());
        }
        self.begin(b"reserved-memory", Place::Other)?;
        self.cells(b"#address-cells", &[2])?;
        self.cells(b"#size-cells", &[2])?;
        self.property(b"ranges", &[])?;
        for (pool, handle) in pools.iter().zip(POOL_HANDLE..) {
            let (start, size) = (pool.range.start, pool.range.end - pool.range.start);
            self.named("pool", start)?;
            self.property(b"compatible", b"restricted-dma-pool\0")?;
            let half = |number: u64, shift: u32| (number >> shift & 0xffff_ffff) as u32;
            let reg = [
                half(start, 32),
                half(start, 0),
                half(size, 32),
                half(size, 0),
            ];
            self.cells(b"reg", &reg)?;
            self.cells(b"phandle", &[handle])?;
            self.word(END_NODE)?;
        }
        self.word(END_NODE)
    }

    /// Begins a node of this name and unit address.
    fn named(&mut self, name: &str, address: u64) -> Result<(), Error> {
        let mut text = heapless::String::<40>::new();
        write!(text, "{name}@{address:x}").map_err(|_| Error::Room)?;
        self.begin(text.as_bytes(), Place::Other)
    }

    fn cells(&mut self, name: &[u8], values: &[u32]) -> Result<(), Error> {
        self.property_head(name, 4 * values.len())?;
        values.iter().try_for_each(|value| self.word(*value))
    }

    fn property(&mut self, name: &[u8], value: &[u8]) -> Result<(), Error> {
        self.property_head(name, value.len())?;
        self.bytes(value)?;
        self.align()
    }

    fn property_head(&mut self, name: &[u8], length: usize) -> Result<(), Error> {
        let name = self.string(name)?;
        self.word(PROPERTY)?;
        self.word(u32::try_from(length).map_err(|_| Error::Room)?)?;
        self.word(name)
    }

    /// The offset of `name` among the names, added if it is new.
    fn string(&mut self, name: &[u8]) -> Result<u32, Error> {
        let known = self.strings.get(..self.strings_length).unwrap_or(&[]);
        let mut at = 0;
        for old in known.split(|&byte| byte == 0) {
            if old == name && at < self.strings_length {
                return u32::try_from(at).map_err(|_| Error::Room);
            }
            at += old.len() + 1;
        }
        let start = self.strings_length;
        let end = start + name.len();
        self.strings
            .get_mut(start..end)
            .ok_or(Error::Room)?
            .copy_from_slice(name);
        *self.strings.get_mut(end).ok_or(Error::Room)? = 0;
        self.strings_length = end + 1;
        u32::try_from(start).map_err(|_| Error::Room)
    }

    fn word(&mut self, word: u32) -> Result<(), Error> {
        self.bytes(&word.to_be_bytes())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let end = self.at + bytes.len();
        self.out
            .get_mut(self.at..end)
            .ok_or(Error::Room)?
            .copy_from_slice(bytes);
        self.at = end;
        Ok(())
    }

    fn align(&mut self) -> Result<(), Error> {
        let padding = self.at.next_multiple_of(4) - self.at;
        self.bytes([0; 3].get(..padding).unwrap_or(&[]))
    }

    fn finish(mut self) -> Result<usize, Error> {
        self.word(END)?;
        let strings_at = self.at;
        let structure = strings_at - STRUCTURE;
        let strings = self.strings;
        self.bytes(strings.get(..self.strings_length).unwrap_or(&[]))?;
        let total = self.at.next_multiple_of(8);
        self.out.get_mut(self.at..total).ok_or(Error::Room)?.fill(0);
        let reserved = HEADER;
        let fields = [
            total,
            STRUCTURE,
            strings_at,
            reserved,
            17,
            16,
            0,
            self.strings_length,
            structure,
        ];
        self.at = 0;
        self.word(MAGIC)?;
        for field in fields {
            self.word(u32::try_from(field).map_err(|_| Error::Room)?)?;
        }
        self.bytes(&[0; 16])?;
        Ok(total)
    }
}
