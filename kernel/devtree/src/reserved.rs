//! Memory that is set apart: by the reservation block, and by `/reserved-memory`.

use heapless::Vec;
use ipa::IpaSpace;

use crate::error::Failed;
use crate::node::Node;
use crate::{AddressRange, Error, Tree};

/// Most ranges of reserved memory that we keep.
pub const MAX_RESERVED: usize = 16;

const AT: &str = "reserved memory";

/// All ranges that are not ours to use as we like.
pub(crate) fn reserved(
    tree: &Tree<'_>,
    space: IpaSpace,
) -> Result<Vec<AddressRange, MAX_RESERVED>, Failed> {
    let mut ranges = Vec::new();
    for (base, len) in tree.memory_reservations() {
        let range = AddressRange::new(space, base, len);
        let range = range.ok_or_else(|| tree.fail(Error::Range { at: AT, base, len }))?;
        push(tree, &mut ranges, range)?;
    }
    if let Some(parent) = tree.reserved_memory()? {
        // A node with a size and no place is a wish; nobody has placed it before us. Restricted pools
        // are judged by themselves.
        let is_ours =
            |node: &Node<'_>| node.has("reg") && !node.is_compatible(&["restricted-dma-pool"]);
        for node in parent.children(AT)?.filter(is_ours) {
            for range in node.reg(space)? {
                push(tree, &mut ranges, range?)?;
            }
        }
    }
    Ok(ranges)
}

fn push<T, const N: usize>(tree: &Tree<'_>, list: &mut Vec<T, N>, item: T) -> Result<(), Failed> {
    let (at, limit) = (AT, N);
    list.push(item)
        .map_err(|_| tree.fail(Error::TooMany { at, limit }))
}
