//! Devices that are trusted: accepted before the first driver starts, or later by the payload, and watched from
//! then on.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, Ref, RefCell};
use core::time::Duration;

use arch::counter::Counter;
use arch::{Devices, Smc};
use bounce::{AtRest, Pool, Private, Purpose, Region, Shared, Slot};
use clock::{Clock, Instant};
use ipa::{GranuleRange, IpaSpace};
use pci::Identity;
use rhi::Inbox;
use rsi::{Rsi, VdevId};
use trust::{Bar, Line, LockedDevice, Measurement, Policy, PrivateDevice, SharedDevice};
use untrusted::Untrusted;
use virtio::{Kind, Transport};

use crate::attestation::TokenPage;
use crate::bus::{Bus, Found, Hardware};
use crate::driver::Watch;
use crate::features;
use crate::ground::Ground;
use realm::{Attestation, Distrust, Driven, Error, Refusal};

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
    space: IpaSpace,
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

/// Devices that are trusted, and what it takes to lead one there.
pub struct Trusted {
    way: Way,
    hardware: RefCell<Hardware>,
    mapper: Devices,
    witness: Rc<Attestation>,
    /// With the disk that each drives, once it does.
    devices: RefCell<Vec<(PrivateDevice, Rc<dyn Driven>)>>,
    /// Memory of the devices.
    pools: RefCell<Vec<Pool<Private>>>,
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

    /// Shared bytes that the host hands evidence over by: of devices that are named here, and of those that
    /// the payload may ask.
    pub fn shared_bytes(&self, ground: &Ground) -> u64 {
        let is_wanted = !self.0.is_empty() || is_offered(ground);
        if is_wanted { INBOX as u64 } else { 0 }
    }

    /// Accepts each device that shows that it is what it has to be, and puts it back into `bus`. Any other
    /// is refused: it does not become a device of the host by itself.
    pub fn accept(self, ground: &Ground, bus: &mut Bus, trusted: Option<&Trusted>) {
        let nobody = match (features::TRUST, &ground.attestation) {
            (false, _) => Distrust::NotBuilt,
            (true, None) => Distrust::NoRealm,
            (true, Some(_)) => Distrust::NoInbox,
        };
        for (found, wanted) in self.0 {
            let (name, kind) = (Rc::clone(&found.name), found.transport.kind());
            let trusted = trusted.ok_or(nobody);
            match trusted.and_then(|trusted| trusted.admit(found, wanted)) {
                Ok(found) => {
                    log::info!("{name}: trusted: {wanted}; its data stays private");
                    bus.found.push(found);
                }
                Err(why) => bus.refused.push(Refusal::told(name, kind, why)),
            }
        }
    }
}

/// Whether this image can trust devices, and the RMM offers any.
fn is_offered(ground: &Ground) -> bool {
    let rmm = ground.rmm.as_ref().filter(|_| features::TRUST);
    rmm.is_some_and(|rmm| rmm.rsi.has_device_assignment().unwrap_or(false))
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
            space,
            clock: ground.clock(),
            page: RefCell::new(TokenPage::new(space)?),
            inbox: SharedInbox { slot, space },
        }))
    }
}

impl Trusted {
    /// What it takes to trust devices; `None` where that is not in this image, not wanted, or there is no
    /// room for it. `evidence` bytes of the general region were left for it.
    ///
    /// # Errors
    ///
    /// [`Error::Map`].
    pub fn open(
        ground: &Ground,
        hardware: Option<Hardware>,
        regions: &[Rc<Region>],
        (mapper, evidence): (&Devices, u64),
    ) -> Result<Option<Rc<Self>>, Error> {
        if !features::TRUST || evidence == 0 {
            return Ok(None);
        }
        let both = hardware.zip(ground.attestation.as_ref());
        let Some(((hardware, witness), way)) = both.zip(Way::open(ground, regions)?) else {
            return Ok(None);
        };
        Ok(Some(Rc::new(Self {
            next: Cell::new(way.clock.deadline(WATCH)),
            way,
            hardware: RefCell::new(hardware),
            mapper: mapper.clone(),
            witness: Rc::clone(witness),
            devices: RefCell::default(),
            pools: RefCell::default(),
        })))
    }

    /// The clock.
    pub fn clock(&self) -> Rc<dyn Clock> {
        Rc::new(self.way.clock)
    }

    /// Watches `device`, which drives `disk` with the memory of `pool`, from here on.
    pub fn watch(&self, device: PrivateDevice, disk: Rc<dyn Driven>, pool: Pool<Private>) {
        self.devices.borrow_mut().push((device, disk));
        self.pools.borrow_mut().push(pool);
    }

    /// Ends a device whose driver did not start.
    pub fn give_up(&self, device: PrivateDevice) {
        self.way
            .with(|line| device.fail(trust::Error::Changed, line));
    }

