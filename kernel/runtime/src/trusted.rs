//! Devices that are trusted: accepted before the first driver starts, and watched from then on.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::time::Duration;

use arch::counter::Counter;
use arch::{Devices, Smc};
use bounce::{Purpose, Region, Slot};
use clock::{Clock, Instant};
use ipa::{GranuleRange, IpaSpace};
use pci::Identity;
use rhi::Inbox;
use rsi::{Rsi, VdevId};
use trust::{Bar, Line, Measurement, Policy, PrivateDevice, SharedDevice};
use untrusted::Untrusted;
use virtio::{Kind, Transport};

use crate::attestation::TokenPage;
use crate::bus::{Bus, Found};
use crate::driver::Watch;
use crate::features;
use crate::ground::Ground;
use realm::{Disk, Distrust, Driven as _, Error, Refusal};

/// Shared bytes through which the host hands evidence over: as much as a chain of certificates has at
/// most.
const INBOX: usize = 64 << 10;
/// How long a device may be something else before it is noticed.
const WATCH: Duration = Duration::from_secs(1);

fn policy(ground: &Ground) -> Result<Policy, Error> {
    let text = ground.arguments.get("trust");
    let wrong = Error::Argument {
        key: "trust",
        expected: "0000:00:02.0:measurement=sha256: and 64 hexadecimal digits, more behind commas",
    };
    let policy = text.map_or(Ok(Policy::default()), Policy::parse);
    policy.map_err(|_| wrong)
}

/// The RMM and the host, and the memory through which they are spoken with.
struct Way {
    rsi: Rsi<Smc>,
    clock: Counter,
    page: RefCell<TokenPage>,
    inbox: SharedInbox,
}

impl Way {
    fn with<T>(&self, act: impl FnOnce(&mut Line<'_, Smc>) -> T) -> T {
        let page = &mut *self.page.borrow_mut();
        act(&mut Line::new(&self.rsi, page, &self.inbox, &self.clock))
    }
}

/// A slot of the bounce region.
struct SharedInbox {
    slot: Slot,
    space: IpaSpace,
}

impl Inbox for SharedInbox {
    fn address(&self) -> u64 {
        let told = self.slot.address(0).map_or(0, bounce::SharedIpa::get);
        told & !self.space.shared_bit()
    }

    fn room(&self) -> usize {
        self.slot.len()
    }

    fn put(&self, bytes: &[u8]) {
        self.slot.clear();
        // More than fits is not put there, and then the host finds zeros.
        let _fits = self.slot.copy_out(0, bytes);
    }

    fn take_in<'b>(&self, into: &'b mut [u8]) -> Untrusted<&'b mut [u8]> {
        // More than fits stays zero.
        let _fits = self.slot.copy_in(0, into);
        Untrusted::from_host(into)
    }
}

/// Devices that are trusted.
pub struct Trusted {
    way: Way,
    /// With the disk that each drives, once it does.
    devices: RefCell<Vec<(PrivateDevice, Disk)>>,
    next: Cell<Instant>,
}

/// Devices that the boot arguments name, each with what it has to be.
pub struct ToTrust(Vec<(Found, Measurement)>);

impl ToTrust {
    /// Takes them out of `bus`: they get no shared memory, whatever comes of them.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] for `trust=`.
    pub fn take(ground: &Ground, bus: &mut Bus) -> Result<Self, Error> {
        let policy = policy(ground)?;
        let mut named = Vec::new();
        for found in core::mem::take(&mut bus.found) {
            match policy.wanted(id(&found)) {
                Some(wanted) => named.push((found, wanted)),
                None => bus.found.push(found),
            }
        }
        let is_there = |wanted: &VdevId| named.iter().any(|(found, _)| id(found) == *wanted);
        for missing in policy.devices().filter(|wanted| !is_there(wanted)) {
            log::warn!("{missing}: is to be trusted, and is not there");
        }
        Ok(Self(named))
    }

    /// Shared bytes that the host hands evidence over by.
    pub fn shared_bytes(&self) -> u64 {
        if self.0.is_empty() { 0 } else { INBOX as u64 }
    }

    /// Accepts each device that shows that it is what it has to be, and puts it back into `bus`. Any other
    /// is refused: it does not become a device of the host by itself.
    ///
    /// # Errors
    ///
    /// [`Error::Map`].
    pub fn accept(
        self,
        ground: &Ground,
        bus: &mut Bus,
        regions: &[Rc<Region>],
        devices: &Devices,
    ) -> Result<Option<Rc<Trusted>>, Error> {
        if self.0.is_empty() {
            return Ok(None);
        }
        if !features::TRUST {
            for (found, _) in self.0 {
                let kind = found.transport.kind();
                let refusal = Refusal::told(found.name, kind, Distrust::NotBuilt);
                bus.refused.push(refusal);
            }
            return Ok(None);
        }
        let way = Way::open(ground, regions)?;
        for (found, wanted) in self.0 {
            let (name, kind) = (Rc::clone(&found.name), found.transport.kind());
            let both = (way.as_ref().ok_or(Distrust::NoInbox), ground);
            match admit(found, wanted, both, bus, devices) {
                Ok(found) => {
                    log::info!("{name}: trusted: {wanted}; its data stays private");
                    bus.found.push(found);
                }
                Err(why) => bus.refused.push(Refusal::told(name, kind, why)),
            }
        }
        let next = Cell::new(ground.clock().deadline(WATCH));
        Ok(way.map(|way| {
            Rc::new(Trusted {
                way,
                devices: RefCell::default(),
                next,
            })
        }))
    }
}

