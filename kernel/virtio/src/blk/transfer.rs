//! One call of a user, cut into requests.

use alloc::vec::Vec;
use core::task::{Context, Poll};

use clock::Instant;

use crate::Path;
use crate::blk::request::{DATA, Operation};
use crate::blk::{Block, DEADLINE, State, public};

/// What a call asks for.
pub(crate) enum Work<'b> {
    Read(&'b mut [u8]),
    Write(&'b [u8]),
    Flush,
}

/// A request of the call, in flight.
#[derive(Clone, Copy)]
struct Piece {
    request: u16,
    at: usize,
    len: usize,
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
    pieces: Vec<Piece>,
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
            pieces: Vec::new(),
            result: Ok(()),
        }
    }

    /// Takes what is done, submits what is left, and is ready when nothing remains.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), block::Error>> {
        let block = self.block;
        block.with(|state| {
            block.drive(state);
            self.collect(state, context);
            self.submit_all(state, context);
            if self.pieces.is_empty() && (self.complete || self.result.is_err()) {
                Poll::Ready(self.result)
            } else {
                Poll::Pending
            }
        })
    }

    /// Takes the results of requests that ended, and copies in what was read.
    fn collect(&mut self, state: &mut State<P::World>, context: &Context<'_>) {
        let mut index = 0;
        while let Some(piece) = self.pieces.get(index).copied() {
            let Some(result) = state.requests.finish(piece.request, context.waker()) else {
                index += 1;
                continue;
            };
            self.pieces.swap_remove(index);
            let result = result.and_then(|()| self.copy_in(state, piece));
            state.requests.release(piece.request, &mut state.woken);
            self.result = self.result.and(result);
        }
    }

    fn copy_in(&mut self, state: &State<P::World>, piece: Piece) -> Result<(), block::Error> {
        let Work::Read(into) = &mut self.work else {
            return Ok(());
        };
        let into = into.get_mut(piece.at..piece.at + piece.len);
        let data = state.requests.data(piece.request);
        let (into, data) = into.zip(data).ok_or(block::Error::Broken)?;
        data.copy_in(0, into).map_err(|_| block::Error::Broken)
    }

    /// Submits requests while there are free ones, then rings at most one doorbell.
    fn submit_all(&mut self, state: &mut State<P::World>, context: &Context<'_>) {
        while !self.complete && self.result.is_ok() {
            if let Some(error) = self.block.device.failure() {
                self.result = Err(public(error));
                return;
            }
            let Some(request) = state.requests.free() else {
                self.block.device.pool().note_exhausted();
                state.requests.wait(context.waker());
                break;
            };
            self.submit(state, request, context);
        }
        let notified = state.queue.notify();
        self.note(notified);
    }

    fn submit(&mut self, state: &mut State<P::World>, request: u16, context: &Context<'_>) {
        let at = self.submitted;
        let len = (self.work.len() - at).min(DATA);
        let operation = self.work.operation();
        let sector = self.sector + (at / block::SECTOR_SIZE) as u64;
        let filled = self.fill(state, Piece { request, at, len });
        let wait = (self.deadline(), context.waker().clone());
        let submitted = filled.and_then(|()| {
            let what = (operation, sector, len);
            state.requests.submit(&mut state.queue, request, what, wait)
        });
        if self.note(submitted) {
            self.pieces.push(Piece { request, at, len });
            self.submitted = at + len;
            self.complete = self.submitted >= self.work.len();
        }
    }

    /// Makes the slot of a piece ready: what is written goes in, what will be read is cleared.
    fn fill(&self, state: &State<P::World>, piece: Piece) -> Result<(), crate::Error> {
        let data = state.requests.data(piece.request);
        let data = data.ok_or(crate::Error::QueueFull)?;
        match &self.work {
            Work::Read(_) => data.clear_range(0, piece.len)?,
            Work::Write(from) => {
                let bytes = from.get(piece.at..piece.at + piece.len);
                data.copy_out(0, bytes.unwrap_or_default())?;
            }
            Work::Flush => {}
        }
        Ok(())
    }

    fn deadline(&self) -> Instant {
        self.block.device.transport().clock().deadline(DEADLINE)
    }

    /// Ends the device if `result` is an error.
    fn note(&mut self, result: Result<(), crate::Error>) -> bool {
        if let Err(error) = result {
            self.block.device.fail(error);
            self.result = Err(public(error));
        }
        result.is_ok()
    }
}

impl<P: Path> Drop for Transfer<'_, '_, P> {
    fn drop(&mut self) {
        let pieces = core::mem::take(&mut self.pieces);
        self.block.with(|state| {
            for piece in pieces {
                state.requests.abandon(piece.request, &mut state.woken);
            }
        });
    }
}
