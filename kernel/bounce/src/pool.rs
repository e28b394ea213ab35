//! The share of the region that one device has.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::ops::Range;

use clock::Clock;

use crate::{
    DeviceAddress, Direction, Error, Label, Parts, Shared, Slot, Spacing, Trace, Window, World,
};

/// What went through a pool. Bytes are payload and headers; words of rings are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Bytes copied from the caller to the device.
    pub bytes_out: u64,
    /// Bytes copied from the device to the caller.
    pub bytes_in: u64,
    /// Copies, either way.
    pub copies: u64,
    /// Leases given, ever.
    pub leases: u64,
    /// Bytes leased now.
    pub leased: u64,
    /// Most bytes ever leased at once.
    pub high_water: u64,
    /// Bytes of the pool.
    pub size: u64,
    /// Times that a lease was refused, or that a driver had to wait for a slot.
    pub exhausted: u64,
    /// The last of these.
    pub shortage: Option<Shortage>,
}

/// What was wanted, and not there. A driver that waits speaks of the slots that it owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// The queue that it was for; `None` for a lease.
    pub queue: Option<u16>,
    /// Bytes that were wanted.
    pub wanted: usize,
    /// Bytes that were free.
    pub free: usize,
    /// Bytes of the largest run of them.
    pub largest: usize,
}

impl core::fmt::Display for Shortage {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self {
            queue,
            wanted,
            free,
            largest,
        } = self;
        match queue {
            Some(queue) => write!(f, "queue {queue} wanted ")?,
            None => f.write_str("its driver wanted ")?,
        }
        write!(f, "{wanted} bytes, {free} were free, {largest} in a row")
    }
}

/// The share of the region that one device has. Clones are the same pool.
#[derive(Clone)]
pub struct Pool<W: World = Shared>(Rc<Owner<W>>);

impl<W: World> Pool<W> {
    pub(crate) fn new(owner: Rc<Owner<W>>) -> Self {
        Self(owner)
    }

    /// Leases `len` bytes, not 0, cleared. What a device is told for the first of them is a multiple
    /// of `align`, a power of two.
    ///
    /// # Errors
    ///
    /// [`Error::Exhausted`], which is counted.
    pub fn lease(&self, len: usize, align: usize) -> Result<Slot<W>, Error> {
        let run = self.0.take(len, align);
        let run = run.inspect_err(|_| self.note_shortage(self.0.shortage(len)))?;
        let slot = Slot::new(Rc::clone(&self.0), run, len);
        slot.clear();
        Ok(slot)
    }

    /// Counts a moment in which the device had no free slot for what its user wanted to send.
    pub fn note_shortage(&self, shortage: Shortage) {
        self.0.count(|c| {
            c.exhausted += 1;
            c.shortage = Some(shortage);
        });
    }

    pub(crate) fn owns(&self, owner: &Rc<Owner<W>>) -> bool {
        Rc::ptr_eq(&self.0, owner)
    }

    /// Bytes of the pool, leased or not.
    pub fn size(&self) -> usize {
        self.0.size
    }

    /// Bytes that nobody leases now.
    pub fn left(&self) -> usize {
        let leased = usize::try_from(self.0.counters().leased).unwrap_or(usize::MAX);
        self.0.size.saturating_sub(leased)
    }

    /// Ends the pool: nobody leases from it any more, what nobody leases now is cleared, and what is leased is
    /// cleared when it comes back.
    pub fn retire(&self) {
        self.0.closed.set(true);
        for run in self.0.free.borrow().iter() {
            let cleared = self.0.window.clear(run.start, run.len());
            debug_assert_eq!(cleared, Ok(()), "a pool lies inside its window");
        }
    }

    /// Whether somebody may lease from it: it was not given up, and has not ended.
    pub fn is_open(&self) -> bool {
        !self.0.closed.get()
    }

    /// How close slots lie to one another.
    pub fn spacing(&self) -> Spacing {
        self.0.spacing
    }

    /// Words that were loaded, in builds with debug assertions; 0 in others. So that a test sees when
    /// a word of the device's is fetched twice.
    pub fn words_loaded(&self) -> u64 {
        self.0.words_loaded.get()
    }

    /// The device that the pool belongs to.
    pub fn device(&self) -> Rc<str> {
        self.0.device()
    }

    /// What went through the pool so far.
    pub fn counters(&self) -> Counters {
        self.0.counters()
    }

    /// Gives the pool up: clears all of it, and nobody leases from it any more, whoever has a clone.
    ///
    /// # Errors
    ///
    /// [`Outstanding`] if something is leased, or was lost to a device that never confirmed its reset.
    /// Then nothing has changed.
    pub fn give_up(self) -> Result<AtRest<W>, Outstanding> {
        let bytes = self.0.counters().leased;
        let whole = self.0.free.borrow().first().cloned();
        let whole = whole.filter(|_| bytes == 0 && !self.0.closed.get());
        let run = whole.ok_or(Outstanding { bytes })?;
        self.0.closed.set(true);
        let cleared = self.0.window.clear(run.start, run.len());
        debug_assert_eq!(cleared, Ok(()), "a pool lies inside its window");
        Ok(AtRest(self.0))
    }
}

/// Something of a pool is leased, so its device may still reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outstanding {
    /// Bytes that are leased or lost.
    pub bytes: u64,
}

impl core::fmt::Display for Outstanding {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} bytes of its memory are still lent", self.bytes)
    }
}

impl core::error::Error for Outstanding {}

/// A pool that was given up: cleared, and nothing of it is lent.
pub struct AtRest<W: World>(Rc<Owner<W>>);

