//! The fixed set of messages on their way.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::task::{Poll, Waker};
use core::time::Duration;

use bounce::{Slot, World};
use clock::Instant;

use crate::attention::Attention;
use crate::device::Device;
use crate::needs::Want;
use crate::ninep::NinePCounters;
use crate::queue::{Completion, Lend, Queue};
use crate::waiting::Waiting;
use crate::{Error, Features};

pub(crate) const REQUEST_QUEUE: u16 = 0;
/// Most bytes of a message: 64 KiB of data, and the longest head.
pub(crate) const MAX_MESSAGE: usize = (64 << 10) + 24;
pub(crate) const ALIGN: usize = 64;
/// Where the answer begins in a slot.
const REPLY: usize = MAX_MESSAGE.next_multiple_of(ALIGN);
/// Bytes of a slot: a message there, and one back.
pub(crate) const SLOT: usize = REPLY + MAX_MESSAGE;
/// Slots of a device.
pub(crate) const WANTED: Want = Want {
    least: 1,
    wanted: 4,
    len: SLOT,
    align: ALIGN,
};
/// Bytes in front of every message: size, kind, tag.
const HEADER: usize = 7;
/// The kind that has no tag, because it comes before all others.
const VERSION: u8 = 100;
const NO_TAG: u16 = u16::MAX;
/// How long an answer may take, as far as we looked on.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long before its deadline the doorbell is rung once more: one may have been lost.
const LAST_CALL: Duration = Duration::from_secs(5);

enum Phase {
    Free,
    InFlight {
        /// When the device is given up, in seen time.
        deadline: Duration,
        /// Who waits; `None` if nobody does any more.
        owner: Option<Waker>,
    },
    Done(Result<usize, Error>),
}

struct Request<W: World> {
    slot: Rc<Slot<W>>,
    phase: Phase,
    tag: u16,
    /// Whether the doorbell was rung once more for it.
    called: bool,
}

/// The queue and all requests. There are few, so that looking at each is cheap.
pub(crate) struct Requests<W: World> {
    queue: Queue<W>,
    requests: Vec<Request<W>>,
    free: Vec<u16>,
    waiting: Waiting,
    woken: Vec<Waker>,
    attention: Attention,
    seen: Duration,
    messages: u64,
    /// Messages that nobody waits for and the device has not answered.
    orphans: usize,
}

impl<W: World> Requests<W> {
    pub(crate) fn new(queue: Queue<W>, slots: Vec<Rc<Slot<W>>>, now: Instant) -> Self {
        let requests: Vec<_> = slots.into_iter().map(Request::new).collect();
        let count = u16::try_from(requests.len()).unwrap_or(u16::MAX);
        Self {
            queue,
            free: (0..count).rev().collect(),
            waiting: Waiting::new(requests.len()),
            woken: Vec::with_capacity(requests.len() + 1),
            requests,
            attention: Attention::new(now),
            seen: Duration::ZERO,
            messages: 0,
            orphans: 0,
        }
    }

    /// Sets the queue up anew, after a reset, when nothing is on its way any more.
    pub(crate) fn restart(&mut self, device: &Device<W>, features: Features) -> Result<(), Error> {
        self.queue.restart(device, features)
    }

    pub(crate) fn counters(&self) -> NinePCounters {
        NinePCounters {
            messages: self.messages,
            doorbells: self.queue.rung(),
        }
    }

    pub(crate) fn waiting(&mut self) -> &mut Waiting {
        &mut self.waiting
    }

    pub(crate) fn woken(&mut self) -> Option<Waker> {
        self.woken.pop()
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.orphans == 0
    }

    pub(crate) fn reserve(&mut self) -> Option<u16> {
        self.free.pop()
    }

    /// Frees a request whose answer was taken, or that was not submitted, for whoever waits.
    pub(crate) fn release(&mut self, index: u16) {
        if let Some(request) = self.requests.get_mut(usize::from(index)) {
            request.phase = Phase::Free;
            self.free.push(index);
            self.woken.extend(self.waiting.pop());
        }
    }

    /// Sends a message of `head` and `data` by request `index`, with room for so many bytes of an answer.
    ///
    /// # Errors
    ///
    /// [`Error::QueueFull`] if they do not fit a message; those of the slot and the queue.
    pub(crate) fn submit(
        &mut self,
        index: u16,
        (head, data): (&mut [u8], &[u8]),
        room: usize,
        waker: &Waker,
    ) -> Result<(), Error> {
        let request = self.requests.get_mut(usize::from(index));
        let request = request.ok_or(Error::QueueFull)?;
        let len = head.len().saturating_add(data.len());
        let [_, _, _, _, kind, low, high, ..] = head else {
            return Err(Error::QueueFull);
        };
        if len > MAX_MESSAGE || !(HEADER..=MAX_MESSAGE).contains(&room) {
            return Err(Error::QueueFull);
        }
        request.tag = if *kind == VERSION { NO_TAG } else { index };
        [*low, *high] = request.tag.to_le_bytes();
        request.slot.copy_out(0, head)?;
        request.slot.copy_out(head.len(), data)?;
        request.slot.seal(len)?;
        let number = |len| u32::try_from(len).map_err(|_| Error::QueueFull);
        let runs = [
            Lend {
                address: request.slot.address(0)?,
                len: number(len)?,
                writable: false,
            },
            Lend {
                address: request.slot.address(REPLY)?,
                len: number(room)?,
                writable: true,
            },
        ];
        self.queue.add(&runs, number(room)?, index)?;
        request.called = false;
        request.phase = Phase::InFlight {
            deadline: self.seen.saturating_add(DEADLINE),
            owner: Some(waker.clone()),
        };
        self.messages += 1;
        self.queue.notify()
    }

