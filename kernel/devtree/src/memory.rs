//! RAM.

use heapless::Vec;
use ipa::{GRANULE_SIZE, GranuleRange, IpaSpace};

use crate::error::Failed;
use crate::{AddressRange, Error, Tree};

/// Most separate ranges of RAM that we keep.
pub const MAX_MEMORY_RANGES: usize = 16;

const AT: &str = "memory";

/// RAM by address, neighbours merged. A granule that is only partly RAM is left out.
pub(crate) fn memory(
    tree: &Tree<'_>,
    space: IpaSpace,
) -> Result<Vec<GranuleRange, MAX_MEMORY_RANGES>, Failed> {
    let mut ranges = Vec::new();
    let is_memory = |node: &crate::node::Node<'_>| node.bytes("device_type") == Some(b"memory\0");
    for node in tree.children(AT)?.filter(is_memory) {
        // A range of no bytes is what an empty socket looks like.
        for (base, len) in node.raw_reg()?.filter(|(_, len)| *len != 0) {
            let range = node.range(space, base, len)?;
            insert(&mut ranges, space, range).map_err(|error| tree.fail(error))?;
        }
    }
    if ranges.is_empty() {
        return Err(tree.fail(Error::NoNode { at: AT }));
    }
    Ok(ranges)
}

fn insert(
    ranges: &mut Vec<GranuleRange, MAX_MEMORY_RANGES>,
    space: IpaSpace,
    range: AddressRange,
) -> Result<(), Error> {
    let base = range.base().next_multiple_of(GRANULE_SIZE);
    let top = range.top() - range.top() % GRANULE_SIZE;
    let Ok(mut new) = GranuleRange::new(space, base, top) else {
        return Ok(());
    };
    if ranges.iter().any(|old| old.overlaps(new)) {
        let other = AT;
        return Err(Error::Overlap {
            at: AT,
            range,
            other,
        });
    }
    let touching = |old: &GranuleRange| {
        (old.top() == new.base().get() || new.top() == old.base().get()).then_some(*old)
    };
    let neighbours: Vec<GranuleRange, 2> = ranges.iter().filter_map(touching).collect();
    for old in neighbours {
        ranges.retain(|kept| *kept != old);
        let (base, top) = (old.base().min(new.base()), old.top().max(new.top()));
        new = GranuleRange::new(space, base.get(), top).unwrap_or(new);
    }
    let at = ranges.partition_point(|old| old.base() < new.base());
    let limit = MAX_MEMORY_RANGES;
    ranges
        .insert(at, new)
        .map_err(|_| Error::TooMany { at: AT, limit })
}
