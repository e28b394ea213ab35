//! The serial port that the tree has us print on.

use ipa::IpaSpace;

use crate::error::Failed;
use crate::node::Node;
use crate::{AddressRange, Error, Interrupt, Tree};

const PL011_SIZE: u64 = 0x48;
const NS16550_REGISTERS: u64 = 8;

/// The kind of a serial port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uart {
    /// Arm's PL011.
    Pl011,
    /// National's 16550.
    Ns16550 {
        /// Registers are `1 << shift` bytes apart; 0 to 3.
        shift: u8,
        /// Bytes of an access: 1, 2 or 4.
        width: u8,
    },
}

/// The serial port of `/chosen/stdout-path`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Console {
    /// What it is.
    pub uart: Uart,
    /// Where its registers are.
    pub range: AddressRange,
    /// What it interrupts with, if it does.
    pub interrupt: Option<Interrupt>,
}

impl Console {
    /// Looks up `stdout-path`: a path or an alias, and options behind a colon, which are for those
    /// who set the speed. A console that is missing or of another kind is `None`.
    pub(crate) fn parse(tree: &Tree<'_>, space: IpaSpace) -> Result<Option<Self>, Failed> {
        let Some(node) = stdout(tree)? else {
            return Ok(None);
        };
        let (uart, needed) = if node.is_compatible(&["arm,pl011"]) {
            (Uart::Pl011, PL011_SIZE)
        } else if node.is_compatible(&["ns16550a", "ns16550"]) {
            ns16550(node)?
        } else {
            return Ok(None);
        };
        Ok(Some(Self {
            uart,
            range: node.first_reg(space, needed)?,
            interrupt: Interrupt::first_of(node)?,
        }))
    }
}

fn stdout<'a>(tree: &'a Tree<'a>) -> Result<Option<Node<'a>>, Failed> {
    let chosen = tree.chosen()?;
    let path = chosen.map(|node| node.text("stdout-path")).transpose()?;
    let Some(path) = path.flatten() else {
        return Ok(None);
    };
    let name = path.split(':').next().unwrap_or(path);
    if name.starts_with('/') {
        return tree.path(name, "console");
    }
    let Some(aliases) = tree.aliases()? else {
        return Ok(None);
    };
    let (at, property) = (aliases.at, "stdout-path");
    let Some(bytes) = aliases.bytes(name) else {
        return Ok(None);
    };
    let path = bytes.strip_suffix(b"\0");
    let path = path.and_then(|path| core::str::from_utf8(path).ok());
    let wrong = || tree.fail(Error::Text { at, property });
    tree.path(path.ok_or_else(wrong)?, "console")
}

/// The layout of a 16550, and the bytes that it takes.
fn ns16550(node: Node<'_>) -> Result<(Uart, u64), Failed> {
    let shift = match node.cell("reg-shift")? {
        None | Some(0) => 0,
        Some(1) => 1,
        Some(2) => 2,
        Some(3) => 3,
        Some(other) => return Err(node.value("reg-shift", other.into())),
    };
    let width = match node.cell("reg-io-width")? {
        None | Some(1) => 1,
        Some(2) => 2,
        Some(4) => 4,
        Some(other) => return Err(node.value("reg-io-width", other.into())),
    };
    if u64::from(width) > 1 << shift {
        // Accesses that are wider than the registers are apart would hit two at once.
        return Err(node.value("reg-io-width", width.into()));
    }
    Ok((Uart::Ns16550 { shift, width }, NS16550_REGISTERS << shift))
}
