//! Guest memory, as a device of ours reaches it.

use hostile::memory::{Memory, Unreachable};
use hostile::plan::CANARY;

use crate::granules::Granules;
use crate::layout::{Half, Space};
use crate::machine::Machine;

/// Guest memory as a device of ours reaches it: shared pages, by the addresses that the guest uses.
pub struct Reach<'a, M> {
    /// The machine.
    pub machine: &'a M,
    /// Which pages are shared.
    pub granules: &'a Granules<'static>,
    /// The halves of the address space.
    pub space: Space,
    /// Whether the halves are kept apart; without, everything can be reached.
    pub enforce: bool,
    /// Where to note what was refused.
    pub refused: &'a mut Option<u64>,
    /// Where to note that private bytes lay in what a device was lent, before it wrote there or when it read.
    pub leaked: &'a mut Option<u64>,
}

impl<M: Machine> Reach<'_, M> {
    fn place(&mut self, address: u64, len: usize) -> Result<u64, Unreachable> {
        let end = |start: u64| start.checked_add(len as u64);
        let found = match self.space.half(address) {
            Half::Shared(at) => Some(at),
            Half::Protected(at) if !self.enforce => Some(at),
            _ => None,
        };
        let found = found.filter(|&at| {
            let range = end(at).map(|end| at..end);
            range.is_some_and(|range| {
                let inside = self.granules.memory().covers(&range);
                inside && (!self.enforce || self.granules.is_shared(&range))
            })
        });
        found.ok_or_else(|| {
            self.refused.get_or_insert(address);
            Unreachable
        })
    }
}

impl<M: Machine> Reach<'_, M> {
    /// Looks for private bytes in `bytes`, which lie at `at` of shared memory.
    fn judge(&mut self, at: u64, bytes: &[u8]) {
        let words = bytes.as_chunks::<8>().0;
        if self.enforce && words.contains(&[CANARY; 8]) {
            self.leaked.get_or_insert(at);
        }
    }
}

impl<M: Machine> Memory for Reach<'_, M> {
    fn read(&mut self, address: u64, bytes: &mut [u8]) -> Result<(), Unreachable> {
        if bytes.is_empty() {
            return Ok(());
        }
        let at = self.place(address, bytes.len())?;
        self.machine.read(at, bytes);
        self.judge(at, bytes);
        Ok(())
    }

    fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), Unreachable> {
        if bytes.is_empty() {
            return Ok(());
        }
        let at = self.place(address, bytes.len())?;
        let mut old = alloc::vec![0; bytes.len()];
        self.machine.read(at, &mut old);
        self.judge(at, &old);
        self.machine.write(at, bytes);
        Ok(())
    }
}
