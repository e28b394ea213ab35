//! Which device bounces through which memory. Everything is decided, and every device that cannot have its
//! share is refused, before the first page is shared.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;
use core::ops::Range;

use bounce::{Pool, Region, Spacing, Trace};
use devtree::NodeName;
use plan::{BLOCK, Demand, divide};
use realm::{Error, Reason, Refusal};
use virtio::Kind;

use crate::bus::Found;
use crate::ground::Ground;
use crate::interrupts::Interrupts;
use crate::messages;
use crate::ram::Ram;

/// A device, and its share of a region.
pub struct Share {
    /// The device.
    pub found: Found,
    /// Its share.
    pub pool: Pool,
}

/// The memory of all devices.
pub struct Sharing {
    /// What crosses, of all regions.
    pub trace: Rc<Trace>,
    /// The general region, and behind it a region for each restricted pool that is used.
    pub regions: Vec<Rc<Region>>,
    /// Who got a share, the most important first.
    pub shares: Vec<Share>,
    /// Who did not.
    pub refused: Vec<Refusal>,
}

/// What a pool of the device tree is called, where it is, and who is bound to it.
struct Restricted {
    node: NodeName,
    range: Range<u64>,
    devices: Vec<(Found, usize)>,
}

/// What is decided.
struct Plan {
    /// Devices of the general region, with bytes for each.
    general: Vec<(Found, usize)>,
    /// Whether the tables of the ITS have room there.
    tables: bool,
    /// Bytes of the general region.
    size: u64,
    restricted: Vec<Restricted>,
    refused: Vec<Refusal>,
}

/// Decides who gets what, shares it, and starts the ITS, if there is room for its tables. `evidence` bytes
/// of the general region are left for what devices say of themselves.
///
/// # Errors
///
/// [`Error::Argument`], and as [`Ram::share`].
pub fn share(
    ground: &Ground,
    ram: Ram,
    found: Vec<Found>,
    its: Option<(&Interrupts, messages::Found)>,
    evidence: u64,
) -> Result<Sharing, Error> {
    let bounce = ground.bounce()?;
    let spacing = if bounce.strict {
        Spacing::Strict
    } else {
        Spacing::Packed
    };
    let reserve = match bounce.size {
        Some(_) => Size::Given(ram.reserve()),
        None => Size::UpTo(ram.reserve()),
    };
    // Where there is room for one of them only, neither is there.
    let tables = its.as_ref().map_or(0, |(_, its)| its.bytes()) + evidence;
    let plan = Plan::new(ground, &ram, found, spacing, (reserve, tables));
    let rsi = ground.rmm.as_ref().map(|rmm| &rmm.rsi);
    let low = ground.arguments.get("dma") == Some("low");
    // One for all, so that events are in their order.
    let trace = Rc::new(Trace::new());
    let mut sharing = Sharing {
        trace: Rc::clone(&trace),
        regions: Vec::new(),
        shares: Vec::new(),
        refused: plan.refused,
    };
    for pool in plan.restricted {
        let region = Region::traced(
            ram.share_pool(&pool.range, rsi, low)?,
            ground.shared_clock(),
            spacing,
            Rc::clone(&trace),
        )?;
        let (start, end) = (pool.range.start, pool.range.end - 1);
        tell(
            format_args!("{} at {start:#x}-{end:#x}", pool.node),
            &region,
            &pool.devices,
        );
        sharing.carve(region, pool.devices)?;
    }
    let window = ram.share(plan.size, rsi, low)?;
    let region = Region::traced(window, ground.shared_clock(), spacing, Rc::clone(&trace))?;
    tell(format_args!("bounce"), &region, &plan.general);
    match its {
        Some((interrupts, its)) if plan.tables => interrupts.use_its(its, &region, ground.space),
        Some(_) => log::warn!("its: not used: there is no room for its tables to share"),
        None => {}
    }
    sharing.carve(region, plan.general)?;
    sharing.order();
    Ok(sharing)
}

impl Sharing {
    /// Carves `region` for `devices`.
    fn carve(&mut self, region: Region, devices: Vec<(Found, usize)>) -> Result<(), Error> {
        for (found, len) in devices {
            let pool = region.pool(&found.name, len)?;
            self.shares.push(Share { found, pool });
        }
        self.regions.push(Rc::new(region));
        Ok(())
    }

    /// Puts the general region, which was shared last, and the most important device first.
    fn order(&mut self) {
        self.regions.rotate_right(1);
        sort(&mut self.shares, |share| &share.found);
    }
}

/// Bytes of the general region.
#[derive(Clone, Copy)]
enum Size {
    /// So many, whatever devices want.
    Given(u64),
    /// What devices want, but not more.
    UpTo(u64),
}

