//! RAM: the heap's part of it, and the part that is shared.
// UNSAFETY: gives memory to the heap, and takes it from the realm.
#![expect(unsafe_code, reason = "gives memory away")]

use alloc::vec::Vec;
use core::ops::Range;
use core::ptr::NonNull;
use core::time::Duration;

use arch::{Content, Smc, image, stacks};
use bounce::Window;
use clock::{Clock, Instant};
use devtree::{AddressRange, Machine, NodeName, PoolPlace, RestrictedPool};
use ipa::{GranuleRange, IpaSpace};
use plan::{Layout, LayoutError, PoolFault, PoolWish, Taken};
use realm::{Error, Reason};
use rsi::{Rsi, SetFlags};

use crate::memory::{Map, pages};
use crate::{cpus, heap};

/// Most bytes that are set aside for the bounce region where nobody asks for a size.
const MOST_RESERVE: u64 = 16 << 20;

/// Page tables that are kept for devices and for what is shared.
const SPARE_TABLES: usize = 24;

/// How long the host may take to give all RAM.
const CLAIM: Duration = Duration::from_secs(30);

/// Bytes that are claimed between two looks at the clock.
const CLAIM_STEP: u64 = 64 << 20;

/// What was set aside of RAM: for the bounce region, and for restricted pools.
pub struct Ram {
    map: Map,
    space: IpaSpace,
    reserve: Range<u64>,
    /// Where the pools of the device tree are, in its order.
    pools: Vec<Result<Range<u64>, Reason>>,
}

impl Ram {
    /// Claims the free RAM, maps it, and gives all of it to the heap, but for restricted pools, the stacks of
    /// other processors and a reserve of `wanted` bytes. RAM that our page tables do not hold is neither claimed nor used.
    /// Up to `spare` blocks of the heap can be given away later.
    ///
    /// # Errors
    ///
    /// [`Error::Layout`], [`Error::Map`], [`Error::Rsi`], [`Error::Late`].
    pub fn open(
        map: Map,
        tree: &'static [u8],
        machine: &Machine,
        (wanted, spare): (Option<u64>, u64),
        owner: &Owner<'_>,
    ) -> Result<Self, Error> {
        let memory: Vec<_> = machine
            .memory
            .iter()
            .map(|ram| ram.base().get()..ram.top())
            .collect();
        let taken = taken(tree, machine);
        let pools = pools(machine, &memory, &taken);
        let free = plan::free_runs(&memory, &in_use(machine, &taken, &pools));
        let free = fitting(&map, &free);
        let mut layout = Layout::new(&free, wanted, MOST_RESERVE)?;
        let rooms = plan::carve(&mut layout.private, rooms_of(machine)).unwrap_or(0..0);
        let spare = plan::carve_blocks(&mut layout.private, spare.min(plan::MOST_BLOCKS));
        let deadline = owner.clock.deadline(CLAIM);
        if let Some(run) = spare {
            owner.claim(&run, deadline)?;
            map.borrow_mut().map_in_parts(run.clone(), Content::Data)?;
            // SAFETY: as for the runs below.
            unsafe { heap::add_spare(run) };
        }
        for run in layout.private.iter().chain([&layout.reserve]) {
            owner.claim(run, deadline)?;
        }
        for run in &layout.private {
            map.borrow_mut().map(run.clone(), Content::Data)?;
            // SAFETY: the device tree says that it is RAM, and it was claimed; it is mapped since just
            // now, and neither the image, nor the tree, nor a pool, nor anything reserved lies in it.
            unsafe { heap::add(run.clone()) };
        }
        open_rooms(&map, &rooms, owner, deadline)?;
        map.borrow_mut()
            .map_in_parts(layout.reserve.clone(), Content::Data)?;
        Ok(Self {
            map,
            space: owner.space,
            reserve: layout.reserve,
            pools,
        })
    }

    /// Bytes that can be shared at most, besides restricted pools.
    pub fn reserve(&self) -> u64 {
        self.reserve.end - self.reserve.start
    }

