//! The bytes as a tree.

use crate::cells::Cells;
use crate::error::Failed;
use crate::node::{CellSizes, Node};
use crate::tokens::Tokens;
use crate::{Error, PsciMethod};

/// Bytes that [`Tree::size`] needs to see.
pub const HEADER_SIZE: usize = 40;

/// Most bytes that a tree may have: that of QEMU has one MiB, mostly zeros.
pub const MAX_SIZE: usize = 2 << 20;

const MAGIC: u32 = 0xd00d_feed;

/// The version of the format that everybody writes.
const VERSION: u32 = 17;

/// A well-formed device tree. It was walked once, and the nodes that matter are known.
#[derive(Clone, Debug)]
pub struct Tree<'a> {
    pub(crate) tokens: Tokens<'a>,
    reservations: &'a [u8],
    places: Places,
}

/// Where the nodes right below the root are that a machine is made of. Of several that could be meant,
/// it is the first.
#[derive(Clone, Copy, Debug, Default)]
struct Places {
    aliases: Option<usize>,
    chosen: Option<usize>,
    cpus: Option<usize>,
    gic: Option<usize>,
    pci: Option<usize>,
    psci: Option<usize>,
    reserved: Option<usize>,
    timer: Option<usize>,
}

impl Places {
    fn note(&mut self, node: Node<'_>) {
        let place = match node.name_without_address() {
            b"aliases" => &mut self.aliases,
            b"chosen" => &mut self.chosen,
            b"cpus" => &mut self.cpus,
            b"reserved-memory" => &mut self.reserved,
            _ if node.is_compatible(&["arm,gic-v3"]) => &mut self.gic,
            _ if node.is_compatible(&["pci-host-ecam-generic"]) => &mut self.pci,
            _ if node.is_compatible(&["arm,psci-1.0", "arm,psci-0.2"]) => &mut self.psci,
            _ if node.is_compatible(&["arm,armv8-timer"]) => &mut self.timer,
            _ => return,
        };
        place.get_or_insert(node.place);
    }
}

impl<'a> Tree<'a> {
    /// How many bytes the tree has that begins with `header`.
    ///
    /// # Errors
    ///
    /// [`Error::NotATree`], and [`Error::Size`] above [`MAX_SIZE`].
    pub fn size(header: &[u8; HEADER_SIZE]) -> Result<usize, Error> {
        Header::read(header)?.checked_size()
    }

    /// Takes a tree. Bytes behind its end are not looked at.
    ///
    /// # Errors
    ///
    /// [`Error::NotATree`], [`Error::Size`], [`Error::Malformed`], and [`Error::TooMany`] above
    /// [`MAX_TOKENS`](crate::MAX_TOKENS).
    pub fn new(bytes: &'a [u8]) -> Result<Self, Error> {
        let header = Header::read(bytes)?;
        let claimed = header.checked_size()?;
        let limit = bytes.len();
        let bytes = bytes.get(..claimed).ok_or(Error::Size { claimed, limit })?;
        if header.version < VERSION || header.last_compatible > VERSION {
            return Err(Error::Malformed("not version 17"));
        }
        let structure = block(bytes, header.structure, header.structure_size)?;
        let strings = block(bytes, header.strings, header.strings_size)?;
        let mut tree = Self {
            tokens: Tokens::new(structure, strings)?,
            reservations: reservations(bytes, header.reservations)?,
            places: Places::default(),
        };
        let mut places = Places::default();
        // A root whose cells make no sense has no nodes that we could use, and that is told later.
        if let Ok(children) = tree.root().children("node") {
            children.for_each(|node| places.note(node));
        }
        tree.places = places;
        Ok(tree)
    }

    /// How PSCI is called, whatever may be wrong elsewhere; what is wrong with it itself is told by
    /// [`Tree::machine`].
    pub fn psci(&self) -> Option<PsciMethod> {
        PsciMethod::parse(self).ok().flatten()
    }

    /// Tokens that were read so far, by whoever asked for something: what the tree has cost.
    pub fn tokens_read(&self) -> usize {
        self.tokens.count()
    }

    /// Keeps what is wrong: as [`Tokens::fail`].
    pub(crate) fn fail(&self, error: Error) -> Failed {
        self.tokens.fail(error)
    }

