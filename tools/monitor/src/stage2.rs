//! The realm's stage 2 tables: guest memory by granules, in one half or the other, and nothing else.
//!
//! A device has no entry, so that each access to it comes to the monitor.
//!
//! Ref: Arm ARM, D8.2 and D8.3 (VMSAv8-64 stage 2, 4 KiB granule).

use core::sync::atomic::{AtomicU64, Ordering};

use crate::layout::{GRANULE, GUEST_RAM, MAX_GRANULES, Space};

/// Entries in one table.
pub const ENTRIES: usize = 512;
/// Entries in the four concatenated tables where a walk of 41-bit addresses starts.
pub const ROOT_ENTRIES: usize = 2048;
/// Tables of the second level per half: guest memory begins inside one GiB and ends in the next.
pub const MIDDLES: usize = 2;

const TABLE: u64 = 0b11;
/// Normal write-back memory, read and write, inner shareable, access flag set, a page.
const PAGE: u64 = 0x7ff;
/// No execution at any exception level.
const NO_EXECUTE: u64 = 2 << 53;

/// Which half of the realm's address space a mapping is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The lower half.
    Protected = 0,
    /// The upper half.
    Shared = 1,
}

/// A table of one page, where the machine can walk it.
#[repr(C, align(4096))]
pub struct Table(pub [AtomicU64; ENTRIES]);

impl Table {
    /// A table that maps nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; ENTRIES])
    }
}

impl Default for Table {
    fn default() -> Self {
        Self::new()
    }
}

/// The table where a walk starts, aligned to its size.
#[repr(C, align(16384))]
pub struct Root(pub [AtomicU64; ROOT_ENTRIES]);

/// The tables of the last level for one half, one behind the other.
#[repr(C, align(4096))]
pub struct Leaves(pub [AtomicU64; MAX_GRANULES]);

/// All memory that the tables need; lives for ever, zero at first.
pub struct Tables {
    /// Start of the walk.
    pub root: Root,
    /// Second level, first for the protected, then for the shared half.
    pub middles: [[Table; MIDDLES]; 2],
    /// Last level, likewise.
    pub leaves: [Leaves; 2],
}

impl Tables {
    /// Tables that map nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            root: Root([const { AtomicU64::new(0) }; ROOT_ENTRIES]),
            middles: [const { [const { Table::new() }; MIDDLES] }; 2],
            leaves: [const { Leaves([const { AtomicU64::new(0) }; MAX_GRANULES]) }; 2],
        }
    }
}

impl Default for Tables {
    fn default() -> Self {
        Self::new()
    }
}

/// The realm's stage 2.
#[derive(Clone, Copy)]
pub struct Stage2 {
    tables: &'static Tables,
    /// Whether the monitor keeps the halves apart. Only a test of the tests says no.
    enforce: bool,
}

impl Stage2 {
    /// Links `tables` for `space`; no granule is mapped yet.
    #[must_use]
    pub fn new(tables: &'static Tables, space: Space, enforce: bool) -> Self {
        for (side, middles) in tables.middles.iter().enumerate() {
            let base = if side == 0 { 0 } else { space.shared_bit() };
            for (n, middle) in middles.iter().enumerate() {
                let gib = (base + (1 << 30) * (n as u64 + 1)) >> 30;
                let entry = usize::try_from(gib)
                    .ok()
                    .and_then(|at| tables.root.0.get(at));
                store(entry, address_of(middle) | TABLE);
            }
        }
        for (side, leaves) in tables.leaves.iter().enumerate() {
            for (n, first) in leaves.0.chunks_exact(ENTRIES).enumerate() {
                let block = (GUEST_RAM - (1 << 30)) / (ENTRIES as u64 * GRANULE) + n as u64;
                let block = usize::try_from(block).unwrap_or(usize::MAX);
                let middle = tables
                    .middles
                    .get(side)
                    .and_then(|m| m.get(block / ENTRIES));
                store(
                    middle.and_then(|m| m.0.get(block % ENTRIES)),
                    address_of(first) | TABLE,
                );
            }
        }
        Self { tables, enforce }
    }

    /// The address that goes into `VTTBR_EL2`.
    #[must_use]
    pub fn root(&self) -> u64 {
        address_of(&self.tables.root)
    }

