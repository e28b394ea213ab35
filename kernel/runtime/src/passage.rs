//! A disk of the host that its user may trust later: how it gets from shared to private, and back.

use alloc::rc::Rc;
use core::cell::RefCell;

use bounce::{AtRest, Outstanding, Pool, Shared};
use pci::Identity;
use realm::{Distrust, Driven, Passage};
use trust::{LockedDevice, Measurement, SharedDevice};
use virtio::{Block, Depth, Direct, Environment, Error, Transport};

use crate::bus::Found;
use crate::driver::Start;
use crate::interrupts::Interrupts;
use crate::private_disk;
use crate::trusted::Trusted;

/// What is kept of a disk of the host for the case that its user asks what it is.
pub struct ByPayload {
    trusted: Rc<Trusted>,
    interrupts: Option<Rc<Interrupts>>,
    name: Rc<str>,
    identity: Identity,
    /// The device while it is the host's.
    device: RefCell<Result<SharedDevice, Distrust>>,
    pool: Pool,
    environment: Environment,
    depth: Depth,
}

impl ByPayload {
    /// Takes note of `found`, which is to be started with `pool`.
    pub fn new(
        trusted: &Rc<Trusted>,
        interrupts: Option<&Rc<Interrupts>>,
        (found, pool): (&Found, &Pool),
        start: &Start<'_>,
    ) -> Self {
        Self {
            trusted: Rc::clone(trusted),
            interrupts: interrupts.cloned(),
            name: Rc::clone(&found.name),
            identity: found.identity,
            device: RefCell::new(trusted.shared(found)),
            pool: pool.clone(),
            environment: start.environment,
            depth: start.depth,
        }
    }

    /// Starts a driver over `transport`, which interrupts as the one before it did.
    fn started<T, E>(
        &self,
        transport: Transport,
        start: impl FnOnce(Transport) -> Result<T, E>,
    ) -> Result<T, E> {
        if let Some(interrupts) = &self.interrupts {
            interrupts.renew(&self.name, transport.interrupt());
        }
        let started = start(transport)?;
        if let Some(interrupts) = &self.interrupts {
            interrupts.reconnect(&self.name);
        }
        Ok(started)
    }
}

impl Passage for ByPayload {
    fn is_offered(&self) -> Result<(), Distrust> {
        let device = self.device.borrow();
        self.trusted
            .is_offered(device.as_ref().map_err(|why| *why)?)
    }

    fn give_up_pool(&self) -> Result<AtRest<Shared>, Outstanding> {
        self.pool.clone().give_up()
    }

    fn start(&self) -> Result<Block, Error> {
        let transport = self.trusted.reopen(self.identity)?;
        self.started(transport, |transport| {
            Block::start_with(transport, &self.pool, self.environment, self.depth)
        })
    }

    fn lock(&self, rest: AtRest<Shared>) -> Result<LockedDevice, Distrust> {
        let device = self.device.replace(Err(Distrust::Device(Error::AtRest)))?;
        let locked = self.trusted.lock(device, Some(rest));
        locked.inspect_err(|why| log::warn!("{}: not used: not trusted: {why}", self.name))
    }

    fn accept(
        &self,
        device: LockedDevice,
        wanted: Measurement,
        disk: Rc<dyn Driven>,
    ) -> Result<Block<Direct>, Distrust> {
        let accept = || {
            let (device, transport) = self.trusted.accept(device, wanted, self.identity)?;
            self.started(transport, |transport| {
                let both = (device, transport);
                private_disk::drive(&self.name, both, &self.trusted, self.environment)
            })
        };
        let ((driver, pool), device) = accept()
            .inspect_err(|why| log::warn!("{}: not used: not trusted: {why}", self.name))?;
        self.trusted.watch(device, disk, pool);
        log::info!("{}: trusted: {wanted}; its data stays private", self.name);
        Ok(driver)
    }

    fn release(&self, device: LockedDevice) -> Result<(), Distrust> {
        let (device, rest) = self.trusted.release(device)?;
        *self.device.borrow_mut() = Ok(device);
        // The same pool as ours, which can be leased from again.
        let _pool = rest.map(AtRest::reopen);
        log::info!("{}: not trusted, as its user wants it", self.name);
        Ok(())
    }
}
