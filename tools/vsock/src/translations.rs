//! Where the guest's addresses lead: what QEMU told of its IOMMU, and what is missing.

use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use vm_memory::iommu::{Error, Iotlb, IotlbFails, IotlbIterator, IovaRange};
use vm_memory::{GuestAddress, Iommu, Permissions};

/// A translation that a pass over a ring did not find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Miss {
    /// The address as the guest has it.
    pub address: u64,
    /// What was wanted there.
    pub access: Permissions,
}

/// The translations that are known.
#[derive(Debug, Default)]
pub struct Translations {
    known: RwLock<Iotlb>,
    missed: RwLock<Vec<Miss>>,
}

impl Translations {
    /// Adds a translation; `false` if it is of nothing, or wraps.
    pub fn add(&self, from: u64, to: u64, size: usize, access: Permissions) -> bool {
        let fits = size != 0 && from.checked_add(size as u64).is_some();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        fits && known
            .set_mapping(GuestAddress(from), GuestAddress(to), size, access)
            .is_ok()
    }

    /// Forgets the translations of a range; all of them if there is no telling which.
    pub fn forget(&self, from: u64, size: u64) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        match (usize::try_from(size), from.checked_add(size)) {
            (Ok(size), Some(_)) if size != 0 => known.invalidate_mapping(GuestAddress(from), size),
            _ => known.invalidate_all(),
        }
    }

    /// What was missed since this was last asked.
    pub fn take_missed(&self) -> Vec<Miss> {
        let mut missed = self.missed.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *missed)
    }

    /// Whether something was missed since [`Self::take_missed`].
    pub fn has_missed(&self) -> bool {
        let missed = self.missed.read().unwrap_or_else(PoisonError::into_inner);
        !missed.is_empty()
    }

    /// Notes the first gap: the next pass finds the next.
    fn note(&self, fails: &IotlbFails, access: Permissions) {
        let gaps = fails.misses.first().or(fails.access_fails.first());
        let mut missed = self.missed.write().unwrap_or_else(PoisonError::into_inner);
        missed.extend(gaps.map(|range| Miss {
            address: range.base.0,
            access,
        }));
    }
}

impl Iommu for Translations {
    type IotlbGuard<'a> = RwLockReadGuard<'a, Iotlb>;

    /// Does not wait: what is missing is noted, and the caller fails.
    fn translate(
        &self,
        address: GuestAddress,
        length: usize,
        access: Permissions,
    ) -> Result<IotlbIterator<Self::IotlbGuard<'_>>, Error> {
        let failed = |reason: &str| Error::CannotResolve {
            iova_range: IovaRange {
                base: address,
                length,
            },
            reason: reason.to_owned(),
        };
        if address.0.checked_add(length as u64).is_none() {
            return Err(failed("it wraps"));
        }
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        Iotlb::lookup(known, address, length, access).map_err(|fails| {
            self.note(&fails, access);
            failed("it is not known yet")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_missed_and_found_once_it_was_told() {
        let table = Translations::default();
        let ask = |at, len, access| table.translate(GuestAddress(at), len, access).is_ok();
        assert!(!ask(0x1ff0, 0x20, Permissions::Read));
        let missed = table.take_missed();
        assert_eq!(missed[0].address, 0x1ff0);
        assert!(table.add(0x1000, 0x8000, 0x1000, Permissions::Read));
        assert!(table.add(0x2000, 0x4000, 0x1000, Permissions::ReadWrite));
        assert!(ask(0x1ff0, 0x20, Permissions::Read));
        assert!(table.take_missed().is_empty());
        // The first of the two pages cannot be written.
        assert!(!ask(0x1ff0, 0x20, Permissions::Write));
        assert_eq!(table.take_missed()[0].address, 0x1ff0);
    }

    #[test]
    fn what_was_taken_back_is_not_reached_any_more() {
        let table = Translations::default();
        let ask = |at| {
            table
                .translate(GuestAddress(at), 8, Permissions::Read)
                .is_ok()
        };
        for page in [0x1000, 0x2000, 0x3000] {
            assert!(table.add(page, page, 0x1000, Permissions::Read));
        }
        table.forget(0x2000, 0x1000);
        assert!(ask(0x1000) && !ask(0x2000) && ask(0x3000));
        // As QEMU says «everything»: its size wraps to 0.
        table.forget(0, 0);
        assert!(!ask(0x1000) && !ask(0x3000));
    }

    #[test]
    fn an_address_that_wraps_is_no_miss() {
        let table = Translations::default();
        let wrapping = table.translate(GuestAddress(u64::MAX - 3), 8, Permissions::Read);
        assert!(wrapping.is_err() && table.take_missed().is_empty());
        assert!(!table.add(u64::MAX - 3, 0, 8, Permissions::Read));
        assert!(!table.add(0x1000, 0x1000, 0, Permissions::Read));
    }

    #[test]
    fn of_many_gaps_one_is_asked_for() {
        let table = Translations::default();
        for page in 0..1000 {
            assert!(table.add(page * 0x2000, 0, 0x1000, Permissions::Read));
        }
        assert!(
            table
                .translate(GuestAddress(0), 0x20_0000, Permissions::Read)
                .is_err()
        );
        assert_eq!(table.take_missed().len(), 1);
    }
}