    /// The node and the place of restricted pool `number` of the device tree.
    ///
    /// # Errors
    ///
    /// Why nobody can bounce through it.
    pub fn pool(&self, machine: &Machine, number: usize) -> Result<(NodeName, Range<u64>), Reason> {
        let known = machine.restricted.iter().zip(&self.pools).nth(number);
        // A binding has the number of a pool.
        let (pool, place) = known.ok_or(Reason::NoRoom { least: 0 })?;
        Ok((pool.node, place.clone()?))
    }

    /// Shares the upper `size` bytes of the reserve, whole blocks, and gives the rest of it to the
    /// heap. Devices are told addresses with the shared bit, unless `told_low`: the way of an older
    /// lkvm.
    ///
    /// The order is binding: unmap, make empty, map the alias. Where the alias is touched before
    /// the page is empty, the host takes the page for good.
    ///
    /// # Errors
    ///
    /// [`Error::Layout`] if the reserve is smaller than `size`; [`Error::Map`], [`Error::Rsi`].
    pub fn share(self, size: u64, rsi: Option<&Rsi<Smc>>, told_low: bool) -> Result<Window, Error> {
        let none = Error::Layout(LayoutError::NoRoom { wanted: size });
        let start = self.reserve.end.checked_sub(size).ok_or(none)?;
        if start < self.reserve.start {
            return Err(none);
        }
        if rsi.is_some() {
            // SAFETY: nothing has ever referred to the reserve.
            unsafe { self.map.borrow_mut().unmap(start..self.reserve.end) }?;
        }
        let run = start..self.reserve.end;
        let window = self.expose(&run, rsi, told_low)?;
        if self.reserve.start < start {
            // SAFETY: the rest stays private and mapped, and nothing else uses it.
            unsafe { heap::add(self.reserve.start..start) };
        }
        Ok(window)
    }

    /// Shares a restricted pool, which was never mapped.
    ///
    /// # Errors
    ///
    /// As for [`Self::share`].
    pub fn share_pool(
        &self,
        run: &Range<u64>,
        rsi: Option<&Rsi<Smc>>,
        told_low: bool,
    ) -> Result<Window, Error> {
        self.expose(run, rsi, told_low)
    }

    /// Makes `run`, which is not mapped in a realm, empty, and maps its alias.
    fn expose(
        &self,
        run: &Range<u64>,
        rsi: Option<&Rsi<Smc>>,
        told_low: bool,
    ) -> Result<Window, Error> {
        let size = run.end - run.start;
        let none = Error::Layout(LayoutError::NoRoom { wanted: size });
        let range = GranuleRange::new(self.space, run.start, run.end).map_err(|_| none)?;
        let alias = self.space.alias(range.base()).get();
        if let Some(rsi) = rsi {
            rsi.set_empty(range, SetFlags::ChangeDestroyed)?;
        }
        self.map
            .borrow_mut()
            .map_in_parts(alias..alias + size, Content::Data)?;
        let base = NonNull::new(alias as *mut u8).ok_or(none)?;
        let len = usize::try_from(size).map_err(|_| none)?;
        let told = if told_low { run.start } else { alias };
        // SAFETY: the run is mapped for good at `alias`, a multiple of a granule, and only this window
        // refers to it: it is the reserve, which is shared once, or a pool, which the heap leaves out. In
        // a realm its pages are shared by now.
        Ok(unsafe { Window::new(base, len, told) })
    }
}

/// Who RAM is claimed for.
pub struct Owner<'a> {
    /// The address space.
    pub space: IpaSpace,
    /// The RMM, in a realm.
    pub rsi: Option<&'a Rsi<Smc>>,
    /// Knows how long it takes.
    pub clock: &'a dyn Clock,
}

impl Owner<'_> {
    /// Makes `run` the realm's own. What the host left empty would fault on first use, at a moment of the
    /// host's choosing.
    fn claim(&self, run: &Range<u64>, deadline: Instant) -> Result<(), Error> {
        let Some(rsi) = self.rsi else {
            return Ok(());
        };
        let mut start = run.start;
        while start < run.end {
            let end = start.saturating_add(CLAIM_STEP).min(run.end);
            let address = start;
            let unreachable = Error::Map(ipa::PagingError::OutOfReach { address });
            let range = GranuleRange::new(self.space, start, end).map_err(|_| unreachable)?;
            rsi.set_ram(range, SetFlags::NoChangeDestroyed)?;
            if self.clock.now() > deadline {
                let what = "claiming RAM";
                return Err(Error::Late { what, limit: CLAIM });
            }
            start = end;
        }
        Ok(())
    }
}

