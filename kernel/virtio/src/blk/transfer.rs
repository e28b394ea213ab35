//! One call of a user, cut into requests.

use core::task::{Context, Poll};

use crate::blk::request::Job;
use crate::blk::state::State;
use crate::blk::wire::Operation;
use crate::blk::{Block, MAX_REQUEST, public};
use crate::waiting::Ticket;
use crate::{Error, Path};

/// What a call asks for.
pub(crate) enum Work<'b> {
    Read(&'b mut [u8]),
    Write(&'b [u8]),
    Flush,
}

/// One call of a user. Dropping it leaves its requests to the device, and nobody waits for them.
pub(crate) struct Transfer<'a, 'b, P: Path> {
    block: &'a Block<P>,
    sector: u64,
    work: Work<'b>,
    /// Bytes for which a request was made.
    submitted: usize,
    /// Whether nothing more is to be submitted.
    complete: bool,
    /// The first of its requests; each names the next.
    first: Option<u16>,
    /// Its place in the line for a free request.
    ticket: Option<Ticket>,
    result: Result<(), block::Error>,
}

impl Work<'_> {
    fn operation(&self) -> Operation {
        match self {
            Self::Read(_) => Operation::Read,
            Self::Write(_) => Operation::Write,
            Self::Flush => Operation::Flush,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Read(into) => into.len(),
            Self::Write(from) => from.len(),
            Self::Flush => 0,
        }
    }
}

impl<'a, 'b, P: Path> Transfer<'a, 'b, P> {
    pub(crate) fn new(block: &'a Block<P>, sector: u64, work: Work<'b>) -> Self {
        Self {
            block,
            sector,
            work,
            submitted: 0,
            complete: false,
            first: None,
            ticket: None,
            result: Ok(()),
        }
    }

    /// Takes what is done, submits what is left, and is ready when nothing remains.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), block::Error>> {
        let block = self.block;
        block.with(|state| {
            self.collect(state, context);
            block.glance(state, self.first.is_some());
            self.collect(state, context);
            self.submit_all(state, context);
            if self.first.is_none() && (self.complete || self.result.is_err()) {
                Poll::Ready(self.result)
            } else {
                Poll::Pending
            }
        })
    }

    /// Takes the results of requests that ended, and copies in what was read.
    fn collect(&mut self, state: &mut State<P::World>, context: &Context<'_>) {
        let mut request = self.first.take();
        while let Some(index) = request {
            let (at, next) = state.requests.linked(index);
            request = next;
            match state.requests.finish(index, context.waker()) {
                None => {
                    state.requests.link(index, at, self.first);
                    self.first = Some(index);
                }
                Some(result) => {
                    let result = result.and_then(|()| self.fetch(state, index, at));
                    state.requests.release(index);
                    self.result = self.result.and(result);
                }
            }
        }
    }

    fn fetch(
        &mut self,
        state: &State<P::World>,
        index: u16,
        at: usize,
    ) -> Result<(), block::Error> {
        let Work::Read(into) = &mut self.work else {
            return Ok(());
        };
        let end = at + state.requests.data_len(index);
        let into = into.get_mut(at..end).ok_or(block::Error::Broken)?;
        let copied = state.requests.fetch(index, into);
        copied.map_err(|_| block::Error::Broken)
    }

    /// Submits requests while there are free ones. A device that was idle is told at once, one that
    /// works when the loop comes round: by one doorbell for all tasks, if it wants any.
    fn submit_all(&mut self, state: &mut State<P::World>, context: &Context<'_>) {
        let was_idle = state.queue.in_flight() == 0;
        while !self.complete && self.result.is_ok() {
            if let Some(error) = self.block.device.failure() {
                self.result = Err(public(error));
                break;
            }
            let wanted = (self.work.len() - self.submitted).min(MAX_REQUEST);
            let Some((index, len)) = state.requests.reserve(&state.queue, wanted) else {
                let shortage = state.requests.shortage(wanted);
                self.block.device.pool().note_shortage(shortage);
                let waiting = state.requests.waiting();
                self.ticket = Some(waiting.join(self.ticket, context.waker()));
                break;
            };
            self.submit(state, index, len, context);
        }
        if self.complete || self.result.is_err() {
            state.requests.waiting().leave(self.ticket.take());
        }
        let told = state.tell(was_idle);
        self.note(told);
    }

    fn submit(
        &mut self,
        state: &mut State<P::World>,
        index: u16,
        len: usize,
        context: &Context<'_>,
    ) {
        let at = self.submitted;
        let job = Job {
            operation: self.work.operation(),
            sector: self.sector + (at / block::SECTOR_SIZE) as u64,
            len,
            elsewhere: None,
        };
        let wait = (state.deadline(), context.waker().clone());
        let filled = match &self.work {
            Work::Write(from) => {
                let bytes = from.get(at..at + len).unwrap_or_default();
                state.requests.fill(index, bytes)
            }
            Work::Read(_) | Work::Flush => Ok(()),
        };
        let queue = &mut state.queue;
        let submitted = filled.and_then(|()| state.requests.submit(queue, index, job, wait));
        if self.note(submitted) {
            state.requests.link(index, at, self.first);
            self.first = Some(index);
            self.submitted = at + len;
            self.complete = self.submitted >= self.work.len();
        } else {
            state.requests.release(index);
        }
    }

    /// Ends the device if `result` is an error.
    fn note(&mut self, result: Result<(), Error>) -> bool {
        if let Err(error) = result {
            self.block.device.fail(error);
            self.result = Err(public(error));
        }
        result.is_ok()
    }
}

impl<P: Path> Drop for Transfer<'_, '_, P> {
    fn drop(&mut self) {
        self.block.with(|state| {
            state.requests.waiting().leave(self.ticket.take());
            let mut request = self.first.take();
            while let Some(index) = request {
                (_, request) = state.requests.linked(index);
                state.requests.abandon(index);
            }
        });
    }
}
