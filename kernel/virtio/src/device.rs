//! What every driver has: a transport, the memory that it lent, and the error that ended it.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use bounce::{Buffer, Pool, Slot, World};

use crate::{Environment, Error, Features, Kind, Transport};

/// Buffers of users, by the number of the request that they are lent for.
pub(crate) type Held = Rc<RefCell<Vec<Option<Buffer>>>>;

/// A device while it is driven.
///
/// Dropping it resets the device. Memory goes back to its pool only when the device has
/// confirmed the reset; otherwise it may still write there, and the memory stays leased for ever.
pub(crate) struct Device<W: World> {
    transport: Transport,
    pool: Pool<W>,
    lent: RefCell<Vec<Rc<Slot<W>>>>,
    held: Held,
    /// What was agreed on, and is again when the device is started anew.
    agreed: Cell<Option<(Features, Environment)>>,
    failure: Cell<Option<Error>>,
    /// Whether the device confirmed that it stopped, after a failure.
    stopped: Cell<bool>,
    /// Whether its registers may be gone.
    gone: Cell<bool>,
    told: Cell<bool>,
}

impl<W: World> Device<W> {
    /// A device of `kind`, which has nothing yet.
    ///
    /// # Errors
    ///
    /// [`Error::WrongKind`].
    pub(crate) fn new(transport: Transport, kind: Kind, pool: &Pool<W>) -> Result<Self, Error> {
        if transport.kind() != kind {
            return Err(Error::WrongKind);
        }
        Ok(Self {
            transport,
            pool: pool.clone(),
            lent: RefCell::new(Vec::new()),
            held: Held::default(),
            agreed: Cell::new(None),
            failure: Cell::new(None),
            stopped: Cell::new(false),
            gone: Cell::new(false),
            told: Cell::new(false),
        })
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

    /// Room for `count` buffers of users, which the device has while they are there.
    pub(crate) fn held(&self, count: usize) -> Held {
        self.held.borrow_mut().resize_with(count, || None);
        Rc::clone(&self.held)
    }

    /// Does `work` with a device that runs. Its error ends the device, and so does a change that the
    /// device announced; what ended it is then the result, for ever.
    pub(crate) fn run<T>(&self, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        self.check();
        if let Some(error) = self.failure() {
            return Err(error);
        }
        let done = work().inspect_err(|error| self.fail(*error))?;
        self.failure().map_or(Ok(done), Err)
    }

    /// Ends the device, which broke a rule. The first error counts.
    pub(crate) fn fail(&self, error: Error) {
        if self.failure.get().is_none() {
            self.failure.set(Some(error));
            // If it does not even reset, its memory stays leased: see `drop`.
            self.stopped.set(self.transport.reset().is_ok());
        }
    }

    /// Ends a device that is trusted no more. Its registers may be gone, and are not touched any more.
    ///
    /// If it `reaches_nothing`, what it was lent is cleared and comes back. Otherwise it may still write
    /// there, and the memory stays leased for ever.
    pub(crate) fn abandon(&self, reaches_nothing: bool) {
        self.gone.set(true);
        self.transport.interrupt().abandon();
        // Whatever ended it before: nothing starts it anew from here.
        self.failure.set(Some(Error::Withdrawn));
        self.stopped.set(reaches_nothing);
        if reaches_nothing {
            for slot in self.lent.borrow().iter() {
                slot.clear();
            }
            for mut buffer in self.held.borrow_mut().iter_mut().filter_map(Option::take) {
                buffer.bytes_mut().fill(0);
            }
        }
        self.pool.retire();
    }

    /// Ends a device that has nothing to do. Its registers are not touched any more, and what it was lent comes
    /// back when this is dropped.
    ///
    /// # Errors
    ///
    /// What ended it before, and [`Error::ResetTimedOut`]: then its memory stays leased.
    pub(crate) fn halt(&self) -> Result<(), Error> {
        if let Some(failure) = self.failure() {
            return Err(failure);
        }
        if let Err(error) = self.transport.reset() {
            self.failure.set(Some(error));
            return Err(error);
        }
        self.failure.set(Some(Error::AtRest));
        self.stopped.set(true);
        self.gone.set(true);
        self.transport.interrupt().abandon();
        Ok(())
    }

    /// Whether the device may still use what it was lent, whatever it completed.
    pub(crate) fn may_linger(&self) -> bool {
        self.failure.get().is_some() && !self.stopped.get()
    }

    /// Resets the device and agrees on features, as [`Transport::negotiate`] does. It stays by them.
    pub(crate) fn negotiate(
        &self,
        wanted: impl FnOnce(Features) -> Features,
        environment: Environment,
    ) -> Result<Features, Error> {
        let features = self.transport.negotiate(wanted, environment)?;
        self.agreed.set(Some((features, environment)));
        Ok(features)
    }

    /// Starts a device anew that had failed, on what was agreed on before; `set_up` gives it its queues. Says
    /// whether it had failed: nothing is done with one that runs.
    ///
    /// # Errors
    ///
    /// What ended it if it was [abandoned](Self::abandon) or [halted](Self::halt), [`Error::ResetTimedOut`], those of
    /// [`Transport::negotiate`], [`Error::FeaturesChanged`] if it offers others now, and those of `set_up`. It
    /// has failed then as before.
    pub(crate) fn restart(
        &self,
        set_up: impl FnOnce(Features) -> Result<(), Error>,
    ) -> Result<bool, Error> {
        let Some(failure) = self.failure() else {
            return Ok(false);
        };
        let Some((agreed, environment)) = self.agreed.get().filter(|_| !self.gone.get()) else {
            return Err(failure);
        };
        let features = self.transport.negotiate(|_| agreed, environment)?;
        if features != agreed {
            return Err(Error::FeaturesChanged);
        }
        set_up(features)?;
        self.transport.driver_ok()?;
        self.recovered();
        Ok(true)
    }

    /// Notes that the device, which had failed, runs anew. What users had lent it comes back.
    fn recovered(&self) {
        self.held
            .borrow_mut()
            .iter_mut()
            .for_each(|held| *held = None);
        self.failure.set(None);
        self.told.set(false);
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

    /// Looks at the status if the device announced a change, and says whether it did; a device that needs a
    /// reset ends.
    pub(crate) fn check(&self) -> bool {
        let has_changed =
            self.failure.get().is_none() && self.transport.interrupt().take_config_changed();
        if has_changed && let Err(error) = self.transport.check_status() {
            self.fail(error);
        }
        has_changed
    }
}

impl<W: World> Drop for Device<W> {
    fn drop(&mut self) {
        let has_stopped = match self.gone.get() {
            true => self.stopped.get(),
            false => self.transport.reset().is_ok(),
        };
        if !has_stopped {
            core::mem::forget(self.lent.take());
            core::mem::forget(self.held.take());
        }
    }
}
