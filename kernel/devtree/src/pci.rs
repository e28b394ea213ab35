//! The PCI host: configuration space, windows, interrupts.

use heapless::Vec;
use ipa::IpaSpace;

use crate::cells::Cells;
use crate::error::Failed;
use crate::gic::Reference;
use crate::node::{CellSizes, Node};
use crate::{AddressRange, Error, InterruptMap, Tree};

/// Most windows that we keep.
pub const MAX_WINDOWS: usize = 8;

/// Bytes of configuration space that a bus has.
const BUS_SIZE: u64 = 1 << 20;

/// Cells of an address and of a length below a PCI host.
const PCI_CELLS: CellSizes = CellSizes {
    address: 3,
    length: 2,
};

/// What a window leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowKind {
    /// Ports.
    Io,
    /// Memory at addresses of 32 bits.
    Memory32,
    /// Memory at addresses of 64 bits.
    Memory64,
}

/// A run of addresses of the CPU behind which devices can be placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PciWindow {
    /// What it leads to.
    pub kind: WindowKind,
    /// Whether reads may be made ahead.
    pub prefetchable: bool,
    /// What a BAR holds for the first address.
    pub pci_base: u64,
    /// What the CPU uses, without the shared bit.
    pub range: AddressRange,
}

/// A PCI host with configuration space in memory (ECAM).
///
/// Ref: Linux, Documentation/devicetree/bindings/pci/host-generic-pci.yaml.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PciHost {
    /// Configuration space, one MiB a bus, `first_bus` at its base.
    pub ecam: AddressRange,
    /// First bus.
    pub first_bus: u8,
    /// Last bus. Configuration space reaches up to here at least.
    pub last_bus: u8,
    /// Where devices can be placed. Windows above the address space are left out.
    pub windows: Vec<PciWindow, MAX_WINDOWS>,
    /// What functions interrupt with.
    pub interrupts: InterruptMap,
    /// Whether caches are kept coherent for devices.
    pub dma_coherent: bool,
}

impl PciHost {
    pub(crate) fn parse(
        tree: &Tree<'_>,
        node: Node<'_>,
        gic: Option<Reference>,
        space: IpaSpace,
    ) -> Result<Self, Failed> {
        let cells = node.child_cells()?;
        if cells != PCI_CELLS {
            return Err(node.value("#address-cells", cells.address.into()));
        }
        let ecam = node.first_reg(space, BUS_SIZE)?;
        let (first_bus, last_bus) = buses(node, ecam)?;
        Ok(Self {
            ecam,
            first_bus,
            last_bus,
            windows: windows(node, tree.root().child_cells()?, space)?,
            interrupts: InterruptMap::parse(node, gic)?,
            dma_coherent: node.has("dma-coherent"),
        })
    }
}

/// The first and the last bus: as many as the tree says, or as there is space for.
fn buses(node: Node<'_>, ecam: AddressRange) -> Result<(u8, u8), Failed> {
    let property = "bus-range";
    let room = ecam.len() / BUS_SIZE;
    let Some(bytes) = node.bytes(property) else {
        return Ok((0, u8::try_from(room - 1).unwrap_or(u8::MAX)));
    };
    let mut cells = Cells::new(bytes);
    let (Some(first), Some(last), true) = (cells.cell(), cells.cell(), cells.is_empty()) else {
        return Err(node.length(property));
    };
    let bad = |value: u32| node.value(property, value.into());
    let first_bus = u8::try_from(first).map_err(|_| bad(first))?;
    let last_bus = u8::try_from(last).map_err(|_| bad(last))?;
    let count = last_bus.checked_sub(first_bus).ok_or_else(|| bad(last))?;
    node.at_least(ecam, (u64::from(count) + 1) * BUS_SIZE)?;
    Ok((first_bus, last_bus))
}

fn windows(
    node: Node<'_>,
    parent: CellSizes,
    space: IpaSpace,
) -> Result<Vec<PciWindow, MAX_WINDOWS>, Failed> {
    let property = "ranges";
    let mut cells = Cells::new(node.required(property)?);
    let mut windows = Vec::new();
    while !cells.is_empty() {
        let entry = (|| {
            let high = cells.cell()?;
            let pci_base = cells.number(2)?;
            Some((
                high,
                pci_base,
                cells.number(parent.address)?,
                cells.number(2)?,
            ))
        })();
        let (high, pci_base, base, len) = entry.ok_or_else(|| node.length(property))?;
        let kind = kind(node, high, pci_base, len)?;
        let Some(range) = reachable(node, space, base, len)? else {
            continue;
        };
        let window = PciWindow {
            kind,
            prefetchable: high & (1 << 30) != 0,
            pci_base,
            range,
        };
        let (at, limit) = ("PCI windows", MAX_WINDOWS);
        windows
            .push(window)
            .map_err(|_| node.fail(Error::TooMany { at, limit }))?;
    }
    Ok(windows)
}

/// The addresses of a window; `None` if they lie above all that we can reach, as the large windows
/// of some machines do when the address space is small.
fn reachable(
    node: Node<'_>,
    space: IpaSpace,
    base: u64,
    len: u64,
) -> Result<Option<AddressRange>, Failed> {
    if base >= space.protected_limit() && base.checked_add(len).is_some() {
        return Ok(None);
    }
    node.range(space, base, len).map(Some)
}

/// The kind of a window, which must be able to hold its addresses.
///
/// Ref: IEEE 1275 PCI bus binding 2.1, section 2.2.1.1.
fn kind(node: Node<'_>, high: u32, base: u64, len: u64) -> Result<WindowKind, Failed> {
    let (kind, limit) = match high >> 24 & 3 {
        1 => (WindowKind::Io, 1 << 32),
        2 => (WindowKind::Memory32, 1 << 32),
        3 => (WindowKind::Memory64, u64::MAX),
        _ => return Err(node.value("ranges", high.into())),
    };
    match base.checked_add(len) {
        Some(top) if top <= limit => Ok(kind),
        _ => Err(node.fail(Error::Range {
            at: "PCI window",
            base,
            len,
        })),
    }
}
