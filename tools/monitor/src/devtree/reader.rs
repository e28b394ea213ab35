//! Reading: tokens, and the few facts that the monitor needs.

use core::ops::Range;

use super::{BEGIN_NODE, END, END_NODE, Error, HEADER, MAGIC, NOP, PROPERTY};

/// One step through the structure block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item<'a> {
    /// A node begins.
    Begin(&'a [u8]),
    /// The node ends.
    End,
    /// A property of the node.
    Property(&'a [u8], &'a [u8]),
}

/// A walk through the structure block.
pub(super) struct Items<'a> {
    structure: &'a [u8],
    strings: &'a [u8],
    at: usize,
}

/// Bytes in the tree that begins with `header`, at least 40 bytes.
///
/// # Errors
///
/// [`Error::Magic`] or [`Error::Truncated`].
pub fn size(header: &[u8]) -> Result<usize, Error> {
    if word(header, 0)? != MAGIC {
        return Err(Error::Magic);
    }
    offset(header, 4)
}

pub(super) fn word(bytes: &[u8], at: usize) -> Result<u32, Error> {
    let word = bytes.get(at..).and_then(<[u8]>::first_chunk);
    word.map(|word| u32::from_be_bytes(*word))
        .ok_or(Error::Truncated(at))
}

fn offset(bytes: &[u8], at: usize) -> Result<usize, Error> {
    usize::try_from(word(bytes, at)?).map_err(|_| Error::Truncated(at))
}

/// The bytes at the offset and of the size that the header has at `start` and `length`.
fn block(tree: &[u8], start: usize, length: usize) -> Result<&[u8], Error> {
    let (start, length) = (offset(tree, start)?, offset(tree, length)?);
    let end = start.checked_add(length).ok_or(Error::Truncated(start))?;
    tree.get(start..end).ok_or(Error::Truncated(start))
}

impl<'a> Items<'a> {
    pub(super) fn new(tree: &'a [u8]) -> Result<Self, Error> {
        let tree = tree.get(..size(tree)?).ok_or(Error::Truncated(HEADER))?;
        Ok(Self {
            structure: block(tree, 8, 36)?,
            strings: block(tree, 12, 32)?,
            at: 0,
        })
    }

    /// The next item, or `None` at the end. Each call moves forward, so a walk is bounded.
    pub(super) fn next(&mut self) -> Result<Option<Item<'a>>, Error> {
        loop {
            let token = word(self.structure, self.at)?;
            self.at += 4;
            match token {
                NOP => {}
                END => return Ok(None),
                END_NODE => return Ok(Some(Item::End)),
                BEGIN_NODE => return self.name().map(|name| Some(Item::Begin(name))),
                PROPERTY => return self.property().map(Some),
                other => return Err(Error::Token(other)),
            }
        }
    }

    fn name(&mut self) -> Result<&'a [u8], Error> {
        let name = text(self.structure, self.at)?;
        self.skip(name.len() + 1)?;
        Ok(name)
    }

    fn property(&mut self) -> Result<Item<'a>, Error> {
        let length = offset(self.structure, self.at)?;
        let name = text(self.strings, offset(self.structure, self.at + 4)?)?;
        let start = self.at + 8;
        let end = start.checked_add(length).ok_or(Error::Truncated(start))?;
        let value = self
            .structure
            .get(start..end)
            .ok_or(Error::Truncated(start))?;
        self.at = start;
        self.skip(length)?;
        Ok(Item::Property(name, value))
    }

    fn skip(&mut self, bytes: usize) -> Result<(), Error> {
        let end = self
            .at
            .checked_add(bytes)
            .and_then(|end| end.checked_next_multiple_of(4));
        self.at = end.ok_or(Error::Truncated(self.at))?;
        Ok(())
    }
}

/// The bytes at `at` up to the next zero.
fn text(bytes: &[u8], at: usize) -> Result<&[u8], Error> {
    let rest = bytes.get(at..).ok_or(Error::Truncated(at))?;
    let end = rest
        .iter()
        .position(|&byte| byte == 0)
        .ok_or(Error::Truncated(at))?;
    rest.get(..end).ok_or(Error::Truncated(at))
}

/// What the monitor has to know of the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine<'a> {
    /// Memory: first byte and one past the last.
    pub memory: Range<u64>,
    /// First byte of PCI configuration space.
    pub config: u64,
    /// The initial RAM disk, if there is one.
    pub initrd: Option<Range<u64>>,
    /// The kernel command line.
    pub arguments: &'a str,
    /// Whether there is an SMMU.
    pub smmu: bool,
}

impl<'a> Machine<'a> {
    /// Reads `tree`.
    ///
    /// # Errors
    ///
    /// [`Error`], if `tree` is broken, or has no memory or no PCI.
    pub fn read(tree: &'a [u8]) -> Result<Self, Error> {
        let mut machine = Self::default();
        let mut initrd = (None, None);
        let mut items = Items::new(tree)?;
        let mut depth = 0usize;
        let mut node: &[u8] = b"";
        while let Some(item) = items.next()? {
            match item {
                Item::Begin(name) => {
                    depth += 1;
                    node = if depth == 2 { name } else { b"" };
                    machine.smmu |= node.starts_with(b"smmuv3@");
                }
                Item::End => {
                    depth = depth.saturating_sub(1);
                    node = b"";
                }
                Item::Property(b"reg", value) if node.starts_with(b"memory@") => {
                    let (start, length) = (number(value, 0)?, number(value, 8)?);
                    machine.memory = start..start.saturating_add(length);
                }
                Item::Property(b"reg", value) if node.starts_with(b"pcie@") => {
                    machine.config = number(value, 0)?;
                }
                Item::Property(b"bootargs", value) if node == b"chosen" => {
                    let bytes = value.strip_suffix(b"\0").unwrap_or(value);
                    machine.arguments = core::str::from_utf8(bytes).map_err(|_| Error::Text)?;
                }
                Item::Property(b"linux,initrd-start", value) => initrd.0 = Some(cells(value)?),
                Item::Property(b"linux,initrd-end", value) => initrd.1 = Some(cells(value)?),
                Item::Property(..) => {}
            }
        }
        machine.initrd = initrd.0.zip(initrd.1).map(|(start, end)| start..end);
        machine.checked()
    }

    fn checked(self) -> Result<Self, Error> {
        if self.memory.is_empty() {
            return Err(Error::Missing("memory"));
        }
        if self.config == 0 {
            return Err(Error::Missing("pcie"));
        }
        Ok(self)
    }
}

fn number(value: &[u8], at: usize) -> Result<u64, Error> {
    Ok(u64::from(word(value, at)?) << 32 | u64::from(word(value, at + 4)?))
}

/// A number of one cell or two, as QEMU's versions differ.
fn cells(value: &[u8]) -> Result<u64, Error> {
    if value.len() == 4 {
        word(value, 0).map(u64::from)
    } else {
        number(value, 0)
    }
}
