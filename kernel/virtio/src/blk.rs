//! The block device.
//!
//! A request takes one of a fixed number of slots: header, data, status. A read or write of any
//! length is cut into requests, several of which are in flight at once. The slot of a read is
//! cleared before the device may write it, and never filled from private memory. A request that
//! is not done by its deadline ends the device: only a reset takes its slot back from the host.
//!
//! Ref: virtio 1.2, 5.2 "Block Device".

mod request;
mod transfer;

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::future::poll_fn;
use core::task::Waker;
use core::time::Duration;

use block::BlockDevice;
use bounce::{Pool, Spacing, World};
use clock::Instant;

use crate::blk::request::Requests;
use crate::blk::transfer::{Transfer, Work};
use crate::device::Device;
use crate::needs;
use crate::queue::{Interrupts, Queue, RING_ALIGN, ring_bytes};
use crate::transport::MAX_QUEUE_SIZE;
use crate::{Bounced, Environment, Error, Features, Interrupt, Kind, Needs, Path, Transport};

const REQUEST_QUEUE: u16 = 0;
/// How long a request may take.
const DEADLINE: Duration = Duration::from_secs(10);
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
    capacity: u64,
    read_only: bool,
    has_flush: bool,
    device: Device<P::World>,
}

/// What requests change.
struct State<W: World> {
    queue: Queue<W>,
    requests: Requests<W>,
    /// Tasks to be woken once the state is no longer borrowed.
    woken: Vec<Waker>,
}

impl<P: Path> Block<P> {
    /// Bytes that a device leases.
    pub fn needs(spacing: Spacing) -> Needs {
        let rings = spacing.bytes(1, ring_bytes(), RING_ALIGN);
        Needs::of(rings, &request::slots(MAX_QUEUE_SIZE), spacing)
    }

    /// Resets the device, agrees on features, and latches its configuration.
    ///
    /// # Errors
    ///
    /// Any [`Error`]; the device is then reset.
    pub fn start(
        transport: Transport,
        pool: &Pool<P::World>,
        environment: Environment,
    ) -> Result<Self, Error> {
        if transport.kind() != Kind::Block {
            return Err(Error::WrongKind);
        }
        let device = Device::new(transport, pool);
        let wanted = Features::BLK_RO | Features::BLK_FLUSH;
        let features = device.transport().negotiate(wanted, environment)?;
        // Hosts exist that show the capacity only after FEATURES_OK.
        let capacity = read_capacity(device.transport())?;
        let least = request::CHAIN;
        let queue = Queue::start(&device, REQUEST_QUEUE, least, features, Interrupts::Wanted)?;
        let [heads, data] = needs::divide(pool, request::slots(queue.size()))?;
        let requests = Requests::lease(&device, heads.min(data))?;
        device.transport().driver_ok()?;
        let state = State {
            queue,
            requests,
            woken: Vec::new(),
        };
        Ok(Self {
            state: RefCell::new(state),
            capacity,
            read_only: features.contains(Features::BLK_RO),
            has_flush: features.contains(Features::BLK_FLUSH),
            device,
        })
    }

    /// Takes completions, ends what is past its deadline, wakes tasks, and says when the next
    /// deadline is; `None` while nothing is in flight.
    pub fn poll(&self) -> Option<Instant> {
        self.with(|state| {
            self.drive(state);
            state.requests.next_deadline()
        })
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

    /// Why the device was stopped; `None` while it runs.
    pub fn failure(&self) -> Option<Error> {
        self.device.failure()
    }

    /// Why the device was stopped, the first time this is asked after it happened.
    pub fn take_failure(&self) -> Option<Error> {
        self.device.take_failure()
    }

    /// Runs `work` on the state, then wakes the tasks that it found.
    fn with<T>(&self, work: impl FnOnce(&mut State<P::World>) -> T) -> T {
        let mut state = self.state.borrow_mut();
        let result = work(&mut state);
        let woken = core::mem::take(&mut state.woken);
        drop(state);
        woken.into_iter().for_each(Waker::wake);
        result
    }

    /// Brings the state up to date with what the device did and with the time.
    fn drive(&self, state: &mut State<P::World>) {
        self.device.check();
        if self.device.failure().is_none() {
            let now = self.device.transport().clock().now();
            let checked = state
                .take_completions()
                .and_then(|()| state.check_deadlines(now));
            if let Err(error) = checked {
                self.device.fail(error);
            }
        }
        if let Some(error) = self.device.failure() {
            state.requests.end_all(public(error), &mut state.woken);
        }
    }

    async fn transfer(&self, sector: u64, work: Work<'_>) -> Result<(), block::Error> {
        let mut transfer = Transfer::new(self, sector, work);
        poll_fn(|context| transfer.poll(context)).await
    }
}

impl<W: World> State<W> {
    /// Takes what the device completed: at most as much as is in flight.
    fn take_completions(&mut self) -> Result<(), Error> {
        while let Some(done) = self.queue.take()? {
            self.requests.complete(done, &mut self.woken)?;
        }
        Ok(())
    }

    fn check_deadlines(&self, now: Instant) -> Result<(), Error> {
        match self.requests.next_deadline() {
            Some(deadline) if deadline <= now => Err(Error::TimedOut),
            _ => Ok(()),
        }
    }
}

impl<P: Path> BlockDevice for Block<P> {
    fn capacity(&self) -> u64 {
        self.capacity
    }

    fn read_only(&self) -> bool {
        self.read_only
    }

    async fn read(&self, sector: u64, into: &mut [u8]) -> Result<(), block::Error> {
        block::check_range(sector, into.len(), self.capacity)?;
        self.transfer(sector, Work::Read(into)).await
    }

    async fn write(&self, sector: u64, from: &[u8]) -> Result<(), block::Error> {
        block::check_range(sector, from.len(), self.capacity)?;
        if self.read_only {
            return Err(block::Error::ReadOnly);
        }
        self.transfer(sector, Work::Write(from)).await
    }

    /// A device without the feature has no cache that could be flushed.
    async fn flush(&self) -> Result<(), block::Error> {
        if !self.has_flush {
            return Ok(());
        }
        self.transfer(0, Work::Flush).await
    }
}

/// Reads the capacity in sectors, clamped so that byte offsets fit 64 bits.
///
/// Ref: virtio 1.2, 5.2.4 "Device configuration layout".
fn read_capacity(transport: &Transport) -> Result<u64, Error> {
    let (low, high) = transport.config(|config| Ok((config.read32(0)?, config.read32(4)?)))?;
    let capacity = u64::from(high) << 32 | u64::from(low);
    Ok(capacity.min(MAX_CAPACITY))
}

/// What the user of a device is told.
fn public(error: Error) -> block::Error {
    match error {
        Error::TimedOut => block::Error::TimedOut,
        _ => block::Error::Broken,
    }
}
