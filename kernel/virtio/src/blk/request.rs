//! The fixed set of requests: their shared slots, and what each is doing.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::task::Waker;

use bounce::{Slot, World};
use clock::Instant;

use crate::Error;
use crate::blk::BlkCounters;
use crate::device::Device;
use crate::needs::Want;
use crate::queue::{Completion, Lend, Queue};

/// Descriptors of the longest request: header, data, status.
pub(crate) const CHAIN: u16 = 3;
/// Most bytes of data in a request.
pub(crate) const DATA: usize = 64 * 1024;

/// Requests at once.
const REQUESTS: u16 = 16;
const HEADER: usize = 16;
const STATUS: usize = 1;
/// What the status is before the device writes it.
const STATUS_UNSET: u8 = 0xff;
const HEAD_ALIGN: usize = 64;
const DATA_ALIGN: usize = 4096;

/// Slots for a queue of `size` entries: heads, and data.
pub(crate) fn slots(size: u16) -> [Want; 2] {
    let wanted = (size / CHAIN).min(REQUESTS).into();
    let slots = |len, align| Want {
        least: 1,
        wanted,
        len,
        align,
    };
    [slots(HEADER + STATUS, HEAD_ALIGN), slots(DATA, DATA_ALIGN)]
}

/// What a request does with its data.
///
/// Ref: virtio 1.2, 5.2.6 "Device Operation", request types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Read = 0,
    Write = 1,
    Flush = 4,
}

enum Phase {
    Free,
    InFlight {
        deadline: Instant,
        /// Bytes that the device must have written before the status.
        expected: u32,
        /// Who waits; `None` if nobody does any more.
        owner: Option<Waker>,
    },
    Done(Result<(), block::Error>),
}

struct Request<W: World> {
    head: Rc<Slot<W>>,
    data: Rc<Slot<W>>,
    phase: Phase,
}

/// The fixed set of requests.
pub(crate) struct Requests<W: World> {
    requests: Vec<Request<W>>,
    /// Tasks that found no free request.
    waiting: Vec<Waker>,
    counters: BlkCounters,
}

impl<W: World> Requests<W> {
    /// Leases the slots of `count` requests.
    pub(crate) fn lease(device: &Device<W>, count: usize) -> Result<Self, Error> {
        let heads: Vec<_> = (0..count)
            .map(|_| device.lease(HEADER + STATUS, HEAD_ALIGN))
            .collect::<Result<_, _>>()?;
        let lease = |head| {
            let data = device.lease(DATA, DATA_ALIGN)?;
            let phase = Phase::Free;
            Ok(Request { head, data, phase })
        };
        let requests = heads.into_iter().map(lease).collect::<Result<_, Error>>()?;
        Ok(Self {
            requests,
            waiting: Vec::new(),
            counters: BlkCounters::default(),
        })
    }

    pub(crate) fn counters(&self) -> BlkCounters {
        self.counters
    }

    /// A request that is free now.
    pub(crate) fn free(&self) -> Option<u16> {
        let is_free = |r: &Request<W>| matches!(r.phase, Phase::Free);
        let index = self.requests.iter().position(is_free)?;
        u16::try_from(index).ok()
    }

    /// The shared data of request `index`.
    pub(crate) fn data(&self, index: u16) -> Option<&Slot<W>> {
        self.requests
            .get(usize::from(index))
            .map(|r| r.data.as_ref())
    }

    /// Queues request `index` over `len` bytes of its data, which a writer has filled.
    pub(crate) fn submit(
        &mut self,
        queue: &mut Queue<W>,
        index: u16,
        (operation, sector, len): (Operation, u64, usize),
        (deadline, owner): (Instant, Waker),
    ) -> Result<(), Error> {
        let slot = self.requests.get_mut(usize::from(index));
        let request = slot.ok_or(Error::QueueFull)?;
        let len = u32::try_from(len).map_err(|_| Error::QueueFull)?;
        let expected = match operation {
            Operation::Read => len,
            Operation::Write | Operation::Flush => 0,
        };
        request.add(queue, index, (operation, sector, len))?;
        request.phase = Phase::InFlight {
            deadline,
            expected,
            owner: Some(owner),
        };
        self.counters.requests += 1;
        Ok(())
    }

    /// Notes what the device says of a request in flight.
    pub(crate) fn complete(
        &mut self,
        done: Completion,
        woken: &mut Vec<Waker>,
    ) -> Result<(), Error> {
        let slot = self.requests.get_mut(usize::from(done.tag));
        let request = slot.ok_or(Error::QueueFull)?;
        let Phase::InFlight {
            expected,
            ref mut owner,
            ..
        } = request.phase
        else {
            return Ok(());
        };
        let owner = owner.take();
        let result = outcome(&request.head, done.len, expected)?;
        if result.is_err() {
            self.counters.failed += 1;
        }
        request.phase = match owner {
            Some(_) => Phase::Done(result),
            None => Phase::Free,
        };
        if owner.is_none() {
            woken.append(&mut self.waiting);
        }
        woken.extend(owner);
        Ok(())
    }

