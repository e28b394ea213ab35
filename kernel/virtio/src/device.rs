//! What every driver has: a transport, the memory that it lent, and the error that ended it.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use bounce::{Pool, Slot, World};

use crate::{Error, Transport};

/// A device while it is driven.
///
/// Dropping it resets the device. Memory goes back to its pool only when the device has
/// confirmed the reset; otherwise it may still write there, and the memory stays leased for ever.
pub(crate) struct Device<W: World> {
    transport: Transport,
    pool: Pool<W>,
    lent: RefCell<Vec<Rc<Slot<W>>>>,
    failure: Cell<Option<Error>>,
    told: Cell<bool>,
}

impl<W: World> Device<W> {
    pub(crate) fn new(transport: Transport, pool: &Pool<W>) -> Self {
        Self {
            transport,
            pool: pool.clone(),
            lent: RefCell::new(Vec::new()),
            failure: Cell::new(None),
            told: Cell::new(false),
        }
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    pub(crate) fn pool(&self) -> &Pool<W> {
        &self.pool
    }

    /// Leases memory for the life of the device.
    pub(crate) fn lease(&self, len: usize, align: usize) -> Result<Rc<Slot<W>>, Error> {
        let slot = Rc::new(self.pool.lease(len, align)?);
        self.lent.borrow_mut().push(Rc::clone(&slot));
        Ok(slot)
    }

    /// Ends the device, which broke a rule. The first error counts.
    pub(crate) fn fail(&self, error: Error) {
        if self.failure.get().is_none() {
            self.failure.set(Some(error));
            // If it does not even reset, its memory stays leased: see `drop`.
            let _stopped = self.transport.reset();
        }
    }

    /// The error that ended the device.
    pub(crate) fn failure(&self) -> Option<Error> {
        self.failure.get()
    }

    /// The error that ended the device, the first time this is called after it happened.
    pub(crate) fn take_failure(&self) -> Option<Error> {
        let failure = self.failure.get()?;
        (!self.told.replace(true)).then_some(failure)
    }

    /// Looks at the status if the device announced a change; a device that needs a reset ends.
    pub(crate) fn check(&self) {
        if self.failure.get().is_none()
            && self.transport.interrupt().take_config_changed()
            && let Err(error) = self.transport.check_status()
        {
            self.fail(error);
        }
    }
}

impl<W: World> Drop for Device<W> {
    fn drop(&mut self) {
        if self.transport.reset().is_err() {
            core::mem::forget(self.lent.take());
        }
    }
}