    /// The root.
    pub(crate) fn root(&self) -> Node<'_> {
        let parent = CellSizes {
            address: 0,
            length: 0,
        };
        Node::new(&self.tokens, 0, "the root", parent)
    }

    /// The nodes right below the root that are in use.
    pub(crate) fn children(
        &self,
        at: &'static str,
    ) -> Result<impl Iterator<Item = Node<'_>>, Failed> {
        self.root().children(at)
    }

    pub(crate) fn aliases(&self) -> Result<Option<Node<'_>>, Failed> {
        self.known(self.places.aliases, "aliases")
    }

    pub(crate) fn chosen(&self) -> Result<Option<Node<'_>>, Failed> {
        self.known(self.places.chosen, "chosen")
    }

    pub(crate) fn cpus(&self) -> Result<Option<Node<'_>>, Failed> {
        self.known(self.places.cpus, "cpus")
    }

    pub(crate) fn gic(&self) -> Result<Option<Node<'_>>, Failed> {
        self.known(self.places.gic, "interrupt controller")
    }

    pub(crate) fn pci(&self) -> Result<Option<Node<'_>>, Failed> {
        self.known(self.places.pci, "PCI host")
    }

    pub(crate) fn psci_node(&self) -> Result<Option<Node<'_>>, Failed> {
        self.known(self.places.psci, "psci")
    }

    pub(crate) fn reserved_memory(&self) -> Result<Option<Node<'_>>, Failed> {
        self.known(self.places.reserved, "reserved memory")
    }

    pub(crate) fn timer(&self) -> Result<Option<Node<'_>>, Failed> {
        self.known(self.places.timer, "timer")
    }

    fn known(&self, place: Option<usize>, at: &'static str) -> Result<Option<Node<'_>>, Failed> {
        let sizes = self.root().child_cells()?;
        Ok(place.map(|place| Node::new(&self.tokens, place, at, sizes)))
    }

    /// The node right below the root with this full name, address included.
    pub(crate) fn path(&self, path: &str, at: &'static str) -> Result<Option<Node<'_>>, Failed> {
        let Some(name) = path.strip_prefix('/').filter(|name| !name.contains('/')) else {
            return Ok(None);
        };
        Ok(self
            .children(at)?
            .find(|node| node.name() == name.as_bytes()))
    }

    /// The entries of the memory reservation block, as base and length.
    pub(crate) fn memory_reservations(&self) -> impl Iterator<Item = (u64, u64)> {
        entries(self.reservations).take_while(|entry| *entry != (0, 0))
    }
}

/// The fields of the header, in their order.
struct Header {
    magic: u32,
    size: usize,
    structure: usize,
    strings: usize,
    reservations: usize,
    version: u32,
    last_compatible: u32,
    strings_size: usize,
    structure_size: usize,
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Self, Error> {
        let mut cells = Cells::new(bytes);
        let mut next = || cells.cell().ok_or(Error::NotATree);
        let header = Self {
            magic: next()?,
            size: next()? as usize,
            structure: next()? as usize,
            strings: next()? as usize,
            reservations: next()? as usize,
            version: next()?,
            last_compatible: next()?,
            strings_size: {
                let _boot_cpu = next()?;
                next()? as usize
            },
            structure_size: next()? as usize,
        };
        if header.magic != MAGIC {
            return Err(Error::NotATree);
        }
        Ok(header)
    }

    fn checked_size(&self) -> Result<usize, Error> {
        let (claimed, limit) = (self.size, MAX_SIZE);
        if claimed > limit {
            return Err(Error::Size { claimed, limit });
        }
        Ok(claimed)
    }
}

fn block(bytes: &[u8], start: usize, len: usize) -> Result<&[u8], Error> {
    let outside = Error::Malformed("something begins behind the end");
    let end = start.checked_add(len).ok_or(outside)?;
    bytes.get(start..end).ok_or(outside)
}

/// The memory reservation block, up to its last entry at least.
fn reservations(bytes: &[u8], start: usize) -> Result<&[u8], Error> {
    let endless = Error::Malformed("the memory reservation block has no end");
    let block = bytes.get(start..).ok_or(endless)?;
    if !entries(block).any(|entry| entry == (0, 0)) {
        return Err(endless);
    }
    Ok(block)
}

fn entries(block: &[u8]) -> impl Iterator<Item = (u64, u64)> {
    let mut cells = Cells::new(block);
    core::iter::from_fn(move || Some((cells.number(2)?, cells.number(2)?)))
}
