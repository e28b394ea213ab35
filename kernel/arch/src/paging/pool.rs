//! The memory of the tables: a part of the image.
// UNSAFETY: makes tables of memory, and memory of tables.
#![expect(unsafe_code, reason = "makes tables of memory")]

use core::ops::Range;
use core::ptr::NonNull;

use aarch64_paging::descriptor::{El1Attributes, PhysicalAddress};
use aarch64_paging::paging::{PageTable, Translation};

use super::BLOCK;
use crate::image;

type Table = PageTable<El1Attributes>;

/// Tables in the image; the linker script reserves as many.
const TABLES: usize = 64;

/// The tables that are not in use.
pub(super) struct Pool {
    free: [Option<NonNull<Table>>; TABLES],
}

impl Pool {
    /// Takes the tables of the image. Called once: [`AddressSpace::new`] sees to that.
    pub(super) fn new() -> Self {
        let mut free = [None; TABLES];
        for (slot, address) in free
            .iter_mut()
            .zip(image::tables().step_by(size_of::<Table>()))
        {
            *slot = NonNull::new(address as *mut Table);
        }
        Self { free }
    }

    /// Tables that are left.
    pub(super) fn left(&self) -> usize {
        self.free.iter().flatten().count()
    }
}

impl Translation<El1Attributes> for Pool {
    fn allocate_table(&mut self) -> (NonNull<Table>, PhysicalAddress) {
        let table = self
            .free
            .iter_mut()
            .find_map(Option::take)
            .expect("`AddressSpace::map` counts the tables before it asks for any");
        (table, PhysicalAddress(table.as_ptr() as usize))
    }

    unsafe fn deallocate_table(&mut self, table: NonNull<Table>) {
        // SAFETY: the caller hands back a table of this pool, which nothing refers to any more.
        unsafe { table.write(Table::EMPTY) };
        if let Some(slot) = self.free.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(table);
        }
    }

    fn physical_to_virtual(&self, physical: PhysicalAddress) -> NonNull<Table> {
        NonNull::new(physical.0 as *mut Table).expect("no table of the image is at address 0")
    }
}

/// Most tables that mapping `range` can take: at each level one for each end, and one for each
/// whole entry of the level above where that may not be a block.
pub fn most_tables(range: &Range<u64>) -> usize {
    let ends = |size: u64| {
        if range.start / size == (range.end - 1) / size {
            1
        } else {
            2
        }
    };
    // Levels 1, 2 and 3 lie below entries of 512 GiB, 1 GiB and 2 MiB. Only level 0 has no blocks.
    let roots = (range.end - 1) / (512 << 30) - range.start / (512 << 30) + 1;
    usize::try_from(roots)
        .unwrap_or(usize::MAX)
        .saturating_add(ends(1 << 30) + ends(BLOCK))
}
