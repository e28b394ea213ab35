//! From the machine's device tree to a realm that is ready to run.

use core::ops::Range;

use super::plan::Plan;
use super::refusal::Refusal;
use super::rounds::Rounds;
use super::world::shared_view;
use super::{MAX_CPUS, Monitor, Start, Storage};
use crate::attack::Attack;
use crate::counters::Counters;
use crate::functions::Functions;
use crate::gic::Tables;
use crate::granules::{Ripas, granules};
use crate::layout::{
    GRANULE, GUEST_ENTRY, GUEST_RAM, GUEST_TREE, GUEST_TREE_MAX, GuestMemory, Space,
};
use crate::machine::{Abort, Machine};
use crate::options::{self, Options, Pools, Ram, UnsafeDevice};
use crate::oracle::Secrets;
use crate::regions::Regions;
use crate::rsi::Realm;
use crate::smmu::{Smmu, View};
use crate::stage2::{Side, Stage2};
use crate::violation::Violations;
use crate::virtio::{self, Fence};

/// A realm that is ready to run, and where.
pub struct Booted<M> {
    /// The monitor around it.
    pub monitor: Monitor<M>,
    /// Its first instruction and its device tree.
    pub start: Start,
}

impl<M: Machine> Monitor<M> {
    /// Builds the realm that the device tree `tree` describes.
    ///
    /// # Errors
    ///
    /// [`Refusal`], with what has to be changed.
    pub fn boot<'t>(
        machine: M,
        tree: &'t [u8],
        storage: &'static Storage,
    ) -> Result<Booted<M>, Refusal<'t>> {
        let plan = Plan::read(tree)?;
        let (options, memory, config) = (plan.options, plan.memory, plan.machine.config);
        let image = image(&machine, memory)?;
        let initrd = initrd(plan.machine.initrd.clone(), memory, &image)?;
        // The machine's tree may lie where the guest's goes.
        let script = options::script(plan.machine.arguments);
        let secrets = Secrets::new(options::secrets(plan.machine.arguments));
        let measured_tree = write_tree(&machine, &plan)?;
        let space = space(&options, config);
        if machine.address_bits() < space.width() {
            return Err(Refusal::Width(machine.address_bits()));
        }
        let fence = fence(&machine, &options, config)?;
        let mut monitor = Self::new(machine, options, space, memory, storage)
            .ok_or(Refusal::Memory(memory.size()))?;
        let tree = GUEST_TREE..GUEST_TREE + GUEST_TREE_MAX as u64;
        monitor.fence = fence;
        monitor.bind(plan.pools);
        monitor.assign(config)?;
        monitor.measure(&image, initrd.as_ref(), &measured_tree);
        monitor.begin_oracle(secrets);
        let kept = GUEST_RAM..image.end;
        monitor.populate([Some(image), Some(tree), initrd]);
        monitor
            .smmu
            .start(&monitor.machine)
            .map_err(|Abort| Refusal::Smmu)?;
        monitor.begin_rounds(script, kept);
        Ok(Booted {
            monitor,
            start: super::FIRST,
        })
    }

    fn new(
        machine: M,
        options: Options,
        space: Space,
        memory: GuestMemory,
        storage: &'static Storage,
    ) -> Option<Self> {
        Some(Self {
            machine,
            options,
            space,
            memory,
            regions: Regions::new(space),
            stage2: Stage2::new(&storage.stage2, space, options.enforce),
            smmu: Smmu::new(&storage.smmu, space, &options),
            pools: Pools::default(),
            fence: Fence::default(),
            tables: Tables::new(),
            realm: Realm::new(options, space, memory, &storage.states)?,
            counters: Counters::default(),
            functions: Functions::new(),
            violations: Violations::new(),
            attack: Attack::default(),
            oracle: None,
            rounds: Rounds::default(),
            starts: [Start::default(); MAX_CPUS],
            stormed: 0,
            in_line: false,
            view: View::Shared,
            was_private: false,
        })
    }

    /// Has each device that has a pool see the pool and nothing else, once the SMMU starts.
    fn bind(&mut self, pools: Pools) {
        for (pool, number) in pools.iter().zip(0..) {
            for stream in &pool.streams {
                self.smmu.bind(*stream, View::Pool(number));
            }
        }
        self.pools = pools;
    }

    /// Gives the realm its memory: all of it, or `parts` only.
    fn populate(&mut self, parts: [Option<Range<u64>>; 3]) {
        let all = GUEST_RAM..self.memory.top();
        if self.options.ram == Ram::All {
            self.set_ram(&all);
        }
        let parts: heapless::Vec<_, 3> = parts.into_iter().flatten().collect();
        parts.iter().for_each(|part| self.set_ram(part));
        if self.has_oracle() {
            self.seed(&parts);
        }
        for at in granules(&all) {
            self.place(at);
        }
        self.realm.granules.start_counting();
        self.machine.flush();
    }

    fn set_ram(&mut self, range: &Range<u64>) {
        for at in granules(range) {
            self.realm.granules.set(at, Ripas::Ram);
        }
    }

    /// Maps the granule at `address` in the half where it belongs.
    pub(super) fn place(&mut self, address: u64) {
        let Some(granule) = self.memory.granule(address) else {
            return;
        };
        let private = self.realm.granules.state(address) == Ripas::Ram;
        if private || !self.options.enforce {
            self.stage2.map(Side::Protected, granule);
        }
        if !private || !self.options.enforce {
            self.stage2.map(Side::Shared, granule);
        }
        let view = if private {
            View::Private
        } else {
            shared_view(&self.pools, address)
        };
        self.smmu.map(view, granule);
    }
}