impl Way {
    /// A way to RMM and host; `None` where there is no RMM, or no room in the general region.
    fn open(ground: &Ground, regions: &[Rc<Region>]) -> Result<Option<Self>, Error> {
        let Some((rmm, region)) = ground.rmm.as_ref().zip(regions.first()) else {
            return Ok(None);
        };
        let pool = region.pool("evidence", INBOX);
        let Ok(slot) = pool.and_then(|pool| pool.lease(INBOX, 4096)) else {
            return Ok(None);
        };
        slot.label(0, 0, Purpose::Evidence);
        let space = ground.space;
        Ok(Some(Self {
            rsi: rmm.rsi,
            clock: ground.clock(),
            page: RefCell::new(TokenPage::new(space)?),
            inbox: SharedInbox { slot, space },
        }))
    }
}

impl Trusted {
    /// The clock.
    pub fn clock(&self) -> Rc<dyn Clock> {
        Rc::new(self.way.clock)
    }

    /// Watches `device`, which drives `disk`, from here on.
    pub fn watch(&self, device: PrivateDevice, disk: Disk) {
        self.devices.borrow_mut().push((device, disk));
    }

    /// Ends a device whose driver did not start.
    pub fn give_up(&self, device: PrivateDevice) {
        self.way
            .with(|line| device.fail(trust::Error::Changed, line));
    }

    fn end(&self, device: PrivateDevice, disk: &Disk, error: trust::Error) {
        let failed = self.way.with(|line| device.fail(error, line));
        log::error!("{}: trusted no more: {}", failed.id(), failed.error());
        if !failed.dma_is_off() {
            log::error!(
                "{}: may still write the memory that it was lent, which is kept",
                failed.id()
            );
        }
        disk.abandon(failed.dma_is_off());
    }
}

impl Watch for Trusted {
    /// Looks from time to time whether each device still is what was accepted. One that is not ends:
    /// it reaches nothing any more, its memory is cleared, and its user gets errors.
    ///
    /// Says when to look again; `None` if there is nothing to look at.
    fn look(&self, now: Instant) -> Option<Instant> {
        let mut devices = self.devices.borrow_mut();
        if devices.is_empty() {
            return None;
        }
        let is_due = now >= self.next.get();
        if is_due {
            self.next.set(now.after(WATCH));
        }
        for (device, disk) in core::mem::take(&mut *devices) {
            let still = match disk.is_revoked() {
                true => Err(trust::Error::Revoked),
                false if is_due => self.way.with(|line| device.check(line)),
                false => Ok(()),
            };
            match still {
                Ok(()) => devices.push((device, disk)),
                Err(error) => self.end(device, &disk, error),
            }
        }
        Some(self.next.get())
    }
}

/// What realm and host call a device.
fn id(found: &Found) -> VdevId {
    VdevId::pci(0, found.id)
}

/// The steps from a device of the host to one that is trusted, and its registers mapped anew.
fn admit(
    found: Found,
    wanted: Measurement,
    (way, ground): (Result<&Way, Distrust>, &Ground),
    bus: &mut Bus,
    devices: &Devices,
) -> Result<Found, Distrust> {
    let mut witness = ground.attestation.as_ref().ok_or(Distrust::NoRealm)?;
    let way = way?;
    if found.transport.kind() != Kind::Block {
        return Err(Distrust::Kind);
    }
    let bars = bars(&found, ground.space);
    if bars.is_empty() {
        return Err(Distrust::Placed);
    }
    let shared = SharedDevice::new(id(&found), bars);
    found.transport.quiesce()?;
    let device = way.with(|line| -> Result<PrivateDevice, Distrust> {
        let offer = line.offer()?;
        let locked = shared.lock(None, offer, line)?;
        Ok(locked.accept(wanted, &mut witness, line)?)
    })?;
    // Registers that are gone already would not be survived, so they are looked at first.
    let checked = way.with(|line| device.check(line)).map_err(Distrust::from);
    let opened = checked.and_then(|()| open(found.identity, &device, bus, (devices, ground)));
    match opened {
        Ok(transport) => Ok(Found {
            transport,
            trusted: Some(device),
            ..found
        }),
        Err(error) => {
            way.with(|line| device.fail(trust::Error::Changed, line));
            Err(error)
        }
    }
}

/// Maps the registers of a trusted device in the protected half.
fn open(
    identity: Identity,
    device: &PrivateDevice,
    bus: &mut Bus,
    (devices, ground): (&Devices, &Ground),
) -> Result<Transport, Distrust> {
    let held = device.registers();
    let held = held.map(|range| range.base().get()..range.top()).collect();
    let clock = ground.shared_clock();
    let transport = bus.reopen(identity, &devices.holding(held), &clock)?;
    let mut runs = transport.register_runs().iter();
    match runs.find(|(at, len)| !device.holds(*at, *len)) {
        Some((at, _)) => Err(Distrust::Open { at: *at }),
        None => Ok(transport),
    }
}

/// The BARs, as far as their sizes are known.
fn bars(found: &Found, space: IpaSpace) -> Vec<Bar> {
    let bars = found.transport.bars().sized();
    let bar = |(index, address, size): (u8, u64, u64)| {
        let range = GranuleRange::new(space, address, address.checked_add(size)?).ok()?;
        Some(Bar { index, range })
    };
    bars.filter_map(bar).collect()
}
