//! The fixed set of requests: their slots, and what each is doing.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::task::Waker;
use core::time::Duration;

use bounce::{Buffer, DeviceAddress, Shortage, Slot, World};

use crate::Error;
use crate::blk::BlkCounters;
use crate::blk::chunks::{Chunks, Run};
use crate::blk::order::Order;
use crate::blk::wire::{self, Count, HEADER, Operation, REQUEST_QUEUE, STATUS};
use crate::device::{Device, Held};
use crate::needs::Want;
use crate::queue::{Completion, Lend, Queue};
use crate::waiting::Waiting;

/// Descriptors of a request beside its data: header and status.
pub(crate) const FRAME: u16 = 2;
/// Most runs of data in a request: every second one of 64 chunks.
pub(crate) const MOST_RUNS: usize = 32;
const HEAD_ALIGN: usize = 64;

/// What `count` requests need of a pool, beside their data.
pub(crate) fn heads(count: u16) -> Want {
    Want {
        least: 1,
        wanted: count.into(),
        len: HEADER + STATUS,
        align: HEAD_ALIGN,
    }
}

/// What a request is to do.
#[derive(Clone, Copy)]
pub(crate) struct Job<W: World> {
    pub(crate) operation: Operation,
    pub(crate) sector: u64,
    /// Bytes of data, and where they are: in the chunks of the request, or elsewhere.
    pub(crate) len: usize,
    pub(crate) elsewhere: Option<DeviceAddress<W>>,
}

enum Phase {
    Free,
    InFlight {
        /// Bytes that the device must have written before the status.
        expected: u32,
        /// When it is given up, in seen time.
        deadline: Duration,
        /// Who waits; `None` if nobody does any more.
        owner: Option<Waker>,
    },
    Done(Result<(), block::Error>),
}

struct Request<W: World> {
    head: Rc<Slot<W>>,
    runs: Vec<Run>,
    phase: Phase,
    /// Where its data begins in the call that made it.
    at: usize,
    /// Another request of the same call.
    next: Option<u16>,
}

/// The fixed set of requests. Nothing here scans all of them, or allocates after it was made, but
/// where a device ends.
pub(crate) struct Requests<W: World> {
    requests: Vec<Request<W>>,
    free: Vec<u16>,
    in_flight: Order,
    chunks: Chunks<W>,
    lends: Vec<Lend<W>>,
    /// Buffers of users, by request.
    held: Held,
    waiting: Waiting,
    counters: BlkCounters,
    /// How the device counts.
    count: Count,
}

impl<W: World> Requests<W> {
    /// Leases the slots of `count` requests, of at most `runs` runs of data each.
    pub(crate) fn lease(
        device: &Device<W>,
        (count, chunks): (usize, usize),
        runs: usize,
    ) -> Result<Self, Error> {
        let lease = |_| {
            Ok(Request {
                head: device.lease(HEADER + STATUS, HEAD_ALIGN)?,
                runs: Vec::with_capacity(runs),
                phase: Phase::Free,
                at: 0,
                next: None,
            })
        };
        let requests = (0..count).map(lease).collect::<Result<_, Error>>()?;
        let count = u16::try_from(count).map_err(|_| Error::QueueFull)?;
        Ok(Self {
            requests,
            free: (0..count).rev().collect(),
            in_flight: Order::new(count.into()),
            chunks: Chunks::lease(device, chunks)?,
            lends: Vec::with_capacity(runs + usize::from(FRAME)),
            held: device.held(count.into()),
            waiting: Waiting::new(count.into()),
            counters: BlkCounters::default(),
            count: Count::default(),
        })
    }

    pub(crate) fn counters(&self) -> BlkCounters {
        self.counters
    }

    pub(crate) fn waiting(&mut self) -> &mut Waiting {
        &mut self.waiting
    }

    /// Whether a request with data could be made now. Whoever is woken for one that cannot be made waits
    /// again, which wakes the next, and so it goes on.
    pub(crate) fn available(&self, queue: &Queue<W>) -> bool {
        queue.left() > FRAME && !self.free.is_empty() && self.chunks.any()
    }

    /// Requests that are not free.
    pub(crate) fn in_use(&self) -> usize {
        self.requests.len() - self.free.len()
    }

