//! What the guest did, in numbers.

use crate::regions::{COUNT, Region};
use crate::rsi::Command;

/// Reads and writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accesses {
    /// Loads carried out.
    pub reads: u64,
    /// Stores carried out.
    pub writes: u64,
}

impl Accesses {
    /// Counts one more.
    pub fn count(&mut self, write: bool) {
        let count = if write {
            &mut self.writes
        } else {
            &mut self.reads
        };
        *count = count.saturating_add(1);
    }
}

/// The numbers of the report.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Calls of each RSI command, by its place in [`Command::ALL`].
    pub rsi: [u64; Command::ALL.len()],
    /// Calls of functions that nobody implements.
    pub unknown_calls: u64,
    /// Calls of PSCI.
    pub psci: u64,
    /// Times that a real host would have been entered: each device access, each change of state,
    /// each host call, each PSCI call that the host takes part in, each abort that it injects.
    pub exits: u64,
    /// Accesses to each region.
    pub regions: [Accesses; COUNT],
    /// Stage 2 faults that ended in an abort of the guest.
    pub stage2_faults: u64,
    /// Records of the SMMU.
    pub smmu_faults: u64,
    /// `hvc` instructions.
    pub hvc: u64,
    /// Granules that became shared, and that became private.
    pub granules_moved: (u64, u64),
}

impl Counters {
    /// Counts an access that was carried out.
    pub fn access(&mut self, region: Region, write: bool) {
        self.exits = self.exits.saturating_add(1);
        if let Some(accesses) = self.regions.get_mut(region as usize) {
            accesses.count(write);
        }
    }

    /// Counts a call of the RSI.
    pub fn rsi_call(&mut self, command: Command) {
        if let Some(count) = self.rsi.get_mut(command as usize) {
            *count = count.saturating_add(1);
        }
        if matches!(command, Command::IpaStateSet | Command::HostCall) {
            self.exits = self.exits.saturating_add(1);
        }
    }

    /// Accesses to all regions.
    #[must_use]
    pub fn total(&self) -> Accesses {
        self.regions
            .iter()
            .fold(Accesses::default(), |sum, one| Accesses {
                reads: sum.reads.saturating_add(one.reads),
                writes: sum.writes.saturating_add(one.writes),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_device_access_is_an_exit() {
        let mut counters = Counters::default();
        counters.access(Region::Uart, true);
        counters.access(Region::Uart, true);
        counters.access(Region::PciConfig, false);
        counters.rsi_call(Command::Version);
        counters.rsi_call(Command::IpaStateSet);
        assert_eq!(
            counters.total(),
            Accesses {
                reads: 1,
                writes: 2
            }
        );
        assert_eq!(counters.exits, 4);
    }
}
