//! What one kind of device reaches: tables for granules of guest memory, and for the doorbell.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::layout::{DOORBELL_PAGE, GRANULE, GUEST_RAM, MAX_GRANULES, Space};
use crate::stage2::{ENTRIES, Leaves, MIDDLES, Table, address_of};

const TABLE: u64 = 0b11;
/// A page: valid, memory attribute 0, read and write for all, inner shareable, accessed, no execution.
const PAGE: u64 = 0x0060_0000_0000_0f43;

/// Tables for granules of guest memory, at low addresses, at high ones, or at both.
#[repr(C)]
pub(super) struct Tree {
    root: Table,
    /// Second table of a walk that starts at level 0: for the low and for the high addresses.
    uppers: [Table; 2],
    middles: [Table; MIDDLES],
    doorbell_middle: Table,
    doorbell: Table,
    leaves: Leaves,
}

impl Tree {
    /// Nothing is mapped.
    pub(super) const fn new() -> Self {
        Self {
            root: Table::new(),
            uppers: [const { Table::new() }; 2],
            middles: [const { Table::new() }; MIDDLES],
            doorbell_middle: Table::new(),
            doorbell: Table::new(),
            leaves: Leaves([const { AtomicU64::new(0) }; MAX_GRANULES]),
        }
    }

    /// Where a walk starts.
    pub(super) fn root(&self) -> u64 {
        address_of(&self.root)
    }

    /// Links everything for `space`: pages at low addresses, at high ones, or both.
    pub(super) fn link(&self, space: Space, low: bool, high: bool) {
        self.link_leaves();
        for (shared, memory) in [(false, low), (true, high)] {
            let gib = if shared { space.shared_bit() >> 30 } else { 0 };
            let table = self.level_1(space, shared);
            // Devices of either kind of address have to reach the doorbell.
            put(table, gib, address_of(&self.doorbell_middle) | TABLE);
            for (middle, n) in self.middles.iter().zip(1..) {
                put(
                    table,
                    gib + n,
                    if memory {
                        address_of(middle) | TABLE
                    } else {
                        0
                    },
                );
            }
        }
    }

    /// The table whose entries are GiBs: a narrow walk starts there.
    fn level_1(&self, space: Space, shared: bool) -> &Table {
        if space.width() == 33 {
            return &self.root;
        }
        let [low, high] = &self.uppers;
        let (upper, address) = if shared {
            (high, space.shared_bit())
        } else {
            (low, 0)
        };
        put(&self.root, address >> 39, address_of(upper) | TABLE);
        upper
    }

    fn link_leaves(&self) {
        let blocks = (GUEST_RAM - (1 << 30)) >> 21;
        for (leaves, block) in self.leaves.0.chunks_exact(ENTRIES).zip(blocks..) {
            let middle = usize::try_from(block)
                .ok()
                .and_then(|b| self.middles.get(b / ENTRIES));
            if let Some(middle) = middle {
                put(middle, block, address_of(leaves) | TABLE);
            }
        }
        put(
            &self.doorbell_middle,
            DOORBELL_PAGE >> 21,
            address_of(&self.doorbell) | TABLE,
        );
        put(&self.doorbell, DOORBELL_PAGE >> 12, DOORBELL_PAGE | PAGE);
    }

    pub(super) fn map(&self, granule: usize) {
        set(
            &self.leaves.0,
            granule,
            (GUEST_RAM + granule as u64 * GRANULE) | PAGE,
        );
    }

    pub(super) fn unmap(&self, granule: usize) {
        set(&self.leaves.0, granule, 0);
    }
}

/// Sets entry `number`, taken modulo the entries of a table.
fn put(table: &Table, number: u64, value: u64) {
    let at = usize::try_from(number % ENTRIES as u64).unwrap_or(0);
    set(&table.0, at, value);
}

pub(super) fn set(words: &[AtomicU64], at: usize, value: u64) {
    if let Some(word) = words.get(at) {
        word.store(value, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::boxed::Box;
    use std::vec::Vec;

    use super::*;

    fn tree() -> &'static Tree {
        let big = std::thread::Builder::new().stack_size(64 << 20);
        big.spawn(|| &*Box::leak(Box::new(Tree::new())))
            .unwrap()
            .join()
            .unwrap()
    }

    fn entry(words: &[AtomicU64], at: u64) -> u64 {
        words[usize::try_from(at).unwrap()].load(Ordering::Relaxed)
    }

    /// Walks as the SMMU does; gives the leaf.
    fn walk(tree: &'static Tree, width: u32, address: u64) -> Option<u64> {
        let mut tables: Vec<&[AtomicU64]> = [&tree.doorbell, &tree.doorbell_middle]
            .into_iter()
            .chain(&tree.uppers)
            .chain(&tree.middles)
            .map(|table| &table.0[..])
            .collect();
        tables.extend(tree.leaves.0.chunks_exact(ENTRIES));
        let find = |pointer: u64| tables.iter().find(|t| address_of(**t) | TABLE == pointer);
        let mut table: &[AtomicU64] = &tree.root.0;
        let first = if width == 41 { 39 } else { 30 };
        for shift in (21..=first).rev().step_by(9) {
            table = find(entry(table, address >> shift & 511))?;
        }
        Some(entry(table, address >> 12 & 511))
    }

    #[test]
    fn a_page_stands_where_the_options_say_and_the_doorbell_in_both_places() {
        for width in [33, 41] {
            for (low, high) in [(true, false), (false, true), (true, true)] {
                let tree = tree();
                let space = Space::new(width).unwrap();
                tree.link(space, low, high);
                for granule in [0, 0x3_c001, MAX_GRANULES - 1] {
                    let page = GUEST_RAM + granule as u64 * GRANULE;
                    tree.map(granule);
                    let seen = |address| walk(tree, width, address) == Some(page | PAGE);
                    assert_eq!(seen(page), low, "{width} {page:#x}");
                    assert_eq!(seen(page | space.shared_bit()), high, "{width} {page:#x}");
                    tree.unmap(granule);
                    assert!(!seen(page) && !seen(page | space.shared_bit()));
                }
                for address in [DOORBELL_PAGE, DOORBELL_PAGE | space.shared_bit()] {
                    assert_eq!(walk(tree, width, address), Some(DOORBELL_PAGE | PAGE));
                }
            }
        }
    }
}