impl<W: World> core::fmt::Debug for AtRest<W> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("AtRest").field(&self.device()).finish()
    }
}

impl<W: World> AtRest<W> {
    /// The device that it belonged to.
    pub fn device(&self) -> Rc<str> {
        self.0.device()
    }

    /// Takes it into use again, for the same device.
    pub fn reopen(self) -> Pool<W> {
        self.0.closed.set(false);
        Pool(self.0)
    }
}

/// What a pool and its slots have in common: the owner of a run of the window.
pub(crate) struct Owner<W: World> {
    pub(crate) window: Rc<Window<W>>,
    pub(crate) spacing: Spacing,
    clock: Rc<dyn Clock>,
    trace: Rc<Trace>,
    device: Rc<str>,
    /// Its number in the trace.
    number: u8,
    size: usize,
    /// Whether the pool was given up, or retired.
    closed: Cell<bool>,
    /// Runs nobody leases, sorted, neighbours merged.
    free: RefCell<Vec<Range<usize>>>,
    counters: Cell<Counters>,
    words_loaded: Cell<u64>,
}

impl<W: World> Owner<W> {
    pub(crate) fn new(
        window: Rc<Window<W>>,
        spacing: Spacing,
        clock: Rc<dyn Clock>,
        trace: Rc<Trace>,
        device: Rc<str>,
        run: Range<usize>,
    ) -> Self {
        let size = run.len();
        let counters = Counters {
            size: size as u64,
            ..Counters::default()
        };
        let free = RefCell::new(Vec::from([run]));
        let number = if W::CROSSES { trace.device(&device) } else { 0 };
        Self {
            window,
            spacing,
            clock,
            trace,
            device,
            number,
            size,
            closed: Cell::new(false),
            free,
            counters: Cell::new(counters),
            words_loaded: Cell::new(0),
        }
    }

    pub(crate) fn device(&self) -> Rc<str> {
        Rc::clone(&self.device)
    }

    pub(crate) fn counters(&self) -> Counters {
        self.counters.get()
    }

    /// Counts a word that is loaded, where tests look.
    pub(crate) fn note_load(&self) {
        if cfg!(debug_assertions) {
            self.words_loaded.set(self.words_loaded.get() + 1);
        }
    }

    /// What is free while `wanted` bytes are not.
    fn shortage(&self, wanted: usize) -> Shortage {
        let free = self.free.borrow();
        Shortage {
            queue: None,
            wanted,
            free: free.iter().map(Range::len).sum(),
            largest: free.iter().map(Range::len).max().unwrap_or(0),
        }
    }

    fn count(&self, change: impl FnOnce(&mut Counters)) {
        let mut counters = self.counters.get();
        change(&mut counters);
        self.counters.set(counters);
    }

    /// Whether each copy is told as it is made.
    pub(crate) fn tells_copies(&self) -> bool {
        W::CROSSES && self.trace.wants_copies()
    }

    /// Notes copies that begin at `start` of the window, in a slot with `label`.
    pub(crate) fn crossed(&self, start: usize, parts: Parts, direction: Direction, label: Label) {
        let Parts { bytes, copies } = parts;
        self.count(|c| {
            c.copies += copies;
            match direction {
                Direction::Out => c.bytes_out += bytes as u64,
                Direction::In => c.bytes_in += bytes as u64,
            }
        });
        if W::CROSSES && self.trace.enabled() {
            // It was copied, so it lies in the window.
            let address = self.window.address(start).map_or(0, DeviceAddress::get);
            let place = (self.number, address);
            let len = u32::try_from(bytes).unwrap_or(u32::MAX);
            let now = || self.clock.now();
            self.trace.record(place, len, direction, label, now);
        }
    }

    /// Takes the first free run that fits out of the list.
    fn take(&self, len: usize, align: usize) -> Result<Range<usize>, Error> {
        let exhausted = Error::Exhausted { wanted: len };
        if self.closed.get() || len == 0 || !align.is_power_of_two() {
            return Err(exhausted);
        }
        let (len, align) = self.spacing.footprint(len, align).ok_or(exhausted)?;
        let mut free = self.free.borrow_mut();
        let fits = |run: &Range<usize>| {
            let start = self.window.next_aligned(run.start, align)?;
            let end = start.checked_add(len)?;
            (end <= run.end).then_some(start..end)
        };
        let found = free
            .iter()
            .enumerate()
            .find_map(|(i, run)| Some((i, fits(run)?)));
        let (i, taken) = found.ok_or(exhausted)?;
        let whole = free.remove(i);
        for rest in [taken.end..whole.end, whole.start..taken.start] {
            if !rest.is_empty() {
                free.insert(i, rest);
            }
        }
        self.count(|c| {
            c.leases += 1;
            c.leased += len as u64;
            c.high_water = c.high_water.max(c.leased);
        });
        Ok(taken)
    }

    /// Gives a run back and merges it with its neighbours.
    pub(crate) fn give_back(&self, run: Range<usize>) {
        if self.closed.get() {
            let cleared = self.window.clear(run.start, run.len());
            debug_assert_eq!(cleared, Ok(()), "a run lies inside its window");
        }
        self.count(|c| c.leased -= run.len() as u64);
        let mut free = self.free.borrow_mut();
        let i = free.partition_point(|r| r.start < run.start);
        free.insert(i, run);
        free.dedup_by(|next, kept| {
            let touching = kept.end == next.start;
            if touching {
                kept.end = next.end;
            }
            touching
        });
    }
}
