//! A node, with the name that errors give it.

use ipa::IpaSpace;

use crate::cells::Cells;
use crate::error::Failed;
use crate::tokens::{Token, Tokens};
use crate::{AddressRange, Error};

/// Cells of an address and of a length in `reg` of a node's children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CellSizes {
    pub(crate) address: u32,
    pub(crate) length: u32,
}

/// A node.
#[derive(Clone, Copy)]
pub(crate) struct Node<'a> {
    tokens: &'a Tokens<'a>,
    /// Where it begins.
    pub(crate) place: usize,
    /// What errors call it.
    pub(crate) at: &'static str,
    parent: CellSizes,
}

impl<'a> Node<'a> {
    /// The node that begins at `place`.
    pub(crate) const fn new(
        tokens: &'a Tokens<'a>,
        place: usize,
        at: &'static str,
        parent: CellSizes,
    ) -> Self {
        Self {
            tokens,
            place,
            at,
            parent,
        }
    }

    /// The children that are in use; errors call each `at`. All of them together cost one walk over the
    /// node.
    pub(crate) fn children(
        self,
        at: &'static str,
    ) -> Result<impl Iterator<Item = Node<'a>> + use<'a>, Failed> {
        let sizes = self.child_cells()?;
        let tokens = self.tokens;
        let (mut next, mut depth) = (self.head().1, 0_usize);
        let children = core::iter::from_fn(move || {
            loop {
                let place = next;
                let (token, behind) = tokens.read(place).ok()?;
                next = behind;
                match token {
                    Token::Begin(_) => {
                        depth += 1;
                        if depth == 1 {
                            return Some(Node::new(tokens, place, at, sizes));
                        }
                    }
                    Token::EndNode => depth = depth.checked_sub(1)?,
                    Token::Property { .. } | Token::Filler => {}
                    Token::End => return None,
                }
            }
        });
        Ok(children.filter(|node| node.is_enabled()))
    }

    /// The name, and where the properties begin.
    fn head(self) -> (&'a [u8], usize) {
        match self.tokens.read(self.place) {
            Ok((Token::Begin(name), next)) => (name, next),
            // The tree was checked, and `place` is where a node begins.
            _ => (b"", self.place),
        }
    }

    /// Whether the node is one that we may use.
    fn is_enabled(self) -> bool {
        matches!(self.bytes("status"), None | Some(b"okay\0" | b"ok\0"))
    }

