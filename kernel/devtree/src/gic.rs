//! The interrupt controller.

use heapless::Vec;
use ipa::IpaSpace;

use crate::error::Failed;
use crate::node::Node;
use crate::{AddressRange, interrupt};

/// Most regions of redistributors that we keep.
pub const MAX_REDISTRIBUTOR_REGIONS: usize = 4;

const DISTRIBUTOR_SIZE: u64 = 0x1_0000;
const REDISTRIBUTOR_SIZE: u64 = 0x2_0000;
const ITS_SIZE: u64 = 0x2_0000;

/// An interrupt controller of version 3.
///
/// Ref: Linux, Documentation/devicetree/bindings/interrupt-controller/arm,gic-v3.yaml.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gic {
    /// GICD.
    pub distributor: AddressRange,
    /// GICR, region by region.
    pub redistributors: Vec<AddressRange, MAX_REDISTRIBUTOR_REGIONS>,
    /// Bytes from one redistributor to the next: 0x20000, or more if the tree says so.
    pub redistributor_stride: u64,
    /// GITS, if there is one.
    pub its: Option<AddressRange>,
}

/// How an interrupt map refers to the controller.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reference {
    pub(crate) phandle: u32,
    /// Cells of an address that stands before the interrupt.
    pub(crate) address_cells: u32,
}

impl Gic {
    pub(crate) fn parse(node: Node<'_>, space: IpaSpace) -> Result<Self, Failed> {
        let cells = node.cell("#interrupt-cells")?.unwrap_or(0);
        if cells != interrupt::CELLS {
            return Err(node.value("#interrupt-cells", cells.into()));
        }
        let stride = node.number("redistributor-stride")?;
        let stride = stride.unwrap_or(REDISTRIBUTOR_SIZE);
        if stride < REDISTRIBUTOR_SIZE || !stride.is_multiple_of(0x1_0000) {
            return Err(node.value("redistributor-stride", stride));
        }
        Ok(Self {
            distributor: node.first_reg(space, DISTRIBUTOR_SIZE)?,
            redistributors: redistributors(node, space)?,
            redistributor_stride: stride,
            its: its(node, space)?,
        })
    }

    /// All that it occupies.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = AddressRange> {
        let first = [Some(self.distributor), self.its].into_iter().flatten();
        first.chain(self.redistributors.iter().copied())
    }
}

impl Reference {
    pub(crate) fn parse(node: Node<'_>) -> Result<Option<Self>, Failed> {
        let Some(phandle) = node.cell("phandle")? else {
            return Ok(None);
        };
        // Unlike in `reg`, no property means no address.
        let address_cells = node.cell("#address-cells")?.unwrap_or(0);
        node.at_most("#address-cells", address_cells.into(), 2)?;
        Ok(Some(Self {
            phandle,
            address_cells,
        }))
    }
}

/// The regions of redistributors: they stand behind the distributor.
fn redistributors(
    node: Node<'_>,
    space: IpaSpace,
) -> Result<Vec<AddressRange, MAX_REDISTRIBUTOR_REGIONS>, Failed> {
    let property = "#redistributor-regions";
    let count = node.cell(property)?.unwrap_or(1);
    if count == 0 || count as usize > MAX_REDISTRIBUTOR_REGIONS {
        return Err(node.value(property, count.into()));
    }
    let mut reg = node.reg(space)?.skip(1);
    let mut regions = Vec::new();
    for _ in 0..count {
        let region = reg.next().ok_or_else(|| node.length("reg"))??;
        let region = node.at_least(region, REDISTRIBUTOR_SIZE)?;
        // There is room: the count was checked.
        let _ = regions.push(region);
    }
    Ok(regions)
}

fn its(node: Node<'_>, space: IpaSpace) -> Result<Option<AddressRange>, Failed> {
    let mut children = node.children("interrupt translation service")?;
    let Some(its) = children.find(|child| child.is_compatible(&["arm,gic-v3-its"])) else {
        return Ok(None);
    };
    // Only where the addresses of the child are those of the CPU do we know where it is.
    if node.bytes("ranges") != Some(&[]) {
        return Err(node.length("ranges"));
    }
    its.first_reg(space, ITS_SIZE).map(Some)
}
