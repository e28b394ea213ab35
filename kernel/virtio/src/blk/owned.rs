//! Calls that hand a buffer over and get it back.

use core::task::{Context, Poll};

use bounce::{Buffer, DeviceAddress};

use crate::blk::request::Job;
use crate::blk::wire::Operation;
use crate::blk::{Block, public};
use crate::waiting::Ticket;
use crate::{Error, Path};

/// What comes of a call that handed a buffer over.
#[derive(Debug)]
pub struct Returned {
    /// The buffer; `None` if the device failed, did not confirm that it stopped, and may still write
    /// there.
    pub buffer: Option<Buffer>,
    /// Whether the request was done.
    pub result: Result<(), block::Error>,
}

/// A request over a buffer. When it is dropped while the device has the buffer, the driver keeps it
/// until the device is done.
pub(crate) struct Owned<'a, P: Path> {
    block: &'a Block<P>,
    operation: Operation,
    sector: u64,
    /// The buffer and its address, until it is lent.
    buffer: Option<(Buffer, DeviceAddress<P::World>)>,
    /// The request, once it is lent.
    request: Option<u16>,
    ticket: Option<Ticket>,
}

impl<'a, P: Path> Owned<'a, P> {
    pub(crate) fn new(
        block: &'a Block<P>,
        (operation, sector): (Operation, u64),
        buffer: (Buffer, DeviceAddress<P::World>),
    ) -> Self {
        Self {
            block,
            operation,
            sector,
            buffer: Some(buffer),
            request: None,
            ticket: None,
        }
    }

    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Returned> {
        match self.request {
            Some(index) => self.finish(index, context),
            None => self.submit(context),
        }
    }

    fn finish(&mut self, index: u16, context: &Context<'_>) -> Poll<Returned> {
        let block = self.block;
        block.with(|state| {
            let mut result = state.requests.finish(index, context.waker());
            if result.is_none() {
                block.glance(state, true);
                result = state.requests.finish(index, context.waker());
            }
            let Some(result) = result else {
                return Poll::Pending;
            };
            self.request = None;
            let buffer = if block.device.may_linger() {
                None
            } else {
                state.requests.let_go(index)
            };
            state.requests.release(index);
            Poll::Ready(Returned { buffer, result })
        })
    }

    fn submit(&mut self, context: &Context<'_>) -> Poll<Returned> {
        let block = self.block;
        block.with(|state| {
            block.glance(state, false);
            if let Some(error) = block.device.failure() {
                return self.give_up(error);
            }
            let was_idle = state.queue.in_flight() == 0;
            // One descriptor for the buffer, beside those of the head.
            let index = match state.requests.reserve(&state.queue, 0) {
                Some((index, _)) if state.queue.left() > crate::blk::request::FRAME => index,
                reserved => {
                    if let Some((index, _)) = reserved {
                        state.requests.release(index);
                    }
                    let len = self.buffer.as_ref().map_or(0, |(buffer, _)| buffer.len());
                    let shortage = state.requests.shortage(len);
                    block.device.pool().note_shortage(shortage);
                    let waiting = state.requests.waiting();
                    self.ticket = Some(waiting.join(self.ticket, context.waker()));
                    return Poll::Pending;
                }
            };
            state.requests.waiting().leave(self.ticket.take());
            let Some((buffer, address)) = self.buffer.take() else {
                state.requests.release(index);
                return self.give_up(Error::QueueFull);
            };
            let job = Job {
                operation: self.operation,
                sector: self.sector,
                len: buffer.len(),
                elsewhere: Some(address),
            };
            state.requests.hold(index, buffer);
            let wait = (state.deadline(), context.waker().clone());
            let submitted = state.requests.submit(&mut state.queue, index, job, wait);
            if let Err(error) = submitted {
                block.device.fail(error);
                let (buffer, result) = (state.requests.let_go(index), Err(public(error)));
                state.requests.release(index);
                return Poll::Ready(Returned { buffer, result });
            }
            self.request = Some(index);
            if let Err(error) = state.tell(was_idle) {
                block.device.fail(error);
            }
            Poll::Pending
        })
    }

    /// Gives the buffer back unused.
    fn give_up(&mut self, error: Error) -> Poll<Returned> {
        Poll::Ready(Returned {
            buffer: self.buffer.take().map(|(buffer, _)| buffer),
            result: Err(public(error)),
        })
    }
}

impl<P: Path> Drop for Owned<'_, P> {
    fn drop(&mut self) {
        self.block.with(|state| {
            state.requests.waiting().leave(self.ticket.take());
            let Some(index) = self.request else {
                return;
            };
            // One that nobody asked about since it ended: without this its buffer would stay lent.
            if state.requests.abandon(index) && !self.block.device.may_linger() {
                drop(state.requests.let_go(index));
            }
        });
    }
}