    /// What is there while `wanted` bytes of data have no request or no chunk.
    pub(crate) fn shortage(&self, wanted: usize) -> Shortage {
        let (free, largest) = match self.free.is_empty() {
            true => (0, 0),
            false => self.chunks.free(),
        };
        Shortage {
            queue: Some(REQUEST_QUEUE),
            wanted,
            free,
            largest,
        }
    }

    /// Takes a request with room for up to `wanted` bytes of data, none or more; says which, and how
    /// many. `None` if there is none now.
    pub(crate) fn reserve(&mut self, queue: &Queue<W>, wanted: usize) -> Option<(u16, usize)> {
        let runs = usize::from(queue.left().checked_sub(FRAME)?);
        if wanted != 0 && !self.available(queue) {
            return None;
        }
        let index = self.free.pop()?;
        let request = self.requests.get_mut(usize::from(index))?;
        let len = self.chunks.take(wanted, runs, &mut request.runs);
        Some((index, len))
    }

    /// Bytes of data in the chunks of request `index`.
    pub(crate) fn data_len(&self, index: u16) -> usize {
        let request = self.requests.get(usize::from(index));
        request.map_or(0, |r| r.runs.iter().map(|run| run.len).sum())
    }

    /// Copies what is to be written into the chunks of request `index`.
    pub(crate) fn fill(&self, index: u16, bytes: &[u8]) -> Result<(), Error> {
        let request = self.requests.get(usize::from(index));
        let request = request.ok_or(Error::QueueFull)?;
        self.chunks.copy_out(index, &request.runs, bytes)
    }

    /// Copies what was read out of the chunks of request `index`.
    pub(crate) fn fetch(&self, index: u16, into: &mut [u8]) -> Result<(), Error> {
        let request = self.requests.get(usize::from(index));
        let request = request.ok_or(Error::QueueFull)?;
        self.chunks.fetch(index, &request.runs, into)
    }

    /// Keeps `buffer`, where the data of request `index` is, until the device is done with it.
    pub(crate) fn hold(&self, index: u16, buffer: Buffer) {
        if let Some(held) = self.held.borrow_mut().get_mut(usize::from(index)) {
            *held = Some(buffer);
        }
    }

    /// The buffer of request `index`, which the device no longer uses.
    pub(crate) fn let_go(&self, index: u16) -> Option<Buffer> {
        self.held.borrow_mut().get_mut(usize::from(index))?.take()
    }

    /// Queues request `index`, which a writer has filled.
    pub(crate) fn submit(
        &mut self,
        queue: &mut Queue<W>,
        index: u16,
        job: Job<W>,
        (deadline, owner): (Duration, Waker),
    ) -> Result<(), Error> {
        let request = self.requests.get_mut(usize::from(index));
        let request = request.ok_or(Error::QueueFull)?;
        let len = u32::try_from(job.len).map_err(|_| Error::QueueFull)?;
        let expected = match job.operation {
            Operation::Read => len,
            Operation::Write | Operation::Flush => 0,
        };
        self.lends.clear();
        let purpose = job.operation.purpose();
        request.head.label(REQUEST_QUEUE, index, purpose);
        request.describe(job, self.chunks.slot(), &mut self.lends)?;
        // lkvm reports the bytes it moved either way, so the limit is the whole chain.
        queue.add(&self.lends, len.saturating_add(17), index)?;
        request.phase = Phase::InFlight {
            expected,
            deadline,
            owner: Some(owner),
        };
        self.in_flight.push(index);
        self.counters.requests += 1;
        Ok(())
    }

    /// Notes what the device says of a request in flight.
    pub(crate) fn complete(
        &mut self,
        done: Completion,
        woken: &mut Vec<Waker>,
    ) -> Result<(), Error> {
        let request = self.requests.get_mut(usize::from(done.tag));
        let request = request.ok_or(Error::QueueFull)?;
        let Phase::InFlight {
            expected,
            ref mut owner,
            ..
        } = request.phase
        else {
            return Err(Error::QueueFull);
        };
        let owner = owner.take();
        let status = request.head.snapshot(HEADER)?;
        let [status] = status.any_value("wire::Count knows each");
        let result = self.count.outcome(status, done.len, expected);
        if result.is_err() {
            self.counters.failed += 1;
        }
        request.phase = Phase::Done(result);
        self.in_flight.remove(done.tag);
        if owner.is_none() {
            drop(self.let_go(done.tag));
            self.release(done.tag);
        }
        woken.extend(owner);
        Ok(())
    }