impl Plan {
    fn new(
        ground: &Ground,
        ram: &Ram,
        mut found: Vec<Found>,
        spacing: Spacing,
        (size, tables): (Size, u64),
    ) -> Self {
        sort(&mut found, |found| found);
        let mut plan = Self {
            general: Vec::new(),
            tables: false,
            size: 0,
            restricted: Vec::new(),
            refused: Vec::new(),
        };
        let mut general = Vec::new();
        for found in only_useful(found) {
            match ground.machine.restricted.binding(found.id) {
                None => general.push(found),
                Some(Err(error)) => plan.refuse(found, Reason::Pool(error)),
                Some(Ok(number)) => match ram.pool(&ground.machine, number) {
                    Ok((node, range)) => plan.bind(found, node, range),
                    Err(reason) => plan.refuse(found, reason),
                },
            }
        }
        for pool in core::mem::take(&mut plan.restricted) {
            plan.divide_pool(pool, spacing);
        }
        plan.divide_general(general, spacing, size, tables);
        plan
    }

    fn refuse(&mut self, found: Found, reason: Reason) {
        let kind = found.transport.kind();
        self.refused.push(Refusal::told(found.name, kind, reason));
    }

    fn bind(&mut self, found: Found, node: NodeName, range: Range<u64>) {
        let known = self.restricted.iter_mut().find(|pool| pool.range == range);
        match known {
            Some(pool) => pool.devices.push((found, 0)),
            None => self.restricted.push(Restricted {
                node,
                range,
                devices: Vec::from([(found, 0)]),
            }),
        }
    }

    /// Divides a restricted pool. What does not fit has nowhere else to go.
    fn divide_pool(&mut self, mut pool: Restricted, spacing: Spacing) {
        let size = usize::try_from(pool.range.end - pool.range.start).unwrap_or(usize::MAX);
        let demands: Vec<Demand> = pool
            .devices
            .iter()
            .map(|(found, _)| demand(found, spacing))
            .collect();
        let shares = divide(size, &demands);
        let least = demands.iter().map(|demand| demand.least);
        let least = least.fold(0, usize::saturating_add);
        for ((found, _), share) in core::mem::take(&mut pool.devices).into_iter().zip(shares) {
            match share {
                Some(len) => pool.devices.push((found, len)),
                None => {
                    let node = pool.node;
                    self.refuse(found, Reason::PoolTooSmall { node, size, least });
                }
            }
        }
        if !pool.devices.is_empty() {
            self.restricted.push(pool);
        }
    }

    /// Divides the general region, the tables of the ITS last.
    fn divide_general(&mut self, found: Vec<Found>, spacing: Spacing, size: Size, tables: u64) {
        let mut demands: Vec<Demand> = found.iter().map(|found| demand(found, spacing)).collect();
        let bytes = usize::try_from(tables).unwrap_or(usize::MAX);
        demands.push(Demand {
            least: bytes,
            wanted: bytes,
        });
        let wanted = demands.iter().map(|demand| demand.wanted as u64);
        let wanted = wanted.fold(0, u64::saturating_add).max(1);
        self.size = match size {
            Size::Given(size) => size,
            Size::UpTo(most) => wanted
                .checked_next_multiple_of(BLOCK)
                .map_or(most, |wanted| wanted.min(most)),
        };
        let total = usize::try_from(self.size).unwrap_or(usize::MAX);
        let mut shares = divide(total, &demands);
        self.tables = shares.pop().flatten().is_some();
        for ((found, share), demand) in found.into_iter().zip(shares).zip(demands) {
            match share {
                Some(len) => self.general.push((found, len)),
                None => {
                    let least = demand.least;
                    self.refuse(found, Reason::NoRoom { least });
                }
            }
        }
    }
}

/// The first card and the first disk first, then the rest in the order of the bus.
fn sort<T>(all: &mut [T], found: impl Fn(&T) -> &Found) {
    for kind in [Kind::Block, Kind::Net] {
        let first = |one: &T| found(one).transport.kind() == kind;
        if let Some(upto) = all.iter().position(first).and_then(|at| all.get_mut(..=at)) {
            upto.rotate_right(1);
        }
    }
}

/// Leaves out all devices but the first of each kind, and those of which there can be many.
fn only_useful(found: Vec<Found>) -> Vec<Found> {
    let mut seen = Vec::new();
    let mut useful = found;
    useful.retain(|found| {
        let kind = found.transport.kind();
        let spare = !found.driver.several && seen.contains(&kind);
        if spare {
            log::info!("{}: not used: one of its kind is enough", found.name);
        }
        seen.push(kind);
        !spare
    });
    useful
}

/// What a device needs.
fn demand(found: &Found, spacing: Spacing) -> Demand {
    let needs = (found.driver.needs)(spacing);
    Demand {
        least: needs.least,
        wanted: needs.wanted,
    }
}

/// Tells how a region is divided.
fn tell(what: core::fmt::Arguments<'_>, region: &Region, devices: &[(Found, usize)]) {
    let mut parts = String::new();
    for (found, len) in devices {
        // A string takes whatever is written to it.
        let _ = write!(parts, ", {} {} KiB", found.name, len >> 10);
    }
    log::info!("{what}: {} KiB shared{parts}", region.len() >> 10);
}
