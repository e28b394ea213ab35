//! Stage 1: an identity map of the IPA space, written once and changed by break-before-make.
//!
//! The tables are those of `aarch64-paging`, which refuses changes to a live map that need
//! break-before-make, in memory of the image: a realm may walk no table that it does not own, and
//! the first ones are needed before any RAM is.
// UNSAFETY: page tables and the registers that point to them.
#![expect(
    unsafe_code,
    reason = "changing the map changes what every pointer means"
)]

mod pool;

use core::ops::Range;

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{ID_AA64MMFR0_EL1, TCR_EL1, TTBR0_EL1};
use aarch64_paging::Mapping;
use aarch64_paging::descriptor::{El1Attributes, PhysicalAddress};
use aarch64_paging::mair::{Mair, MairAttribute, NormalMemory};
use aarch64_paging::paging::{Constraints, El1And0, MemoryRegion, VaRange};
use ipa::PagingError as Error;
use tock_registers::interfaces::{Readable, Writeable};

use self::pool::Pool;
pub use self::pool::most_tables;
use crate::image;

/// 48-bit addresses: four levels.
const ROOT_LEVEL: usize = 0;
const BLOCK: u64 = 2 << 20;
/// Address bits that the CPU may have, by `ID_AA64MMFR0_EL1.PARange`.
const PA_BITS: [u32; 6] = [32, 36, 40, 42, 44, 48];
/// The largest of them, as `TCR_EL1.IPS` takes it.
pub(crate) const MOST_ADDRESS_BITS: u64 = PA_BITS.len() as u64 - 1;
/// `TCR_EL1` but for `IPS`: 48 bits by pages of 4 KiB, tables in cached and shared memory, nothing in the upper half.
pub(crate) const TCR: u64 = TCR_EL1::T0SZ.val(16).value
    | TCR_EL1::IRGN0::WriteBack_ReadAlloc_WriteAlloc_Cacheable.value
    | TCR_EL1::ORGN0::WriteBack_ReadAlloc_WriteAlloc_Cacheable.value
    | TCR_EL1::SH0::Inner.value
    | TCR_EL1::TG0::KiB_4.value
    | TCR_EL1::EPD1::DisableTTBR1Walks.value;

/// Index 0 of `MAIR_EL1`: device registers. Index 1: memory.
pub(crate) const MAIR: Mair = Mair::EMPTY
    .with_attribute(0, MairAttribute::DEVICE_NGNRE)
    .with_attribute(
        1,
        MairAttribute::normal(
            NormalMemory::WriteBackNonTransientReadWriteAllocate,
            NormalMemory::WriteBackNonTransientReadWriteAllocate,
        ),
    );

/// What is at a page, and so what may be done with it. Nothing is both writable and executable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Code: read and execute.
    Code,
    /// Constants: read.
    Constants,
    /// Memory, private or shared: read and write.
    Data,
    /// Device registers: read and write, in order, unbuffered reads.
    Device,
}

impl Content {
    pub(crate) const fn attributes(self) -> El1Attributes {
        let memory = El1Attributes::ATTRIBUTE_INDEX_1.union(El1Attributes::INNER_SHAREABLE);
        let never_executed = El1Attributes::UXN.union(El1Attributes::PXN);
        let specific = match self {
            Self::Code => memory
                .union(El1Attributes::READ_ONLY)
                .union(El1Attributes::UXN),
            Self::Constants => memory.union(El1Attributes::READ_ONLY).union(never_executed),
            Self::Data => memory.union(never_executed),
            Self::Device => El1Attributes::ATTRIBUTE_INDEX_0.union(never_executed),
        };
        specific
            .union(El1Attributes::VALID)
            .union(El1Attributes::ACCESSED)
    }
}

/// The identity map.
pub struct AddressSpace {
    mapping: Mapping<Pool, El1And0>,
    limit: u64,
}

