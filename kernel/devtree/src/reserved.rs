//! Memory that is set apart: by the reservation block, and by `/reserved-memory`.

use heapless::Vec;
use ipa::IpaSpace;

use crate::node::Node;
use crate::{AddressRange, Error, Tree};

/// Most ranges of reserved memory that we keep, and most pools.
pub const MAX_RESERVED: usize = 16;

const AT: &str = "reserved memory";

/// A pool that one PCI function is to bounce through.
///
/// Ref: Linux, Documentation/devicetree/bindings/reserved-memory/shared-dma-pool.yaml.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestrictedPool {
    /// The function: its bus in bits 15 to 8, its device in 7 to 3, its number in 2 to 0.
    pub function: u16,
    /// The pool.
    pub range: AddressRange,
}

/// All ranges that are not ours to use as we like.
pub(crate) fn reserved(
    tree: &Tree<'_>,
    space: IpaSpace,
) -> Result<Vec<AddressRange, MAX_RESERVED>, Error> {
    let mut ranges = Vec::new();
    for (base, len) in tree.memory_reservations() {
        let range = AddressRange::new(space, base, len);
        push(
            &mut ranges,
            range.ok_or(Error::Range { at: AT, base, len })?,
        )?;
    }
    if let Some(parent) = tree.reserved_memory()? {
        // A node with a size and no place is a wish; nobody has placed it before us.
        for node in parent.children(AT)?.filter(|node| node.has("reg")) {
            for range in node.reg(space)? {
                push(&mut ranges, range?)?;
            }
        }
    }
    Ok(ranges)
}

/// The pools that functions below `host` are bound to.
pub(crate) fn pools(
    tree: &Tree<'_>,
    host: Node<'_>,
    space: IpaSpace,
) -> Result<Vec<RestrictedPool, MAX_RESERVED>, Error> {
    let known = placed_pools(tree, space)?;
    let mut pools = Vec::new();
    for device in host.children("PCI function")? {
        let Some(phandle) = device.cell("memory-region")? else {
            continue;
        };
        let Some((_, range)) = known.iter().find(|(known, _)| *known == phandle) else {
            continue;
        };
        let (function, range) = (function(device)?, *range);
        push(&mut pools, RestrictedPool { function, range })?;
    }
    Ok(pools)
}

/// The pools that have a place and a phandle.
fn placed_pools(
    tree: &Tree<'_>,
    space: IpaSpace,
) -> Result<Vec<(u32, AddressRange), MAX_RESERVED>, Error> {
    let mut pools = Vec::new();
    let Some(parent) = tree.reserved_memory()? else {
        return Ok(pools);
    };
    for node in parent.children(AT)? {
        let is_pool = node.is_compatible(&["restricted-dma-pool"]) && node.has("reg");
        let Some(phandle) = node.cell("phandle")?.filter(|_| is_pool) else {
            continue;
        };
        push(&mut pools, (phandle, node.first_reg(space, 1)?))?;
    }
    Ok(pools)
}

/// The function that a node below a PCI host is for.
fn function(node: Node<'_>) -> Result<u16, Error> {
    let property = "reg";
    let bytes = node.required(property)?;
    let [_, bus, function, _] = bytes.first_chunk().ok_or_else(|| node.length(property))?;
    Ok(u16::from_be_bytes([*bus, *function]))
}

fn push<T, const N: usize>(list: &mut Vec<T, N>, item: T) -> Result<(), Error> {
    let (at, limit) = (AT, N);
    list.push(item).map_err(|_| Error::TooMany { at, limit })
}
