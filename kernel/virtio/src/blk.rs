//! The block device.
//!
//! Data lies in chunks of one slot, which requests take as many of as they need: header, runs of
//! data, status. A read or write of any length is cut into requests of up to 1 MiB, and many are in
//! flight at once. Chunks are not cleared between two requests: what is in them, this device wrote
//! there, or was told. A trusted device gets a user's buffer instead, if the user hands one over.
//!
//! A request that is not done by its deadline ends the device: only a reset takes its memory back.
//! A device that ended can be started anew.
//!
//! Ref: virtio 1.2, 5.2 "Block Device".

mod chunks;
mod order;
mod owned;
mod request;
mod state;
mod transfer;
mod wire;

use alloc::rc::Rc;
use core::cell::{Cell, RefCell};
use core::future::poll_fn;

use block::BlockDevice;
use bounce::{Buffer, Pool, Spacing};
use clock::Instant;

use crate::blk::owned::Owned;
pub use crate::blk::owned::Returned;
use crate::blk::request::{FRAME, MOST_RUNS, Requests};
use crate::blk::state::State;
use crate::blk::transfer::{Transfer, Work};
use crate::blk::wire::{Operation, REQUEST_QUEUE};
use crate::device::Device;
use crate::needs;
use crate::queue::{Interrupts, Queue, RING_ALIGN, Usage, ring_bytes};
use crate::{Bounced, Environment, Error, Features, Interrupt, Kind, Needs, Path, Transport};

/// How many requests can be in flight at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth(u16);

impl Depth {
    /// What [`Self::parse`] takes.
    pub const EXPECTED: &str = "a number from 1 to 256";

    /// Reads the value of a boot argument; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let depth = text.parse().ok()?;
        (1..=256).contains(&depth).then_some(Self(depth))
    }
}

impl Default for Depth {
    fn default() -> Self {
        Self(32)
    }
}

/// Most bytes of data in a request.
pub const MAX_REQUEST: usize = 1 << 20;
/// Capacity beyond which byte offsets would not fit 64 bits.
const MAX_CAPACITY: u64 = u64::MAX / block::SECTOR_SIZE as u64;

/// What the device did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlkCounters {
    /// Requests handed to the device.
    pub requests: u64,
    /// Requests that the device did not do.
    pub failed: u64,
    /// Doorbells rung.
    pub doorbells: u64,
}

/// A block device that is running.
///
/// A device that breaks the rules is reset, and every request ends with an error;
/// [`Self::take_failure`] says why, once.
pub struct Block<P: Path = Bounced> {
    state: RefCell<State<P::World>>,
    capacity: Cell<u64>,
    features: Features,
    device: Device<P::World>,
}

impl<P: Path> Block<P> {
    /// Bytes that a device leases.
    pub fn needs(spacing: Spacing) -> Needs {
        let rings = spacing.bytes(1, ring_bytes(), RING_ALIGN);
        let slots = [request::heads(Depth::default().0), chunks::WANT];
        Needs::of(rings, &slots, spacing)
    }

    /// Resets the device, agrees on features, and latches its configuration. The default of
    /// [`Depth`] can be in flight at once.
    ///
    /// # Errors
    ///
    /// Any [`Error`]; the device is then reset.
    pub fn start(
        transport: Transport,
        pool: &Pool<P::World>,
        environment: Environment,
    ) -> Result<Self, Error> {
        Self::start_with(transport, pool, environment, Depth::default())
    }

    /// The same, with up to `depth` requests in flight at once, as far as the queue and the pool have
    /// room for them.
    ///
    /// # Errors
    ///
    /// As for [`Self::start`].
    pub fn start_with(
        transport: Transport,
        pool: &Pool<P::World>,
        environment: Environment,
        Depth(depth): Depth,
    ) -> Result<Self, Error> {
        let device = Device::new(transport, Kind::Block, pool)?;
        let wanted = Features::BLK_RO | Features::BLK_FLUSH | Features::BLK_SEG_MAX;
        let features = device.negotiate(|_| wanted, environment)?;
        // Hosts exist that show the capacity only after FEATURES_OK.
        let (capacity, runs) = read_config(device.transport(), features)?;
        let least = FRAME + 1;
        let queue = Queue::start(&device, REQUEST_QUEUE, least, features, Interrupts::Wanted)?;
        let depth = depth.clamp(1, queue.size() / least);
        let slots = needs::divide(pool, [request::heads(depth), chunks::WANT])?;
        let requests = Requests::lease(&device, slots.into(), runs)?;
        device.transport().driver_ok()?;
        let now = device.transport().clock().now();
        let state = State::new(queue, requests, now, depth.into());
        Ok(Self {
            state: RefCell::new(state),
            capacity: Cell::new(capacity),
            features,
            device,
        })
    }

