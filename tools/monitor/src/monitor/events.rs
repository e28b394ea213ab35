//! What the SMMU stopped, written down.

use super::Monitor;
use crate::machine::Machine;
use crate::violation::{Beside, Violation};

/// The most records taken at one trap; the rest waits for the next.
const BATCH: usize = 4096;

impl<M: Machine> Monitor<M> {
    /// Takes new records of the SMMU. When there are none, this reads one word of memory.
    pub(super) fn drain_events(&mut self) {
        for _ in 0..BATCH {
            let Some(event) = self.smmu.next_event(&self.machine) else {
                return;
            };
            self.counters.smmu_faults = self.counters.smmu_faults.saturating_add(1);
            self.violation(Violation::Dma {
                stream: event.stream,
                address: event.address,
                write: event.write,
                kind: event.kind,
                beside: self.beside(event.stream, event.address),
            });
        }
    }

    /// What pools have to do with an address that `stream` was kept from.
    fn beside(&self, stream: u32, address: u64) -> Beside {
        let address = address & !self.space.shared_bit();
        match (self.pools.owner(address), self.pools.of(stream)) {
            (Some(owner), own) if self.pools.at(address) != own => Beside::PoolOf(owner),
            (None, Some(_)) => Beside::OwnPool,
            _ => Beside::Nothing,
        }
    }

    /// Takes what is left at the end, and asks whether records were lost.
    pub(super) fn final_events(&mut self) {
        self.drain_events();
        if self.smmu.lost_events(&self.machine) {
            self.violation(Violation::DmaLost);
        }
    }
}
