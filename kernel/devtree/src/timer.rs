//! The generic timer.

use crate::cells::Cells;
use crate::error::Failed;
use crate::{Interrupt, Tree};

/// The interrupts of the generic timer that EL1 can use. Their triggers differ: high in QEMU, low
/// in lkvm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timer {
    /// Of the physical timer (`CNTP`).
    pub physical: Interrupt,
    /// Of the virtual timer (`CNTV`).
    pub virtual_timer: Interrupt,
}

impl Timer {
    /// Ref: Linux, Documentation/devicetree/bindings/timer/arm,arch_timer.yaml.
    pub(crate) fn parse(tree: &Tree<'_>) -> Result<Option<Self>, Failed> {
        let Some(node) = tree.timer()? else {
            return Ok(None);
        };
        let property = "interrupts";
        let mut cells = Cells::new(node.required(property)?);
        let mut next = || Interrupt::parse(node, property, &mut cells);
        let (_secure, physical, virtual_timer) = (next()?, next()?, next()?);
        for id in [physical.id, virtual_timer.id] {
            // A shared interrupt cannot be that of each CPU's own timer.
            node.at_most(property, id.into(), 31)?;
        }
        Ok(Some(Self {
            physical,
            virtual_timer,
        }))
    }
}