    /// Takes the result of request `index` and frees it; `None` while it is in flight, and then
    /// `waker` is woken when it ends.
    pub(crate) fn finish(&mut self, index: u16, waker: &Waker) -> Option<Result<(), block::Error>> {
        let request = self.requests.get_mut(usize::from(index))?;
        match &mut request.phase {
            Phase::InFlight { owner, .. } => {
                *owner = Some(waker.clone());
                None
            }
            Phase::Done(result) => Some(*result),
            Phase::Free => None,
        }
    }

    /// Frees a request whose result and data were taken.
    pub(crate) fn release(&mut self, index: u16, woken: &mut Vec<Waker>) {
        if let Some(request) = self.requests.get_mut(usize::from(index)) {
            request.phase = Phase::Free;
            woken.append(&mut self.waiting);
        }
    }

    /// Gives up on request `index`: it is free once the device is done with it.
    pub(crate) fn abandon(&mut self, index: u16, woken: &mut Vec<Waker>) {
        match self
            .requests
            .get_mut(usize::from(index))
            .map(|r| &mut r.phase)
        {
            Some(Phase::InFlight { owner, .. }) => *owner = None,
            Some(Phase::Done(_)) => self.release(index, woken),
            Some(Phase::Free) | None => {}
        }
    }

    /// Wakes `waker` when a request becomes free.
    pub(crate) fn wait(&mut self, waker: &Waker) {
        if !self.waiting.iter().any(|w| w.will_wake(waker)) {
            self.waiting.push(waker.clone());
        }
    }

    /// Ends everything in flight with `error`: the device was reset.
    pub(crate) fn end_all(&mut self, error: block::Error, woken: &mut Vec<Waker>) {
        for request in &mut self.requests {
            if let Phase::InFlight { owner, .. } = &mut request.phase {
                woken.extend(owner.take());
                request.phase = Phase::Done(Err(error));
                self.counters.failed += 1;
            }
        }
        woken.append(&mut self.waiting);
    }

    /// The first deadline of what is in flight.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let deadlines = self.requests.iter().filter_map(|r| match r.phase {
            Phase::InFlight { deadline, .. } => Some(deadline),
            Phase::Free | Phase::Done(_) => None,
        });
        deadlines.min()
    }
}

impl<W: World> Request<W> {
    fn add(
        &self,
        queue: &mut Queue<W>,
        tag: u16,
        (operation, sector, len): (Operation, u64, u32),
    ) -> Result<(), Error> {
        self.head.copy_out(0, &head(operation, sector))?;
        let lend = |slot: &Slot<W>, at, len, writable| -> Result<Lend<W>, Error> {
            let address = slot.address(at)?;
            Ok(Lend {
                address,
                len,
                writable,
            })
        };
        let header = lend(&self.head, 0, 16, false)?;
        let data = lend(&self.data, 0, len, operation == Operation::Read)?;
        let status = lend(&self.head, HEADER, 1, true)?;
        // lkvm reports the bytes it moved either way, so the limit is the whole chain.
        let limit = len.saturating_add(17);
        if operation == Operation::Flush {
            queue.add(&[header, status], limit, tag)
        } else {
            queue.add(&[header, data, status], limit, tag)
        }
    }
}

/// The header of a request, and a status that no device writes.
fn head(operation: Operation, sector: u64) -> [u8; HEADER + STATUS] {
    let [a, b, c, d, e, f, g, h] = sector.to_le_bytes();
    let kind = operation as u8;
    [
        kind,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        a,
        b,
        c,
        d,
        e,
        f,
        g,
        h,
        STATUS_UNSET,
    ]
}

/// Reads the status, once. The length matters for reads alone: a device that wrote less than it
/// was asked for did not do the request, whatever its status says.
///
/// Ref: virtio 1.2, 5.2.6 "Device Operation", status values.
fn outcome<W: World>(
    head: &Slot<W>,
    len: u32,
    expected: u32,
) -> Result<Result<(), block::Error>, Error> {
    let mut status = [STATUS_UNSET];
    head.copy_in(HEADER, &mut status)?;
    Ok(match status {
        [0] if len >= expected => Ok(()),
        [2] => Err(block::Error::Unsupported),
        _ => Err(block::Error::Io),
    })
}
