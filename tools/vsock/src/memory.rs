//! The guest's memory, as QEMU hands it over: regions, each of a file of its own.

use std::fs::File;
use std::os::fd::OwnedFd;

use anyhow::{Context, Result, bail, ensure};
use vm_memory::{FileOffset, GuestAddress, GuestMemoryMmap, IommuMemory, Permissions};

use crate::translations::{Miss, Translations};

/// The guest's memory, behind its IOMMU if it has one.
pub type Guest = IommuMemory<GuestMemoryMmap, Translations>;

/// A range of the guest's memory.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    /// Where the guest has it.
    pub guest: u64,
    /// Its bytes.
    pub size: u64,
    /// Where QEMU has it.
    pub user: u64,
    /// Where it begins in its file.
    pub offset: u64,
}

/// All memory that we were given.
pub struct Memory {
    regions: Vec<Region>,
    guest: Guest,
}

impl Default for Memory {
    fn default() -> Self {
        let guest = Guest::new(
            GuestMemoryMmap::default(),
            Translations::default(),
            false,
            (),
        );
        let regions = Vec::new();
        Self { regions, guest }
    }
}

impl Memory {
    /// Takes new regions instead of those that there are.
    ///
    /// # Errors
    /// They overlap, or a file is too short.
    pub fn replace(&mut self, mut regions: Vec<(Region, OwnedFd)>) -> Result<()> {
        regions.sort_by_key(|(region, _)| region.guest);
        let mut ranges = Vec::new();
        self.regions.clear();
        for (region, file) in regions {
            let size = usize::try_from(region.size).context("a region beyond our addresses")?;
            let file = File::from(file);
            // Beyond the end of its file, memory that is mapped ends us.
            let end = region.offset.checked_add(region.size);
            let len = file.metadata()?.len();
            ensure!(
                end.is_some_and(|end| end <= len),
                "memory beyond the end of its file"
            );
            let file = FileOffset::new(file, region.offset);
            ranges.push((GuestAddress(region.guest), size, Some(file)));
            self.regions.push(region);
        }
        let mapped = GuestMemoryMmap::from_ranges_with_files(ranges)?;
        self.guest = self.guest.with_replaced_backend(mapped);
        Ok(())
    }

    /// Whether addresses of the guest's rings and buffers are the IOMMU's, or those of its memory.
    pub fn set_translated(&mut self, translated: bool) {
        self.guest.set_iommu_enabled(translated);
        self.guest.iommu().forget(0, 0);
    }

    /// The memory, as the device is to see it.
    pub fn guest(&self) -> &Guest {
        &self.guest
    }

    /// Where a ring lies that QEMU names: by the guest's address behind an IOMMU, by its own without one.
    ///
    /// # Errors
    /// It lies nowhere.
    pub fn ring_address(&self, named: u64) -> Result<u64> {
        if self.guest.get_iommu_enabled() {
            return Ok(named);
        }
        self.of_user(named, 1)
    }

    /// Takes a translation: `user` is where QEMU has the memory.
    ///
    /// # Errors
    /// There is no such memory.
    pub fn add_translation(
        &self,
        address: u64,
        size: u64,
        user: u64,
        access: Permissions,
    ) -> Result<()> {
        let guest = self.of_user(user, size)?;
        let size = usize::try_from(size)?;
        let iommu = self.guest.iommu();
        ensure!(
            iommu.add(address, guest, size, access),
            "a translation that wraps"
        );
        Ok(())
    }

    /// Forgets the translations of a range.
    pub fn forget_translations(&self, address: u64, size: u64) {
        self.guest.iommu().forget(address, size);
    }

    /// The translations that were missed since this was last asked.
    pub fn take_missed(&self) -> Vec<Miss> {
        self.guest.iommu().take_missed()
    }

    fn of_user(&self, user: u64, size: u64) -> Result<u64> {
        for region in &self.regions {
            let Some(offset) = user.checked_sub(region.user) else {
                continue;
            };
            let end = offset.checked_add(size);
            if end.is_some_and(|end| end <= region.size) {
                return region
                    .guest
                    .checked_add(offset)
                    .context("a region that wraps");
            }
        }
        bail!("QEMU names memory that it has not handed over: {user:#x}, {size} bytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use vm_memory::Bytes;

    fn memory() -> Memory {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[0; 0x3000]).unwrap();
        let region = Region {
            guest: 0x4000_0000,
            size: 0x2000,
            user: 0x7f00_0000_0000,
            offset: 0x1000,
        };
        let mut memory = Memory::default();
        memory.replace(vec![(region, file.into())]).unwrap();
        memory
    }

    #[test]
    fn without_an_iommu_qemus_addresses_are_looked_up() {
        let memory = memory();
        assert_eq!(memory.ring_address(0x7f00_0000_1000).unwrap(), 0x4000_1000);
        assert!(memory.ring_address(0x7f00_0000_2000).is_err());
        memory
            .guest()
            .write_obj(7_u32, GuestAddress(0x4000_1ffc))
            .unwrap();
        assert!(
            memory
                .guest()
                .read_obj::<u32>(GuestAddress(0x4000_2000))
                .is_err()
        );
    }

    #[test]
    fn behind_an_iommu_only_what_was_translated_is_reached() {
        let mut memory = memory();
        memory.set_translated(true);
        let read = |memory: &Memory, at| memory.guest().read_obj::<u32>(GuestAddress(at)).is_ok();
        // The memory is there, and its own address leads nowhere.
        assert!(!read(&memory, 0x4000_0000));
        let access = Permissions::ReadWrite;
        memory
            .add_translation(0x8000, 0x1000, 0x7f00_0000_1000, access)
            .unwrap();
        assert!(read(&memory, 0x8000) && !read(&memory, 0x9000));
        memory.forget_translations(0x8000, 0x1000);
        assert!(!read(&memory, 0x8000));
        let beyond = memory.add_translation(0x8000, 0x1000, 0x7f00_0000_1800, access);
        assert!(beyond.unwrap_err().to_string().contains("not handed over"));
    }

    #[test]
    fn a_region_beyond_its_file_is_refused() {
        let file = tempfile::tempfile().unwrap();
        let region = Region {
            guest: 0,
            size: 0x1000,
            user: 0,
            offset: 0,
        };
        assert!(
            Memory::default()
                .replace(vec![(region, file.into())])
                .is_err()
        );
    }
}
