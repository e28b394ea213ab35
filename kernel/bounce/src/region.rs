//! A whole window, and its division among devices.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use clock::Clock;

use crate::pool::Owner;
use crate::spacing::GRANULE;
use crate::{Counters, Error, Pool, Shared, Spacing, Trace, Window, World};

/// A region: one window, carved into pools. Pools begin on a granule, so that no page carries bytes
/// of two devices.
pub struct Region<W: World = Shared> {
    window: Rc<Window<W>>,
    spacing: Spacing,
    clock: Rc<dyn Clock>,
    trace: Rc<Trace>,
    carved: Cell<usize>,
    pools: RefCell<Vec<Rc<Owner<W>>>>,
}

impl<W: World> Region<W> {
    /// Takes the window, whose slots will lie close. It is not cleared here: each slot is when it is
    /// leased, and what nobody leases is the host's, who left what is there.
    ///
    /// # Errors
    ///
    /// None that a window can cause; the signature is that of the copies it is made of.
    pub fn new(window: Window<W>, clock: Rc<dyn Clock>) -> Result<Self, Error> {
        Self::spaced(window, clock, Spacing::Packed)
    }

    /// The same, with slots as close to one another as `spacing` says.
    ///
    /// # Errors
    ///
    /// As for [`Self::new`].
    pub fn spaced(
        window: Window<W>,
        clock: Rc<dyn Clock>,
        spacing: Spacing,
    ) -> Result<Self, Error> {
        Self::traced(window, clock, spacing, Rc::default())
    }

    /// The same, with a record of copies that other regions have, too.
    ///
    /// # Errors
    ///
    /// As for [`Self::new`].
    pub fn traced(
        window: Window<W>,
        clock: Rc<dyn Clock>,
        spacing: Spacing,
        trace: Rc<Trace>,
    ) -> Result<Self, Error> {
        Ok(Self {
            window: Rc::new(window),
            spacing,
            clock,
            trace,
            carved: Cell::new(0),
            pools: RefCell::new(Vec::new()),
        })
    }

    /// Carves a pool of `len` bytes, rounded up to granules, for `device`.
    ///
    /// # Errors
    ///
    /// [`Error::Exhausted`] if the region has no such run left.
    pub fn pool(&self, device: &str, len: usize) -> Result<Pool<W>, Error> {
        let exhausted = Error::Exhausted { wanted: len };
        let len = len.checked_next_multiple_of(GRANULE).ok_or(exhausted)?;
        let at = self.carved.get();
        let end = at
            .checked_add(len)
            .filter(|end| *end <= self.window.len())
            .ok_or(exhausted)?;
        self.carved.set(end);
        let owner = Rc::new(Owner::new(
            Rc::clone(&self.window),
            self.spacing,
            Rc::clone(&self.clock),
            Rc::clone(&self.trace),
            device.into(),
            at..end,
        ));
        self.pools.borrow_mut().push(Rc::clone(&owner));
        Ok(Pool::new(owner))
    }

    /// How close slots lie to one another.
    pub fn spacing(&self) -> Spacing {
        self.spacing
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
    pub fn trace(&self) -> &Rc<Trace> {
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