impl AddressSpace {
    /// Makes a map in which nothing is mapped but the image, guard pages left out.
    ///
    /// # Safety
    ///
    /// Called once: it takes the tables of the image.
    ///
    /// # Errors
    ///
    /// None for an image that is where the CPU runs it; the signature is that of [`Self::map`].
    pub unsafe fn new() -> Result<Self, Error> {
        let mapping =
            Mapping::with_asid_and_va_range(Pool::new(), 0, ROOT_LEVEL, El1And0, VaRange::Lower);
        let mut space = Self {
            mapping,
            limit: 1 << address_bits(),
        };
        space.map(image::code(), Content::Code)?;
        space.map(image::constants(), Content::Constants)?;
        for run in image::data() {
            space.map(run, Content::Data)?;
        }
        Ok(space)
    }

    /// Tables that are left for what is not mapped yet.
    pub fn tables_left(&self) -> usize {
        self.mapping.translation().left()
    }

    /// First address behind everything that the CPU can address.
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    /// Has the CPU walk this map instead of the first one, in which the image has the same pages.
    ///
    /// # Safety
    ///
    /// `self` lives for ever and is where it will stay, and the CPU still walks the first map.
    pub unsafe fn activate(&self) {
        barrier::dsb(barrier::ISHST);
        TTBR0_EL1.set(self.mapping.root_address().0 as u64);
        barrier::isb(barrier::SY);
        // What the first map allowed, and this one does not, must not be remembered.
        invalidate_all();
        self.mapping.mark_active();
    }

    /// Maps the pages of `range` to themselves. What is mapped there in the same way stays.
    ///
    /// # Errors
    ///
    /// [`Error`] says why nothing was mapped.
    pub fn map(&mut self, range: Range<u64>, content: Content) -> Result<(), Error> {
        self.write(range, content.attributes(), BLOCK_MAPPINGS)
    }

    /// As [`Self::map`], but in a way that lets any 2 MiB of it be unmapped later.
    ///
    /// # Errors
    ///
    /// As for [`Self::map`].
    pub fn map_in_parts(&mut self, range: Range<u64>, content: Content) -> Result<(), Error> {
        let mut start = range.start;
        while start < range.end {
            let end = (start + 1).next_multiple_of(BLOCK).min(range.end);
            self.map(start..end, content)?;
            start = end;
        }
        Ok(())
    }

    /// Unmaps the pages of `range`, and waits until no CPU remembers them.
    ///
    /// # Errors
    ///
    /// [`Error`] says why nothing was unmapped.
    ///
    /// # Safety
    ///
    /// Nothing refers to memory in `range`.
    pub unsafe fn unmap(&mut self, range: Range<u64>) -> Result<(), Error> {
        self.write(range, El1Attributes::empty(), BLOCK_MAPPINGS)
    }

    fn write(
        &mut self,
        range: Range<u64>,
        attributes: El1Attributes,
        constraints: Constraints,
    ) -> Result<(), Error> {
        let address = range.start;
        let unreachable = Error::OutOfReach { address };
        if range.start >= range.end || range.end > self.limit {
            return Err(unreachable);
        }
        if self.tables_left() < most_tables(&range) {
            return Err(Error::NoTables { address });
        }
        let start = usize::try_from(range.start).map_err(|_| unreachable)?;
        let end = usize::try_from(range.end).map_err(|_| unreachable)?;
        let region = MemoryRegion::new(start, end);
        self.mapping
            .map_range(
                &region,
                PhysicalAddress(region.start().0),
                attributes,
                constraints,
            )
            .map_err(|_| Error::InUse { address })?;
        barrier::dsb(barrier::ISHST);
        barrier::isb(barrier::SY);
        Ok(())
    }
}

const BLOCK_MAPPINGS: Constraints = Constraints::empty();

/// Address bits that both the CPU and tables of 4 KiB pages have.
fn address_bits() -> u32 {
    let range = usize::try_from(ID_AA64MMFR0_EL1.read(ID_AA64MMFR0_EL1::PARange));
    range
        .ok()
        .and_then(|range| PA_BITS.get(range))
        .copied()
        .unwrap_or(48)
}

/// Forgets every translation and every instruction fetched so far.
fn invalidate_all() {
    // SAFETY: forgetting only costs time. The barriers order it after the tables were written and
    // before they are used.
    unsafe {
        core::arch::asm!(
            "dsb ishst",
            "tlbi vmalle1",
            "ic iallu",
            "dsb ish",
            "isb",
            options(nostack, preserves_flags)
        );
    }
}
