//! Pages that move from one half to the other.

use alloc::vec::Vec;
use core::ops::Range;

use crate::granules::granules;
use crate::layout::{GuestMemory, Space};
use crate::machine::Machine;
use crate::options::{Content, Options, Pools};
use crate::oracle::seed;
use crate::rsi::World;
use crate::smmu::{Smmu, View};
use crate::stage2::{Side, Stage2};
use crate::virtio::Function;

/// The parts of the monitor that a change of state needs.
pub(super) struct Moves<'a, M> {
    pub(super) machine: &'a M,
    pub(super) memory: GuestMemory,
    pub(super) options: &'a Options,
    pub(super) stage2: Stage2,
    pub(super) smmu: &'a mut Smmu,
    pub(super) pools: &'a Pools,
    /// Set if the SMMU did not finish.
    pub(super) smmu_broken: bool,
    /// The last run that became private.
    pub(super) taken: Option<Range<u64>>,
    /// A page that became shared while the guest mapped it, or its alias: where, and whether that.
    pub(super) mapped: Option<(u64, bool)>,
    pub(super) space: Space,
    /// Where configuration space is.
    pub(super) config: u64,
    /// Granules that became shared, and that became private.
    pub(super) moved: &'a mut (u64, u64),
    /// What the leak oracle has to know of, if it is asked.
    pub(super) followed: Option<Followed>,
}

/// What happened to memory during a call.
#[derive(Default)]
pub(super) struct Followed {
    /// Runs that changed halves, and whether they are shared now.
    pub(super) moved: Vec<(Range<u64>, bool)>,
    /// Runs that were written for the guest.
    pub(super) written: Vec<Range<u64>>,
}

impl<M: Machine> World for Moves<'_, M> {
    fn read(&self, address: u64, bytes: &mut [u8]) {
        self.machine.read(address, bytes);
    }

    fn write(&mut self, address: u64, bytes: &[u8]) {
        self.machine.write(address, bytes);
        if let Some(followed) = &mut self.followed {
            followed.written.push(address..address + bytes.len() as u64);
        }
    }

    fn bar(&self, stream: u32, bar: u8) -> u64 {
        let function = Function::new(self.machine, self.config, stream);
        function.bar(usize::from(bar)).map_or(0, |bar| bar.address)
    }

    fn share(&mut self, range: Range<u64>) {
        self.mapped = self.mapped.or_else(|| self.find_mapped(&range));
        self.close(|_| View::Private, &range);
        self.relocate(&range, Side::Protected, Side::Shared);
        let pools = self.pools;
        self.open(|at| shared_view(pools, at), &range);
    }

    fn take_back(&mut self, range: Range<u64>) {
        let pools = self.pools;
        self.close(|at| shared_view(pools, at), &range);
        let start = self.taken.as_ref().map_or(range.start, |taken| taken.start);
        self.taken = Some(start..range.end);
        self.relocate(&range, Side::Shared, Side::Protected);
        self.open(|_| View::Private, &range);
    }
}

impl<M: Machine> Moves<'_, M> {
    /// The first page of `range` that the guest still maps, or whose alias it maps already.
    fn find_mapped(&self, range: &Range<u64>) -> Option<(u64, bool)> {
        let alias = self.space.shared_bit();
        granules(range).find_map(|at| {
            let mapped = [(at, false), (at | alias, true)];
            let mut mapped = mapped.into_iter();
            let (_, is_alias) = mapped.find(|(address, _)| self.machine.guest_maps(*address))?;
            Some((at, is_alias))
        })
    }

    /// Lets devices in, after the old content is gone.
    fn open(&mut self, view: impl Fn(u64) -> View, range: &Range<u64>) {
        for at in granules(range) {
            if let Some(granule) = self.memory.granule(at) {
                self.smmu.map(view(at), granule);
            }
        }
        self.machine.barrier();
    }

    /// Shuts devices out, before new content comes.
    fn close(&mut self, view: impl Fn(u64) -> View, range: &Range<u64>) {
        for at in granules(range) {
            if let Some(granule) = self.memory.granule(at) {
                self.smmu.unmap(view(at), granule);
            }
        }
        self.machine.barrier();
        self.smmu_broken |= self.smmu.forget(self.machine).is_err();
    }

    /// Old mappings go and are forgotten before the content changes, and that before new ones come.
    fn relocate(&mut self, range: &Range<u64>, from: Side, to: Side) {
        let range = range.start..range.end.min(self.memory.top());
        let memory = self.memory;
        let numbers = || granules(&range).filter_map(|at| memory.granule(at));
        numbers().for_each(|granule| self.stage2.unmap(from, granule));
        self.machine.flush();
        if self.options.enforce {
            let word = if to == Side::Protected && self.followed.is_some() {
                seed
            } else {
                content(self.options.content)
            };
            self.machine.fill(range.clone(), word);
        }
        if let Some(followed) = &mut self.followed {
            followed.moved.push((range.clone(), to == Side::Shared));
        }
        let mut count = 0;
        for granule in numbers() {
            self.stage2.map(to, granule);
            count += 1;
        }
        self.machine.flush();
        let moved = if to == Side::Shared {
            &mut self.moved.0
        } else {
            &mut self.moved.1
        };
        *moved += count;
    }
}

/// Who sees the page at `address` while it is shared.
pub(super) fn shared_view(pools: &Pools, address: u64) -> View {
    pools.at(address).map_or(View::Shared, View::Pool)
}

pub(super) fn content(content: Content) -> fn(u64) -> u64 {
    match content {
        Content::Zero => |_| 0,
        Content::Noise => noise,
    }
}

/// Never zero, and different for each address.
///
/// Ref: Steele, Lea, Flood, «Fast splittable pseudorandom number generators» (the mixing function).
fn noise(address: u64) -> u64 {
    let mut z = address.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ z >> 31) | 1
}