    /// Starts a device anew that had failed: on cleared rings, with what was agreed on before. Does
    /// nothing while it runs. All that was in flight ended with an error, and the capacity may be
    /// another one.
    ///
    /// # Errors
    ///
    /// [`Error::ResetTimedOut`] if the device does not confirm a reset: then its memory stays leased,
    /// and this can be tried again. Otherwise as for [`Self::start`].
    pub fn restart(&self) -> Result<(), Error> {
        self.with(|state| {
            if let Some(failure) = self.device.failure() {
                state.requests.end_all(public(failure), &mut state.woken);
            }
            let restarted = self.device.restart(|features| {
                let (capacity, _) = read_config(self.device.transport(), features)?;
                state.queue.restart(&self.device, features)?;
                self.capacity.set(capacity);
                Ok(())
            });
            restarted.map(|_| ())
        })
    }

    /// Takes completions, ends what is past its deadline, wakes tasks, tells the device of what it
    /// has not seen, and says when to call again at the latest; `None` while nothing is in flight.
    pub fn poll(&self) -> Option<Instant> {
        if self.is_idle() {
            return None;
        }
        self.with(|state| {
            self.drive(state);
            if self.device.failure().is_some() {
                return None;
            }
            match state.settle() {
                Ok(next) => next,
                Err(error) => {
                    self.device.fail(error);
                    None
                }
            }
        })
    }

    /// Reads into `buffer`, which holds whole sectors and at most [`MAX_REQUEST`] bytes, from `sector`
    /// on. On a direct path nothing is copied.
    pub async fn read_owned(&self, sector: u64, mut buffer: Buffer) -> Returned {
        let checked = self.check_owned(sector, &buffer);
        match (checked, P::address(&buffer, self.device.pool())) {
            (Err(error), _) => refused(buffer, error),
            (Ok(()), Some(address)) => self.owned(Operation::Read, sector, (buffer, address)).await,
            (Ok(()), None) => {
                let result = self.read(sector, buffer.bytes_mut()).await;
                let buffer = Some(buffer);
                Returned { buffer, result }
            }
        }
    }

    /// Writes `buffer`, which holds whole sectors and at most [`MAX_REQUEST`] bytes, from `sector` on.
    /// On a direct path nothing is copied.
    pub async fn write_owned(&self, sector: u64, buffer: Buffer) -> Returned {
        let checked = self.check_owned(sector, &buffer);
        match (checked, P::address(&buffer, self.device.pool())) {
            (Err(error), _) => refused(buffer, error),
            (Ok(()), _) if self.read_only() => refused(buffer, block::Error::ReadOnly),
            (Ok(()), Some(address)) => {
                self.owned(Operation::Write, sector, (buffer, address))
                    .await
            }
            (Ok(()), None) => {
                let result = self.write(sector, buffer.bytes()).await;
                let buffer = Some(buffer);
                Returned { buffer, result }
            }
        }
    }

    /// A buffer of `len` bytes, all zero, that suits the device.
    ///
    /// # Errors
    ///
    /// [`Error::Bounce`] if its pool has no room.
    pub fn buffer(&self, len: usize) -> Result<Buffer, Error> {
        Ok(P::buffer(self.device.pool(), len)?)
    }

    /// Ends a device that is trusted no more, without touching its registers: they may be gone. Every
    /// request ends with an error. What it was lent is cleared and comes back if it `reaches_nothing` by
    /// now; otherwise that memory is never used again.
    pub fn abandon(&self, reaches_nothing: bool) {
        self.with(|_| self.device.abandon(reaches_nothing));
    }

    /// Requests that the device has, or that somebody is still to take the result of. Completions are taken
    /// first, however few there are.
    pub fn in_flight(&self) -> usize {
        self.with(|state| {
            self.bring_up(state, State::take_completions);
            state.requests.in_use()
        })
    }

    /// Ends a device that has nothing [`Self::in_flight`]: it is reset, and its memory comes back to the pool
    /// when this is dropped. Nothing starts it anew; its registers are not touched any more.
    ///
    /// # Errors
    ///
    /// What ended it before; [`Error::ResetTimedOut`], and then its memory stays leased.
    pub fn halt(&self) -> Result<(), Error> {
        self.with(|_| self.device.halt())
    }

    /// The interrupt of the device, to be acknowledged when it is raised.
    pub fn interrupt(&self) -> Rc<Interrupt> {
        Rc::clone(self.device.transport().interrupt())
    }

    /// What the device did so far.
    pub fn counters(&self) -> BlkCounters {
        let state = self.state.borrow();
        BlkCounters {
            doorbells: state.queue.rung(),
            ..state.requests.counters()
        }
    }

    /// What the device has of its queue.
    pub fn usage(&self) -> Usage {
        self.state.borrow().queue.usage()
    }

    /// Why the device was stopped; `None` while it runs.
    pub fn failure(&self) -> Option<Error> {
        self.device.failure()
    }

    /// Why the device was stopped, the first time this is asked after it happened.
    pub fn take_failure(&self) -> Option<Error> {
        self.device.take_failure()
    }

    /// Runs `work` on the state, then wakes the tasks that it found, and one that waits for a request
    /// if there is one.
    fn with<T>(&self, work: impl FnOnce(&mut State<P::World>) -> T) -> T {
        let mut state = self.state.borrow_mut();
        let result = work(&mut state);
        if let Some(error) = self.device.failure() {
            let state = &mut *state;
            state.requests.end_all(public(error), &mut state.woken);
        }
        if state.requests.available(&state.queue) {
            let next = state.requests.waiting().pop();
            state.woken.extend(next);
        }
        while let Some(waker) = state.woken.pop() {
            drop(state);
            waker.wake();
            state = self.state.borrow_mut();
        }
        result
    }