/// Bytes for the stacks of all processors but the first.
fn rooms_of(machine: &Machine) -> u64 {
    let others = machine.processors.len().saturating_sub(1);
    stacks::ROOM * others.min(cpus::MOST - 1) as u64
}

/// Claims the rooms for stacks, and maps all of them but the guard pages.
fn open_rooms(
    map: &Map,
    rooms: &Range<u64>,
    owner: &Owner<'_>,
    deadline: Instant,
) -> Result<(), Error> {
    if rooms.is_empty() {
        return Ok(());
    }
    owner.claim(rooms, deadline)?;
    stacks::set(rooms);
    for stack in (1..)
        .map_while(stacks::room)
        .flat_map(|room| stacks::in_room(&room))
    {
        map.borrow_mut().map(stack, Content::Data)?;
    }
    Ok(())
}

/// Where each pool of the tree is.
fn pools(
    machine: &Machine,
    memory: &[Range<u64>],
    taken: &[Taken],
) -> Vec<Result<Range<u64>, Reason>> {
    let places = machine.restricted.iter();
    let places = places.filter_map(|pool| pool.place.as_ref().ok());
    let wishes: Vec<PoolWish> = places.map(wish).collect();
    let mut placed = plan::place_pools(&wishes, memory, taken).into_iter();
    let mut place = |pool: &RestrictedPool| {
        let place = pool.place.as_ref().map_err(|error| Reason::Pool(*error))?;
        let property = match place {
            PoolPlace::At(_) => "reg",
            PoolPlace::Wanted { .. } => "size",
        };
        let (node, size) = (pool.node, 0);
        // There is one for each wish.
        let found = placed.next().unwrap_or(Err(PoolFault::NoPlace { size }));
        found.map_err(|fault| Reason::Place {
            node,
            property,
            fault,
        })
    };
    machine.restricted.iter().map(&mut place).collect()
}

fn wish(place: &PoolPlace) -> PoolWish {
    let plain = |range: &AddressRange| range.base()..range.top();
    match place {
        PoolPlace::At(range) => PoolWish::At(plain(range)),
        PoolPlace::Wanted {
            size,
            alignment,
            within,
        } => PoolWish::Anywhere {
            size: *size,
            alignment: *alignment,
            within: within.iter().map(plain).collect(),
        },
    }
}

/// What is in use before the heap is: the image, the device tree, and what the tree reserves.
fn taken(tree: &'static [u8], machine: &Machine) -> Vec<Taken> {
    let bytes = tree.as_ptr_range();
    let tree = pages(&(bytes.start.addr() as u64..bytes.end.addr() as u64));
    let named = |what: &'static str| move |range: &AddressRange| (what, range.base()..range.top());
    let reserved = machine.reserved.iter().map(named("reserved memory"));
    let initrd = machine.initrd.iter().map(named("the initial RAM disk"));
    let ours = [("the image", image::whole()), ("the device tree", tree)];
    reserved.chain(initrd).chain(ours).collect()
}

/// All that is not for the heap: what is taken, and every pool, also one that nobody can use.
fn in_use(
    machine: &Machine,
    taken: &[Taken],
    pools: &[Result<Range<u64>, Reason>],
) -> Vec<Range<u64>> {
    let refused = machine
        .restricted
        .iter()
        .filter_map(|pool| match &pool.place {
            Ok(PoolPlace::At(range)) => Some(range.base()..range.top()),
            _ => None,
        });
    let taken = taken.iter().map(|(_, range)| range.clone());
    let placed = pools.iter().flatten().cloned();
    taken.chain(placed).chain(refused).collect()
}

/// The runs that page tables can hold.
fn fitting(map: &Map, free: &[Range<u64>]) -> Vec<Range<u64>> {
    let tables = map.borrow().tables_left().saturating_sub(SPARE_TABLES);
    let kept = plan::fitting(free, tables, arch::most_tables);
    if kept.len() < free.len() {
        let left_out = free.len() - kept.len();
        log::warn!("memory: {left_out} runs of RAM are not used: too many for our page tables");
    }
    kept
}