fn space(options: &Options, config: u64) -> Space {
    const WIDE: Space = match Space::new(41) {
        Some(space) => space,
        None => panic!("41 is a width"),
    };
    let by_machine = if config >> 32 == 0 { 33 } else { 41 };
    Space::new(options.width.unwrap_or(by_machine)).unwrap_or(WIDE)
}

/// Finds the functions that would go round the SMMU, and does with them what the options say.
fn fence<M: Machine>(
    machine: &M,
    options: &Options,
    config: u64,
) -> Result<Fence, Refusal<'static>> {
    let found = virtio::scan(machine, config).map_err(|error| match error {
        virtio::Error::Silent => Refusal::Bus,
        virtio::Error::Bridge(stream) => Refusal::Bridge(stream),
        virtio::Error::TooMany => Refusal::TooMany,
    })?;
    match (options.unsafe_device, found.first()) {
        (UnsafeDevice::Refuse, Some(first)) => Err(Refusal::UnsafeDevice(first.stream)),
        (choice, _) => Ok(Fence::new(found, choice == UnsafeDevice::Hide)),
    }
}

/// The pages of the guest's image, by its header.
///
/// Ref: Linux, Documentation/arch/arm64/booting.rst.
fn image<M: Machine>(machine: &M, memory: GuestMemory) -> Result<Range<u64>, Refusal<'static>> {
    const MAGIC: [u8; 4] = *b"ARM\x64";
    let mut header = [0; 64];
    machine.read(GUEST_ENTRY, &mut header);
    if header.get(56..60).is_none_or(|magic| magic != MAGIC) {
        return Err(Refusal::Image);
    }
    let size = header
        .get(16..)
        .and_then(<[u8]>::first_chunk)
        .map_or(0, |s| u64::from_le_bytes(*s));
    let end = GUEST_ENTRY
        .saturating_add(size)
        .checked_next_multiple_of(GRANULE);
    match end {
        Some(end) if end <= memory.top() => Ok(GUEST_ENTRY..end),
        _ => Err(Refusal::ImageSize(size)),
    }
}

fn initrd(
    found: Option<Range<u64>>,
    memory: GuestMemory,
    image: &Range<u64>,
) -> Result<Option<Range<u64>>, Refusal<'static>> {
    let Some(disk) = found.filter(|disk| !disk.is_empty()) else {
        return Ok(None);
    };
    if !memory.covers(&disk) || disk.start < image.end {
        return Err(Refusal::Initrd(disk.start, disk.end));
    }
    Ok(Some(disk))
}

/// Writes the guest's tree, and zeros behind it. Gives the pages that it takes.
fn write_tree<M: Machine>(machine: &M, plan: &Plan<'_>) -> Result<Range<u64>, Refusal<'static>> {
    let mut copy = [0; GUEST_TREE_MAX];
    let size = plan.write_tree(&mut copy)?;
    machine.write(GUEST_TREE, &copy);
    Ok(GUEST_TREE..(GUEST_TREE + size as u64).next_multiple_of(GRANULE))
}
