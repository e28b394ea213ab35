//! What wired PCI interrupts arrive as.

use heapless::Vec;

use crate::cells::Cells;
use crate::error::Failed;
use crate::gic::Reference;
use crate::node::Node;
use crate::{Error, Interrupt};

/// Most entries that we keep: four pins of each device of a bus.
pub const MAX_MAPPINGS: usize = 128;

const MAP: &str = "interrupt-map";
const MASK: &str = "interrupt-map-mask";

/// The bits of a function's address that count, and those of its pin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Unit {
    high: u32,
    middle: u32,
    low: u32,
    pin: u32,
}

impl Unit {
    fn parse(cells: &mut Cells<'_>) -> Option<Self> {
        Some(Self {
            high: cells.cell()?,
            middle: cells.cell()?,
            low: cells.cell()?,
            pin: cells.cell()?,
        })
    }

    const fn masked(self, mask: Self) -> Self {
        Self {
            high: self.high & mask.high,
            middle: self.middle & mask.middle,
            low: self.low & mask.low,
            pin: self.pin & mask.pin,
        }
    }
}

/// Which interrupt a pin of a function arrives as.
///
/// Ref: Devicetree Specification v0.4, 2.4.3 "Interrupt nexus properties".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterruptMap {
    mask: Unit,
    entries: Vec<(Unit, Interrupt), MAX_MAPPINGS>,
}

impl InterruptMap {
    /// The interrupt of `pin` (1 is A, 4 is D) of a function: its bus in bits 15 to 8, its device
    /// in 7 to 3, its number in 2 to 0. `None` if the pin is not wired.
    pub fn lookup(&self, function: u16, pin: u8) -> Option<Interrupt> {
        let unit = Unit {
            high: u32::from(function) << 8,
            pin: pin.into(),
            ..Unit::default()
        };
        let wanted = unit.masked(self.mask);
        let found = self.entries.iter().find(|(unit, _)| *unit == wanted);
        found.map(|(_, interrupt)| *interrupt)
    }

    pub(crate) fn parse(node: Node<'_>, gic: Option<Reference>) -> Result<Self, Failed> {
        let (Some(bytes), Some(gic)) = (node.bytes(MAP), gic) else {
            return Ok(Self::default());
        };
        let mask = mask(node)?;
        let mut cells = Cells::new(bytes);
        let mut entries = Vec::new();
        while !cells.is_empty() {
            let (unit, interrupt) = entry(node, gic, &mut cells)?;
            let (at, limit) = (MAP, MAX_MAPPINGS);
            entries
                .push((unit.masked(mask), interrupt))
                .map_err(|_| node.fail(Error::TooMany { at, limit }))?;
        }
        Ok(Self { mask, entries })
    }
}

/// The mask; without one, all bits count.
fn mask(node: Node<'_>) -> Result<Unit, Failed> {
    let Some(bytes) = node.bytes(MASK) else {
        let all = u32::MAX;
        return Ok(Unit {
            high: all,
            middle: all,
            low: all,
            pin: all,
        });
    };
    let mut cells = Cells::new(bytes);
    match (Unit::parse(&mut cells), cells.is_empty()) {
        (Some(mask), true) => Ok(mask),
        _ => Err(node.length(MASK)),
    }
}

/// One entry, which must lead to the controller: its kind decides where the next one begins.
fn entry(
    node: Node<'_>,
    gic: Reference,
    cells: &mut Cells<'_>,
) -> Result<(Unit, Interrupt), Failed> {
    let short = || node.length(MAP);
    let unit = Unit::parse(cells).ok_or_else(short)?;
    let parent = cells.cell().ok_or_else(short)?;
    if parent != gic.phandle {
        return Err(node.value(MAP, parent.into()));
    }
    cells.number(gic.address_cells).ok_or_else(short)?;
    Ok((unit, Interrupt::parse(node, MAP, cells)?))
}