    /// The result of request `index`; `None` while it is in flight, and then `waker` is woken when
    /// it ends.
    pub(crate) fn finish(&mut self, index: u16, waker: &Waker) -> Option<Result<(), block::Error>> {
        match &mut self.requests.get_mut(usize::from(index))?.phase {
            Phase::InFlight { owner, .. } => {
                if !owner.as_ref().is_some_and(|w| w.will_wake(waker)) {
                    *owner = Some(waker.clone());
                }
                None
            }
            Phase::Done(result) => Some(*result),
            Phase::Free => None,
        }
    }

    /// Frees a request whose result and data were taken, or that was reserved and not submitted.
    pub(crate) fn release(&mut self, index: u16) {
        if let Some(request) = self.requests.get_mut(usize::from(index)) {
            request.phase = Phase::Free;
            self.chunks.give_back(&mut request.runs);
            self.free.push(index);
        }
    }

    /// Gives up on request `index`: it is free once the device is done with it. Says whether it was
    /// over, so that nothing else comes for what it [`Self::hold`]s.
    pub(crate) fn abandon(&mut self, index: u16) -> bool {
        let request = self.requests.get_mut(usize::from(index));
        match request.map(|r| &mut r.phase) {
            Some(Phase::InFlight { owner, .. }) => *owner = None,
            Some(Phase::Done(_)) => {
                self.release(index);
                return true;
            }
            Some(Phase::Free) | None => {}
        }
        false
    }

    /// Puts request `index`, whose data begins at `at` of its call, before `next` of the same call.
    pub(crate) fn link(&mut self, index: u16, at: usize, next: Option<u16>) {
        if let Some(request) = self.requests.get_mut(usize::from(index)) {
            (request.at, request.next) = (at, next);
        }
    }

    /// Where the data of request `index` begins in its call, and which other request the call has.
    pub(crate) fn linked(&self, index: u16) -> (usize, Option<u16>) {
        let request = self.requests.get(usize::from(index));
        request.map_or((0, None), |r| (r.at, r.next))
    }

    /// Ends everything in flight with `error`: the device was reset. Buffers are kept: it may not
    /// have confirmed that.
    pub(crate) fn end_all(&mut self, error: block::Error, woken: &mut Vec<Waker>) {
        while let Some(index) = self.in_flight.first() {
            self.in_flight.remove(index);
            self.counters.failed += 1;
            let Some(request) = self.requests.get_mut(usize::from(index)) else {
                continue;
            };
            let ended = Phase::Done(Err(error));
            match core::mem::replace(&mut request.phase, ended) {
                Phase::InFlight {
                    owner: Some(owner), ..
                } => woken.push(owner),
                _ => self.release(index),
            }
        }
        self.waiting.wake_all(woken);
    }

    /// The first deadline of what is in flight, in seen time.
    pub(crate) fn first_deadline(&self) -> Option<Duration> {
        let first = self.requests.get(usize::from(self.in_flight.first()?))?;
        match first.phase {
            Phase::InFlight { deadline, .. } => Some(deadline),
            Phase::Free | Phase::Done(_) => None,
        }
    }
}

impl<W: World> Request<W> {
    /// Writes the head, and lists what the device is lent.
    fn describe(&self, job: Job<W>, data: &Slot<W>, lends: &mut Vec<Lend<W>>) -> Result<(), Error> {
        self.head
            .copy_out(0, &wire::head(job.operation, job.sector))?;
        let number = |len| u32::try_from(len).map_err(|_| Error::QueueFull);
        let reads = job.operation == Operation::Read;
        lends.push(Lend {
            address: self.head.address(0)?,
            len: number(HEADER)?,
            writable: false,
        });
        if let Some(address) = job.elsewhere {
            lends.push(Lend {
                address,
                len: number(job.len)?,
                writable: reads,
            });
        }
        for run in &self.runs {
            lends.push(Lend {
                address: data.address(run.at)?,
                len: number(run.len)?,
                writable: reads,
            });
        }
        lends.push(Lend {
            address: self.head.address(HEADER)?,
            len: number(STATUS)?,
            writable: true,
        });
        Ok(())
    }
}
