//! What the SMMU stopped, written down.

use super::Monitor;
use crate::machine::Machine;
use crate::violation::Violation;

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
            });
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
