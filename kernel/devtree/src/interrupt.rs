//! Interrupts of a GICv3, as a tree tells them.

use crate::cells::Cells;
use crate::error::Failed;
use crate::node::Node;

/// Cells of an interrupt: its kind, its number, its flags.
pub(crate) const CELLS: u32 = 3;

const SPI: u32 = 0;
const PPI: u32 = 1;

/// How an interrupt is signalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// By a change to high.
    EdgeRising,
    /// By a change to low.
    EdgeFalling,
    /// By being high.
    LevelHigh,
    /// By being low.
    LevelLow,
}

impl Trigger {
    /// Whether a GIC is to be told that it is an edge.
    pub const fn is_edge(self) -> bool {
        matches!(self, Self::EdgeRising | Self::EdgeFalling)
    }
}

/// An interrupt of a GICv3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupt {
    /// Its INTID: 16 to 31 for a private one (PPI), 32 to 1019 for a shared one (SPI).
    pub id: u32,
    /// How it is signalled.
    pub trigger: Trigger,
}

impl Interrupt {
    /// Reads the three cells of the GICv3 binding.
    ///
    /// Ref: Linux, Documentation/devicetree/bindings/interrupt-controller/arm,gic-v3.yaml.
    pub(crate) fn parse(
        node: Node<'_>,
        property: &'static str,
        cells: &mut Cells<'_>,
    ) -> Result<Self, Failed> {
        let mut next = || cells.cell().ok_or_else(|| node.length(property));
        let (kind, number, flags) = (next()?, next()?, next()?);
        let (first, count) = match kind {
            SPI => (32, 988),
            PPI => (16, 16),
            _ => return Err(node.value(property, kind.into())),
        };
        node.at_most(property, number.into(), count - 1)?;
        // Above the trigger, a PPI has a mask of CPUs.
        let trigger = match flags & 0xf {
            1 => Trigger::EdgeRising,
            2 => Trigger::EdgeFalling,
            4 => Trigger::LevelHigh,
            8 => Trigger::LevelLow,
            _ => return Err(node.value(property, flags.into())),
        };
        let id = first + number;
        Ok(Self { id, trigger })
    }

    /// The first interrupt of a node, if it has any.
    pub(crate) fn first_of(node: Node<'_>) -> Result<Option<Self>, Failed> {
        let property = "interrupts";
        node.bytes(property)
            .map(|bytes| Self::parse(node, property, &mut Cells::new(bytes)))
            .transpose()
    }
}
