//! What the machine's device tree says about the guest. The monitor reads it when it starts, and the host
//! when it computes what the guest must measure: the same tree in, the same bytes out.

use core::ops::Range;

use super::refusal::Refusal;
use crate::devtree::{self, Guest};
use crate::layout::{GUEST_RAM, GuestMemory, MACHINE_RAM};
use crate::options::{self, Options, Pools};

/// The guest, as the machine's tree describes it.
#[derive(Clone, Debug)]
pub struct Plan<'t> {
    tree: &'t [u8],
    /// What the tree says of the machine.
    pub machine: devtree::Machine<'t>,
    /// What the monitor is told on the kernel's command line.
    pub options: Options,
    /// Memory of the guest.
    pub memory: GuestMemory,
    /// Pools that devices are bound to.
    pub pools: Pools,
    arguments: &'t str,
}

/// Below it lie the guest's tree and its image.
const POOLS_BOTTOM: u64 = GUEST_RAM + (8 << 20);

impl<'t> Plan<'t> {
    /// Reads the machine's `tree`.
    ///
    /// # Errors
    ///
    /// [`Refusal`], with what has to be changed.
    pub fn read(tree: &'t [u8]) -> Result<Self, Refusal<'t>> {
        let machine = devtree::Machine::read(tree).map_err(Refusal::Tree)?;
        let (options, arguments) = options::parse(machine.arguments).map_err(Refusal::Option)?;
        if !machine.smmu {
            return Err(Refusal::NoSmmu);
        }
        let memory = guest_memory(&machine.memory)?;
        let pools = Pools::place(&options.pools, POOLS_BOTTOM, memory.top());
        let pools = pools.ok_or(Refusal::Pools)?;
        Ok(Self {
            tree,
            machine,
            options,
            memory,
            pools,
            arguments,
        })
    }

    /// Writes the guest's tree to the start of `out`; gives its size in bytes.
    ///
    /// # Errors
    ///
    /// [`Refusal::Tree`], if it does not fit.
    pub fn write_tree(&self, out: &mut [u8]) -> Result<usize, Refusal<'static>> {
        let guest = Guest {
            memory: self.memory,
            arguments: self.arguments,
            hvc: self.options.hvc,
            pools: &self.pools,
        };
        devtree::rewrite(self.tree, &guest, out).map_err(Refusal::Tree)
    }
}

fn guest_memory(machine: &Range<u64>) -> Result<GuestMemory, Refusal<'static>> {
    let size = machine.end.saturating_sub(GUEST_RAM);
    let refusal = Refusal::Memory(machine.end.saturating_sub(MACHINE_RAM));
    GuestMemory::new(size)
        .filter(|_| machine.start == MACHINE_RAM)
        .ok_or(refusal)
}