    /// The device, as the crate of its states knows it: its BARs are as they are now.
    ///
    /// # Errors
    ///
    /// [`Distrust::Placed`], [`Distrust::Kind`].
    pub fn shared(&self, found: &Found) -> Result<SharedDevice, Distrust> {
        if found.transport.kind() != Kind::Block {
            return Err(Distrust::Kind);
        }
        let bars = bars(found, self.way.space);
        if bars.is_empty() {
            return Err(Distrust::Placed);
        }
        Ok(SharedDevice::new(id(found), bars))
    }

    /// Whether RMM, host and device have what it takes. Nothing changes.
    ///
    /// # Errors
    ///
    /// [`Distrust::Trust`]
    pub fn is_offered(&self, device: &SharedDevice) -> Result<(), Distrust> {
        Ok(self.way.with(|line| {
            let offer = line.offer()?;
            device.probe(offer, line)
        })?)
    }

    /// Locks a device that has no driver, and has it say what it is.
    ///
    /// # Errors
    ///
    /// [`Distrust::Trust`]; then it is nobody's.
    pub fn lock(
        &self,
        device: SharedDevice,
        rest: Option<AtRest<Shared>>,
    ) -> Result<LockedDevice, Distrust> {
        self.way.with(|line| {
            let offer = line.offer()?;
            Ok(device.lock(rest, offer, line)?)
        })
    }

    /// Trusts a device that is what is `wanted`, and opens the way to it anew.
    ///
    /// # Errors
    ///
    /// [`Distrust`]; then it is nobody's.
    pub fn accept(
        &self,
        device: LockedDevice,
        wanted: Measurement,
        identity: Identity,
    ) -> Result<(PrivateDevice, Transport), Distrust> {
        let mut witness = &*self.witness;
        let device = self
            .way
            .with(|line| device.accept(wanted, &mut witness, line))?;
        // Registers that are gone already would not be survived, so they are looked at first.
        let checked = self.way.with(|line| device.check(line));
        match checked
            .map_err(Distrust::from)
            .and_then(|()| self.open_private(&device, identity))
        {
            Ok(transport) => Ok((device, transport)),
            Err(why) => {
                self.give_up(device);
                Err(why)
            }
        }
    }

    /// Gives a device back to the host, and the memory that its driver had.
    ///
    /// # Errors
    ///
    /// [`Distrust::Trust`]; then it is nobody's.
    pub fn release(
        &self,
        device: LockedDevice,
    ) -> Result<(SharedDevice, Option<AtRest<Shared>>), Distrust> {
        Ok(self.way.with(|line| device.release(line))?)
    }

    /// Opens the way to a device of the host anew. Its BARs stay where they are.
    ///
    /// # Errors
    ///
    /// As for [`Transport::open`].
    pub fn reopen(&self, identity: Identity) -> Result<Transport, virtio::Error> {
        self.open_by(identity, &self.mapper)
    }

    fn open_by(&self, identity: Identity, mapper: &Devices) -> Result<Transport, virtio::Error> {
        let mut hardware = self.hardware.borrow_mut();
        hardware.reopen(identity, mapper, &self.clock())
    }

    /// Maps the registers of a trusted device in the protected half.
    fn open_private(
        &self,
        device: &PrivateDevice,
        identity: Identity,
    ) -> Result<Transport, Distrust> {
        let held = device.registers();
        let held = held.map(|range| range.base().get()..range.top()).collect();
        let transport = self.open_by(identity, &self.mapper.holding(held))?;
        let mut runs = transport.register_runs().iter();
        match runs.find(|(at, len)| !device.holds(*at, *len)) {
            Some((at, _)) => Err(Distrust::Open { at: *at }),
            None => Ok(transport),
        }
    }

    /// The steps from a device of the host that has no driver yet to one that is trusted.
    fn admit(&self, found: Found, wanted: Measurement) -> Result<Found, Distrust> {
        let shared = self.shared(&found)?;
        found.transport.quiesce()?;
        let locked = self.lock(shared, None)?;
        let (device, transport) = self.accept(locked, wanted, found.identity)?;
        Ok(Found {
            transport,
            trusted: Some(device),
            ..found
        })
    }

    fn end(&self, device: PrivateDevice, disk: &dyn Driven, error: trust::Error) {
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
                Err(error) => self.end(device, &*disk, error),
            }
        }
        Some(self.next.get())
    }

    fn pools(&self) -> Ref<'_, [Pool<Private>]> {
        Ref::map(self.pools.borrow(), Vec::as_slice)
    }
}

/// What realm and host call a device.
fn id(found: &Found) -> VdevId {
    VdevId::pci(0, found.id)
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
