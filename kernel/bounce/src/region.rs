//! The whole shared window, and its division among devices.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use clock::Clock;

use crate::pool::Shared;
use crate::{Counters, Error, Pool, Trace, Window};

/// Pools begin on a granule, so that no page carries bytes of two devices.
const POOL_ALIGN: usize = 4096;

/// The bounce region: one window, carved into pools.
pub struct Region {
    window: Rc<Window>,
    clock: Rc<dyn Clock>,
    trace: Rc<Trace>,
    carved: Cell<usize>,
    pools: RefCell<Vec<Rc<Shared>>>,
}

impl Region {
    /// Takes the window and clears all of it: what the host left there is not ours to keep.
    ///
    /// # Errors
    ///
    /// None that a window can cause; the signature is that of the copies it is made of.
    pub fn new(window: Window, clock: Rc<dyn Clock>) -> Result<Self, Error> {
        window.clear(0, window.len())?;
        Ok(Self {
            window: Rc::new(window),
            clock,
            trace: Rc::new(Trace::new()),
            carved: Cell::new(0),
            pools: RefCell::new(Vec::new()),
        })
    }

    /// Carves a pool of `len` bytes, rounded up to granules, for `device`.
    ///
    /// # Errors
    ///
    /// [`Error::Exhausted`] if the region has no such run left.
    pub fn pool(&self, device: &str, len: usize) -> Result<Pool, Error> {
        let exhausted = Error::Exhausted { wanted: len };
        let len = len.checked_next_multiple_of(POOL_ALIGN).ok_or(exhausted)?;
        let at = self.carved.get();
        let end = at
            .checked_add(len)
            .filter(|end| *end <= self.window.len())
            .ok_or(exhausted)?;
        self.carved.set(end);
        let shared = Rc::new(Shared::new(
            Rc::clone(&self.window),
            Rc::clone(&self.clock),
            Rc::clone(&self.trace),
            device.into(),
            at..end,
        ));
        self.pools.borrow_mut().push(Rc::clone(&shared));
        Ok(Pool::new(shared))
    }

    /// Bytes of the region.
    pub fn len(&self) -> usize {
        self.window.len()
    }

    /// Whether the region has no bytes.
    pub fn is_empty(&self) -> bool {
        self.window.is_empty()
    }

    /// Bytes that no pool has.
    pub fn uncarved(&self) -> usize {
        self.window.len() - self.carved.get()
    }

    /// The record of copies.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The name and the counters of each pool, in the order of carving.
    pub fn counters(&self) -> Vec<(Rc<str>, Counters)> {
        self.pools
            .borrow()
            .iter()
            .map(|p| (p.device(), p.counters()))
            .collect()
    }
}