    /// The answer of request `index`, copied out of its slot, if it is there; otherwise `waker` is woken
    /// when it is.
    pub(crate) fn finish(
        &mut self,
        index: u16,
        waker: &Waker,
        reply: &mut [&mut [u8]; 2],
    ) -> Poll<Result<usize, Error>> {
        let request = self.requests.get_mut(usize::from(index));
        let Some(request) = request else {
            return Poll::Ready(Err(Error::QueueFull));
        };
        let result = match &mut request.phase {
            Phase::InFlight { owner, .. } => {
                *owner = Some(waker.clone());
                return Poll::Pending;
            }
            Phase::Done(result) => result.and_then(|len| request.take(len, reply)),
            Phase::Free => Err(Error::QueueFull),
        };
        self.release(index);
        Poll::Ready(result)
    }

    /// Gives up on request `index`: it is free once the device has answered.
    pub(crate) fn abandon(&mut self, index: u16) {
        let request = self.requests.get_mut(usize::from(index));
        match request.map(|request| &mut request.phase) {
            Some(Phase::InFlight { owner, .. }) => {
                *owner = None;
                self.orphans += 1;
            }
            Some(Phase::Done(_)) => self.release(index),
            Some(Phase::Free) | None => {}
        }
    }

    /// Takes what the device answered, and checks deadlines.
    pub(crate) fn look(&mut self, now: Instant) -> Result<(), Error> {
        self.seen = self.attention.look(now);
        while let Some(done) = self.queue.take_now()? {
            self.complete(done)?;
        }
        self.check_deadlines()
    }

    fn complete(&mut self, done: Completion) -> Result<(), Error> {
        let request = self.requests.get_mut(usize::from(done.tag));
        let request = request.ok_or(Error::QueueFull)?;
        let Phase::InFlight { owner, .. } = &mut request.phase else {
            return Err(Error::QueueFull);
        };
        let owner = owner.take();
        let len = usize::try_from(done.len).map_err(|_| Error::BadMessage)?;
        request.phase = Phase::Done(Ok(len));
        if owner.is_none() {
            self.orphans = self.orphans.saturating_sub(1);
            self.release(done.tag);
        }
        self.woken.extend(owner);
        Ok(())
    }

    /// Ends everything on its way with `error`: the device was reset.
    pub(crate) fn end_all(&mut self, error: Error) {
        for index in 0..self.requests.len() {
            let Some(request) = self.requests.get_mut(index) else {
                continue;
            };
            let Phase::InFlight { owner, .. } = &mut request.phase else {
                continue;
            };
            let owner = owner.take();
            request.phase = Phase::Done(Err(error));
            if owner.is_none() {
                self.orphans = self.orphans.saturating_sub(1);
                self.release(u16::try_from(index).unwrap_or(u16::MAX));
            }
            self.woken.extend(owner);
        }
        self.waiting.wake_all(&mut self.woken);
    }

    fn check_deadlines(&mut self) -> Result<(), Error> {
        let mut is_late = false;
        for request in &mut self.requests {
            let Phase::InFlight { deadline, .. } = request.phase else {
                continue;
            };
            if deadline <= self.seen {
                return Err(Error::TimedOut);
            }
            is_late |= deadline - self.seen <= LAST_CALL && !request.called;
            request.called |= is_late;
        }
        if is_late {
            self.queue.ring();
        }
        Ok(())
    }

    /// Asks for an interrupt, and says when to look again at the latest, if anything is on its way.
    pub(crate) fn settle(&mut self) -> Result<Option<Instant>, Error> {
        if self.queue.ask(1)? != 0 {
            while let Some(done) = self.queue.take_now()? {
                self.complete(done)?;
            }
        }
        let next = self.requests.iter().filter_map(Request::next_look).min();
        Ok(next.map(|next| self.attention.next_look(next)))
    }
}

impl<W: World> Request<W> {
    fn new(slot: Rc<Slot<W>>) -> Self {
        Self {
            slot,
            phase: Phase::Free,
            tag: NO_TAG,
            called: false,
        }
    }

    fn next_look(&self) -> Option<Duration> {
        match self.phase {
            Phase::InFlight { deadline, .. } if self.called => Some(deadline),
            Phase::InFlight { deadline, .. } => Some(deadline.saturating_sub(LAST_CALL)),
            Phase::Free | Phase::Done(_) => None,
        }
    }

    /// Copies an answer of `len` bytes out of the slot, once, and then checks its head.
    fn take(&self, len: usize, reply: &mut [&mut [u8]; 2]) -> Result<usize, Error> {
        let [head, data] = reply;
        let (first, rest) = (len.min(head.len()), len.saturating_sub(head.len()));
        let data = data.get_mut(..rest).ok_or(Error::BadMessage)?;
        let head = head.get_mut(..first).ok_or(Error::BadMessage)?;
        let told = self.slot.copy_in(REPLY, &mut *head)?;
        told.opaque("size and tag are checked below, the rest by who parses it");
        let told = self.slot.copy_in(REPLY + first, data)?;
        told.opaque("who reads a share of the host");
        let [a, b, c, d, _, low, high, ..] = *head else {
            return Err(Error::BadMessage);
        };
        let size = u32::from_le_bytes([a, b, c, d]);
        let tag = u16::from_le_bytes([low, high]);
        match usize::try_from(size) == Ok(len) && tag == self.tag {
            true => Ok(len),
            false => Err(Error::BadMessage),
        }
    }
}