    /// The name, address included.
    pub(crate) fn name(self) -> &'a [u8] {
        self.head().0
    }

    /// The name, without the address behind `@`.
    pub(crate) fn name_without_address(self) -> &'a [u8] {
        let name = self.name();
        name.split(|byte| *byte == b'@').next().unwrap_or(name)
    }

    pub(crate) fn is_compatible(self, with: &[&str]) -> bool {
        let mut names = self
            .bytes("compatible")
            .unwrap_or_default()
            .split(|byte| *byte == 0);
        names.any(|name| with.iter().any(|wanted| wanted.as_bytes() == name))
    }

    /// The bytes of a property.
    pub(crate) fn bytes(self, property: &str) -> Option<&'a [u8]> {
        let mut next = self.head().1;
        loop {
            let (token, behind) = self.tokens.read(next).ok()?;
            next = behind;
            match token {
                Token::Property { name, value } if self.tokens.is_name(name, property) => {
                    return Some(value);
                }
                Token::Property { .. } | Token::Filler => {}
                Token::Begin(_) | Token::EndNode | Token::End => return None,
            }
        }
    }

    /// The bytes of a property that has to be there.
    pub(crate) fn required(self, property: &'static str) -> Result<&'a [u8], Failed> {
        let at = self.at;
        let missing = || self.fail(Error::NoProperty { at, property });
        self.bytes(property).ok_or_else(missing)
    }

    pub(crate) fn has(self, property: &str) -> bool {
        self.bytes(property).is_some()
    }

    /// A property of one cell.
    pub(crate) fn cell(self, property: &'static str) -> Result<Option<u32>, Failed> {
        self.bytes(property)
            .map(|bytes| {
                let bytes = <[u8; 4]>::try_from(bytes).map_err(|_| self.length(property))?;
                Ok(u32::from_be_bytes(bytes))
            })
            .transpose()
    }

    /// A property of one or two cells.
    pub(crate) fn number(self, property: &'static str) -> Result<Option<u64>, Failed> {
        let Some(bytes) = self.bytes(property) else {
            return Ok(None);
        };
        let cells = match bytes.len() {
            4 => 1,
            8 => 2,
            _ => return Err(self.length(property)),
        };
        Ok(Cells::new(bytes).number(cells))
    }

    /// A property that is one text, without control characters.
    pub(crate) fn text(self, property: &'static str) -> Result<Option<&'a str>, Failed> {
        let at = self.at;
        let bad = || self.fail(Error::Text { at, property });
        let Some(bytes) = self.bytes(property) else {
            return Ok(None);
        };
        let text = bytes.strip_suffix(b"\0").ok_or_else(bad)?;
        let text = core::str::from_utf8(text).map_err(|_| bad())?;
        if text.chars().any(char::is_control) {
            return Err(bad());
        }
        Ok(Some(text))
    }

    /// `#address-cells` and `#size-cells`, for the children.
    pub(crate) fn child_cells(self) -> Result<CellSizes, Failed> {
        let sizes = CellSizes {
            address: self.cell("#address-cells")?.unwrap_or(2),
            length: self.cell("#size-cells")?.unwrap_or(1),
        };
        self.at_most("#address-cells", sizes.address.into(), 3)?;
        self.at_most("#size-cells", sizes.length.into(), 2)?;
        Ok(sizes)
    }

    /// The ranges in `reg`.
    pub(crate) fn reg(
        self,
        space: IpaSpace,
    ) -> Result<impl Iterator<Item = Result<AddressRange, Failed>> + use<'a>, Failed> {
        Ok(self
            .raw_reg()?
            .map(move |(base, len)| self.range(space, base, len)))
    }

    /// The pairs of numbers in `reg`.
    pub(crate) fn raw_reg(self) -> Result<impl Iterator<Item = (u64, u64)> + use<'a>, Failed> {
        let bytes = self.required("reg")?;
        let CellSizes { address, length } = self.parent;
        let mut cells = Cells::new(bytes);
        let whole = 4 * (address + length) as usize;
        if address > 2 || whole == 0 || !bytes.len().is_multiple_of(whole) {
            return Err(self.length("reg"));
        }
        Ok(core::iter::from_fn(move || {
            Some((cells.number(address)?, cells.number(length)?))
        }))
    }

    /// The first range in `reg`, of at least `needed` bytes.
    pub(crate) fn first_reg(self, space: IpaSpace, needed: u64) -> Result<AddressRange, Failed> {
        let first = self.reg(space)?.next();
        self.at_least(first.ok_or_else(|| self.length("reg"))??, needed)
    }

    /// A range of addresses of the CPU.
    pub(crate) fn range(
        self,
        space: IpaSpace,
        base: u64,
        len: u64,
    ) -> Result<AddressRange, Failed> {
        let at = self.at;
        let range = AddressRange::new(space, base, len);
        range.ok_or_else(|| self.fail(Error::Range { at, base, len }))
    }

    /// Checks that `range` has `needed` bytes.
    pub(crate) fn at_least(self, range: AddressRange, needed: u64) -> Result<AddressRange, Failed> {
        let at = self.at;
        if range.len() < needed {
            return Err(self.fail(Error::TooSmall { at, range, needed }));
        }
        Ok(range)
    }

    /// Checks that a number is not too high.
    pub(crate) fn at_most(
        self,
        property: &'static str,
        value: u64,
        limit: u64,
    ) -> Result<(), Failed> {
        if value > limit {
            return Err(self.value(property, value));
        }
        Ok(())
    }

    /// The error for a property of a length that it cannot have.
    pub(crate) fn length(self, property: &'static str) -> Failed {
        let (at, len) = (self.at, self.bytes(property).map_or(0, <[u8]>::len));
        self.fail(Error::Length { at, property, len })
    }

    /// The error for a property of a value that it cannot have.
    pub(crate) fn value(self, property: &'static str, value: u64) -> Failed {
        let at = self.at;
        self.fail(Error::Value {
            at,
            property,
            value,
        })
    }

    /// Keeps what is wrong: as [`Tokens::fail`].
    pub(crate) fn fail(self, error: Error) -> Failed {
        self.tokens.fail(error)
    }
}