    /// Whether nothing is in flight, and the device said nothing else. What it says meanwhile of requests
    /// that nobody made is seen before the next one is made.
    fn is_idle(&self) -> bool {
        let has_changed = self.device.check();
        let state = self.state.borrow();
        !has_changed && self.device.failure().is_none() && state.queue.in_flight() == 0
    }

    /// Brings the state up to date with what the device did and with the time.
    fn drive(&self, state: &mut State<P::World>) {
        self.bring_up(state, |state| {
            state.look(self.device.transport().clock().now())
        });
    }

    /// Brings the state up to date with what the device did, if it is enough to be worth it, for a task with a request in
    /// flight (`waits`). For any task if nothing is: the loop looks at no idle device. The time is looked at when the loop
    /// comes round.
    fn glance(&self, state: &mut State<P::World>, waits: bool) {
        match state.queue.in_flight() {
            0 => self.drive(state),
            _ if waits => self.bring_up(state, State::glance),
            _ => {}
        }
    }

    fn bring_up(
        &self,
        state: &mut State<P::World>,
        work: impl FnOnce(&mut State<P::World>) -> Result<(), Error>,
    ) {
        if let Err(error) = self.device.run(|| work(state)) {
            state.requests.end_all(public(error), &mut state.woken);
        }
    }

    async fn transfer(&self, sector: u64, work: Work<'_>) -> Result<(), block::Error> {
        let mut transfer = Transfer::new(self, sector, work);
        poll_fn(|context| transfer.poll(context)).await
    }

    async fn owned(
        &self,
        operation: Operation,
        sector: u64,
        buffer: (Buffer, bounce::DeviceAddress<P::World>),
    ) -> Returned {
        let mut owned = Owned::new(self, (operation, sector), buffer);
        poll_fn(|context| owned.poll(context)).await
    }

    fn check_owned(&self, sector: u64, buffer: &Buffer) -> Result<(), block::Error> {
        let len = buffer.len();
        block::check_range(sector, len, self.capacity())?;
        if len > MAX_REQUEST {
            return Err(block::Error::Length { len });
        }
        Ok(())
    }
}

impl<P: Path> BlockDevice for Block<P> {
    fn capacity(&self) -> u64 {
        self.capacity.get()
    }

    fn read_only(&self) -> bool {
        self.features.contains(Features::BLK_RO)
    }

    async fn read(&self, sector: u64, into: &mut [u8]) -> Result<(), block::Error> {
        block::check_range(sector, into.len(), self.capacity())?;
        self.transfer(sector, Work::Read(into)).await
    }

    async fn write(&self, sector: u64, from: &[u8]) -> Result<(), block::Error> {
        block::check_range(sector, from.len(), self.capacity())?;
        if self.read_only() {
            return Err(block::Error::ReadOnly);
        }
        self.transfer(sector, Work::Write(from)).await
    }

    /// A device without the feature has no cache that could be flushed.
    async fn flush(&self) -> Result<(), block::Error> {
        if !self.features.contains(Features::BLK_FLUSH) {
            return Ok(());
        }
        self.transfer(0, Work::Flush).await
    }
}

/// Reads the capacity in sectors, clamped so that byte offsets fit 64 bits, and most runs of data in a
/// request.
///
/// Ref: virtio 1.2, 5.2.4 "Device configuration layout".
fn read_config(transport: &Transport, features: Features) -> Result<(u64, usize), Error> {
    const CLAMPED: &str = "clamped when the configuration was stable";
    let has_runs = features.contains(Features::BLK_SEG_MAX);
    let (low, high, runs) = transport.config(|config| {
        let low = config.read32(0)?.any_value(CLAMPED);
        let high = config.read32(4)?.any_value(CLAMPED);
        let runs = has_runs.then(|| config.read32(12)).transpose()?;
        Ok((low, high, runs.map_or(1, |runs| runs.any_value(CLAMPED))))
    })?;
    let capacity = u64::from(high) << 32 | u64::from(low);
    let runs = usize::try_from(runs).unwrap_or(MOST_RUNS);
    Ok((capacity.min(MAX_CAPACITY), runs.clamp(1, MOST_RUNS)))
}

/// A call that was refused, with its buffer.
fn refused(buffer: Buffer, error: block::Error) -> Returned {
    Returned {
        buffer: Some(buffer),
        result: Err(error),
    }
}

/// What the user of a device is told.
fn public(error: Error) -> block::Error {
    match error {
        Error::TimedOut => block::Error::TimedOut,
        _ => block::Error::Broken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_depth_is_a_number_from_1_to_256() {
        assert_eq!(Depth::parse("1"), Some(Depth(1)));
        assert_eq!(Depth::parse("256"), Some(Depth(256)));
        for wrong in ["", "0", "257", "-1", "65537", "a lot"] {
            assert_eq!(Depth::parse(wrong), None);
        }
    }
}
