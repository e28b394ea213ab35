//! Where in the guest the monitor was: a coverage that costs nothing.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// Bytes of code that count as one site.
const LINE: u64 = 32;
/// Sites that are kept. An image has fewer lines of code.
const MOST: usize = 0x1_0000;

/// Lines of the guest's code that were seen at a trap or a tick.
#[derive(Clone, Debug, Default)]
pub struct Sites {
    seen: BTreeSet<u32>,
    fresh: Vec<u32>,
}

impl Sites {
    /// Notes that the guest was at `offset` of its image.
    pub fn note(&mut self, offset: u64) {
        let Ok(line) = u32::try_from(offset / LINE) else {
            return;
        };
        if self.seen.len() < MOST && self.seen.insert(line) {
            self.fresh.push(line);
        }
    }

    /// Takes the sites that are new since this was called last.
    pub fn take_fresh(&mut self) -> Vec<u32> {
        core::mem::take(&mut self.fresh)
    }
}
