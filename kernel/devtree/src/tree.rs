//! The bytes as a tree.

use dtoolkit::error::FdtErrorKind;
use dtoolkit::fdt::Fdt;

use crate::Error;
use crate::node::{CellSizes, Node};

/// Bytes that [`Tree::size`] needs to see.
pub const HEADER_SIZE: usize = 40;

/// Most bytes that a tree may have: that of QEMU has one MiB, mostly zeros.
pub const MAX_SIZE: usize = 2 << 20;

const MAGIC: [u8; 4] = [0xd0, 0x0d, 0xfe, 0xed];

/// A well-formed device tree.
#[derive(Clone, Copy, Debug)]
pub struct Tree<'a>(Fdt<'a>);

impl<'a> Tree<'a> {
    /// How many bytes the tree has that begins with `header`.
    ///
    /// # Errors
    ///
    /// [`Error::NotATree`], and [`Error::Size`] above [`MAX_SIZE`].
    pub fn size(header: &[u8; HEADER_SIZE]) -> Result<usize, Error> {
        Self::claimed_size(header)
    }

    /// Takes a tree. Bytes behind its end are not looked at.
    ///
    /// # Errors
    ///
    /// [`Error::NotATree`], [`Error::Size`], [`Error::Malformed`].
    pub fn new(bytes: &'a [u8]) -> Result<Self, Error> {
        let claimed = Self::claimed_size(bytes)?;
        let limit = bytes.len();
        let bytes = bytes.get(..claimed).ok_or(Error::Size { claimed, limit })?;
        Fdt::new(bytes)
            .map(Self)
            .map_err(|error| Error::Malformed(reason(&error.kind)))
    }

    fn claimed_size(bytes: &[u8]) -> Result<usize, Error> {
        let (magic, rest) = bytes.split_first_chunk().ok_or(Error::NotATree)?;
        let size = rest.first_chunk().ok_or(Error::NotATree)?;
        let claimed = u32::from_be_bytes(*size) as usize;
        if *magic != MAGIC {
            return Err(Error::NotATree);
        }
        let limit = MAX_SIZE;
        if claimed > limit {
            return Err(Error::Size { claimed, limit });
        }
        Ok(claimed)
    }

    /// The root.
    pub(crate) fn root(self) -> Node<'a> {
        let parent = CellSizes {
            address: 0,
            length: 0,
        };
        Node::new(self.0.root(), "the root", parent)
    }

    /// The nodes right below the root that are in use.
    pub(crate) fn children(
        self,
        at: &'static str,
    ) -> Result<impl Iterator<Item = Node<'a>> + use<'a>, Error> {
        self.root().children(at)
    }

    /// The node of this name right below the root.
    pub(crate) fn named(self, name: &str, at: &'static str) -> Result<Option<Node<'a>>, Error> {
        Ok(self.children(at)?.find(|node| node.is_named(name)))
    }

    /// The first node right below the root that is compatible with one of `with`.
    pub(crate) fn compatible(
        self,
        with: &[&str],
        at: &'static str,
    ) -> Result<Option<Node<'a>>, Error> {
        Ok(self.children(at)?.find(|node| node.is_compatible(with)))
    }

    /// The node right below the root with this full name, address included.
    pub(crate) fn path(self, path: &str, at: &'static str) -> Result<Option<Node<'a>>, Error> {
        let Some(name) = path.strip_prefix('/').filter(|name| !name.contains('/')) else {
            return Ok(None);
        };
        Ok(self.children(at)?.find(|node| node.is_called(name)))
    }

    /// The entries of the memory reservation block, as base and length.
    pub(crate) fn memory_reservations(self) -> impl Iterator<Item = (u64, u64)> + use<'a> {
        self.0
            .memory_reservations()
            .map(|entry| (entry.address(), entry.size()))
    }
}

/// In our words, because an error that can be copied cannot hold theirs.
const fn reason(kind: &FdtErrorKind) -> &'static str {
    match kind {
        FdtErrorKind::UnsupportedVersion(_) => "not version 17",
        FdtErrorKind::InvalidLength => "something ends behind the end",
        FdtErrorKind::InvalidHeader(why) => why,
        FdtErrorKind::BadToken(_) => "a token is out of place",
        FdtErrorKind::InvalidOffset => "something begins behind the end",
        FdtErrorKind::InvalidString => "a string has no end",
        FdtErrorKind::InvalidNodeName => "a node has no proper name",
        FdtErrorKind::InvalidPropertyName => "a property has no proper name",
        FdtErrorKind::MemReserveNotTerminated | FdtErrorKind::MemReserveInvalid => {
            "the memory reservation block has no end"
        }
        _ => "not well-formed",
    }
}