    /// Maps granule number `granule` on `side`.
    pub fn map(&self, side: Side, granule: usize) {
        let page = GUEST_RAM + granule as u64 * GRANULE;
        let kind = if side == Side::Shared && self.enforce {
            PAGE | NO_EXECUTE
        } else {
            PAGE
        };
        store(self.leaf(side, granule), page | kind);
    }

    /// Unmaps granule number `granule` on `side`. The caller forgets old translations.
    pub fn unmap(&self, side: Side, granule: usize) {
        if self.enforce {
            store(self.leaf(side, granule), 0);
        }
    }

    /// Whether granule number `granule` is mapped on `side`.
    #[must_use]
    pub fn is_mapped(&self, side: Side, granule: usize) -> bool {
        self.leaf(side, granule)
            .is_some_and(|leaf| leaf.load(Ordering::Relaxed) & 1 == 1)
    }

    fn leaf(&self, side: Side, granule: usize) -> Option<&'static AtomicU64> {
        self.tables
            .leaves
            .get(side as usize)
            .and_then(|leaves| leaves.0.get(granule))
    }
}

/// `VTCR_EL2` for `space`: 4 KiB granule, write-back tables, the walk starts at level 1.
#[must_use]
pub const fn control(space: Space) -> u64 {
    if space.width() == 41 {
        0x8003_3557
    } else {
        0x8001_355f
    }
}

/// The machine address of `thing`, which the machine will walk or read by itself.
#[must_use]
pub fn address_of<T: ?Sized>(thing: &T) -> u64 {
    core::ptr::from_ref(thing).cast::<u8>().expose_provenance() as u64
}

fn store(entry: Option<&AtomicU64>, value: u64) {
    if let Some(entry) = entry {
        entry.store(value, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::boxed::Box;

    use super::*;

    /// Walks as the machine does; gives the leaf.
    fn walk(tables: &'static Tables, ipa: u64) -> Option<u64> {
        let root = tables.root.0[(ipa >> 30) as usize].load(Ordering::Relaxed);
        let middle = tables
            .middles
            .iter()
            .flatten()
            .find(|m| address_of(*m) | TABLE == root)?;
        let second = middle.0[((ipa >> 21) & 511) as usize].load(Ordering::Relaxed);
        let mut last = tables.leaves.iter().flat_map(|l| l.0.chunks_exact(ENTRIES));
        let last = last.find(|l| address_of(*l) | TABLE == second)?;
        Some(last[((ipa >> 12) & 511) as usize].load(Ordering::Relaxed))
    }

    fn tables() -> &'static Tables {
        // Too big for the stack of a test.
        let zeroed = std::thread::Builder::new().stack_size(64 << 20);
        zeroed
            .spawn(|| &*Box::leak(Box::new(Tables::new())))
            .unwrap()
            .join()
            .unwrap()
    }

    #[test]
    fn a_walk_finds_each_granule_in_the_half_where_it_was_mapped() {
        for width in [33, 41] {
            let tables = tables();
            let space = Space::new(width).unwrap();
            let stage2 = Stage2::new(tables, space, true);
            for granule in [0usize, 1, 511, 512, 0x3_bfff, 0x3_c000, MAX_GRANULES - 1] {
                let page = GUEST_RAM + granule as u64 * GRANULE;
                assert_eq!(walk(tables, page), Some(0));
                stage2.map(Side::Protected, granule);
                assert_eq!(walk(tables, page), Some(page | PAGE));
                assert_eq!(walk(tables, page | space.shared_bit()), Some(0));
                stage2.unmap(Side::Protected, granule);
                stage2.map(Side::Shared, granule);
                assert_eq!(walk(tables, page), Some(0));
                let alias = walk(tables, page | space.shared_bit());
                assert_eq!(alias, Some(page | PAGE | NO_EXECUTE));
                assert!(stage2.is_mapped(Side::Shared, granule));
            }
        }
    }

    #[test]
    fn memory_of_the_monitor_is_in_no_half() {
        let tables = tables();
        let stage2 = Stage2::new(tables, Space::new(41).unwrap(), true);
        stage2.map(Side::Protected, 0);
        assert_eq!(walk(tables, GUEST_RAM - GRANULE), None);
    }
}
