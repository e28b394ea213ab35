//! The device side of a split virtqueue.

use std::sync::atomic::{Ordering, fence};

use super::{Lies, QueueState, Used};
use crate::shared_memory::{Fault, SharedMemory};

const NEXT: u16 = 1;
const WRITE: u16 = 2;
const INDIRECT: u16 = 4;
/// Bytes of a descriptor.
const DESCRIPTOR: u64 = 16;

/// A run of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// First address.
    pub address: u64,
    /// Bytes.
    pub len: u32,
}

/// A request as the device sees it.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Descriptor that it begins with.
    pub head: u16,
    /// Runs that the device may read.
    pub readable: Vec<Run>,
    /// Runs that the device may write.
    pub writable: Vec<Run>,
}

/// The device side of a queue, for as long as the device looks at it.
pub struct Ring<'d> {
    memory: &'d SharedMemory,
    state: &'d mut QueueState,
    lies: &'d mut Lies,
    event_idx: bool,
    /// The features that the driver accepted.
    pub accepted: u64,
    first_done: u16,
    faults: u64,
}

impl<'d> Ring<'d> {
    pub(super) fn new(
        memory: &'d SharedMemory,
        state: &'d mut QueueState,
        lies: &'d mut Lies,
        event_idx: bool,
    ) -> Self {
        let first_done = state.done;
        Self {
            memory,
            state,
            lies,
            event_idx,
            accepted: 0,
            first_done,
            faults: 0,
        }
    }

    /// Takes the next request; `None` if there is none.
    pub fn take(&mut self) -> Option<Chain> {
        let taken = self.try_take();
        self.note(taken)?
    }

    /// Whether there is a request.
    pub fn available(&mut self) -> bool {
        let index = self.memory.load16(self.state.available + 2);
        self.note(index).is_some_and(|i| i != self.state.seen)
    }

    /// Reads all readable bytes of a chain.
    pub fn read(&mut self, chain: &Chain) -> Vec<u8> {
        let runs = chain.readable.iter();
        let parts: Result<Vec<_>, _> = runs
            .map(|r| self.memory.read(r.address, r.len as usize))
            .collect();
        self.note(parts).unwrap_or_default().concat()
    }

    /// Writes `bytes` into the writable runs, as far as they go; says how many fitted.
    pub fn write(&mut self, chain: &Chain, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        for run in &chain.writable {
            let (now, later) = rest.split_at(rest.len().min(run.len as usize));
            let written = self.memory.write(run.address, now);
            self.note(written);
            rest = later;
        }
        bytes.len() - rest.len()
    }

    /// Writes one byte at `address`.
    pub fn write_byte(&mut self, address: u64, value: u8) {
        let written = self.memory.store8(address, value);
        self.note(written);
    }

    /// Says that a request is done, or whatever the device was told to say. The driver sees it
    /// after [`Self::announce`].
    pub fn complete(&mut self, chain: &Chain, len: u32) {
        let id = chain.head.into();
        for used in self.lies.completion(Used { id, len }) {
            let slot = u64::from(self.state.done % self.state.size.max(1));
            let at = self.state.used + 4 + 8 * slot;
            let stored = self.memory.store32(at, used.id);
            let stored = stored.and_then(|()| self.memory.store32(at + 4, used.len));
            self.note(stored);
            self.state.done = self.state.done.wrapping_add(1);
        }
    }

    /// Moves the used index over everything completed.
    pub fn announce(&mut self) {
        fence(Ordering::Release);
        let index = self.lies.index(self.state.done);
        let stored = self.memory.store16(self.state.used + 2, index);
        self.note(stored);
    }

    /// Announces, asks for the next doorbell, and says whether an interrupt is due.
    pub(super) fn finish(mut self) -> (bool, u64) {
        self.announce();
        let finished = self.try_finish();
        let interrupt = self.note(finished).unwrap_or(false);
        (interrupt, self.faults)
    }

    fn try_finish(&mut self) -> Result<bool, Fault> {
        let size = u64::from(self.state.size);
        if self.event_idx {
            let event = self.state.used + 4 + 8 * size;
            self.memory.store16(event, self.state.seen)?;
        }
        fence(Ordering::SeqCst);
        let (new, old) = (self.state.done, self.first_done);
        if self.event_idx {
            let event = self.memory.load16(self.state.available + 4 + 2 * size)?;
            Ok(new.wrapping_sub(event).wrapping_sub(1) < new.wrapping_sub(old))
        } else {
            let flags = self.memory.load16(self.state.available)?;
            Ok(new != old && flags & 1 == 0)
        }
    }

    fn try_take(&mut self) -> Result<Option<Chain>, Fault> {
        if self.memory.load16(self.state.available + 2)? == self.state.seen {
            return Ok(None);
        }
        fence(Ordering::Acquire);
        let size = self.state.size.max(1);
        let slot = u64::from(self.state.seen % size);
        let head = self.memory.load16(self.state.available + 4 + 2 * slot)?;
        self.state.seen = self.state.seen.wrapping_add(1);
        let mut chain = Chain {
            head,
            readable: Vec::new(),
            writable: Vec::new(),
        };
        let mut table = self.state.descriptors;
        let mut id = head;
        // Where a chain goes on in a table of its own, that table is walked as far as it has entries.
        let mut left = u64::from(size);
        while left > 0 {
            left -= 1;
            let at = table + DESCRIPTOR * u64::from(id);
            let address = self.memory.load64(at)?;
            let rest = self.memory.load64(at + 8)?;
            let (len, flags) = (rest as u32, (rest >> 32) as u16);
            if flags & INDIRECT != 0 && table == self.state.descriptors {
                let entries = u64::from(len) / DESCRIPTOR;
                (table, id, left) = (address, 0, entries.min(size.into()));
                continue;
            }
            if len == 0 {
                // QEMU ends a device that is lent no bytes.
                self.faults += 1;
            }
            let run = Run { address, len };
            match flags & WRITE {
                0 => chain.readable.push(run),
                _ => chain.writable.push(run),
            }
            if flags & NEXT == 0 {
                break;
            }
            id = (rest >> 48) as u16;
        }
        Ok(Some(chain))
    }

    fn note<T>(&mut self, result: Result<T, Fault>) -> Option<T> {
        if result.is_err() {
            self.faults += 1;
        }
        result.ok()
    }
}
