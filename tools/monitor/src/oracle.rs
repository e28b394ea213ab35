//! The leak oracle: whether shared pages hold anything that no device was told.
//!
//! Two judges. One knows secrets: memory that the realm was given is filled with words that name
//! their place, and more are told by name; none may be in a shared page. The other knows what was
//! said: of every byte that is not zero, that a device was told it, that it may have written it, or
//! that the host wrote it.
//!
//! What a queue tells is read at each trap, at a doorbell before the device hears of it. Then the slot
//! behind each content is looked at; at the end, every byte of every shared page.

mod rings;
mod secrets;
mod shadow;

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

pub use self::rings::{Chain, Memory, Queue, Run};
pub use self::secrets::{Name, SHORTEST, Secret, Secrets, parse, seed};
pub use self::shadow::{Fill, Shadow};
use crate::layout::GRANULE_BYTES;
use crate::place::Place;

/// What slots begin at a multiple of, at least: where nothing is known of the next one, no more is
/// taken to be of this one.
const SLOT_ALIGN: u64 = 64;
/// The most bytes of a slot that are looked at behind its content.
const REACH: u64 = 128 << 10;
/// The most bytes that are read at once.
const PIECE: usize = 64 << 10;

/// What is wrong with the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// They are secret.
    Secret(Secret),
    /// They lie behind what the device was told in this slot, and were told to nobody.
    Behind {
        /// Bytes that it was told.
        told: u64,
    },
    /// They were in memory that the device is to write, before it did.
    Uncleared,
    /// They were in the memory of a queue before it was used.
    OldRing,
    /// They were told to nobody.
    Untold,
}

impl What {
    /// A number for each, to tell violations apart.
    #[must_use]
    pub const fn number(self) -> u64 {
        match self {
            Self::Secret(_) => 0,
            Self::Behind { .. } => 1,
            Self::Uncleared => 2,
            Self::OldRing => 3,
            Self::Untold => 4,
        }
    }
}

/// Bytes in a shared page that must not be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leak {
    /// The first of them, without the shared bit.
    pub address: u64,
    /// How many there are in a row.
    pub len: u64,
    /// The device that reaches them first, if one was told of the page.
    pub stream: Option<u32>,
    /// What is wrong with them.
    pub what: What,
}

impl Leak {
    /// A secret that was seen at `address`, by somebody who knows of no device.
    #[must_use]
    pub const fn of_secret(address: u64, secret: Secret) -> Self {
        Self {
            address,
            len: SHORTEST as u64,
            stream: None,
            what: What::Secret(secret),
        }
    }
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (page, offset) = (self.address & !0xfff, self.address & 0xfff);
        match self.what {
            What::Secret(secret) => write!(f, "leak: {secret} is")?,
            What::Behind { told } => write!(
                f,
                "leak: {} bytes behind the {told} that were told are",
                self.len
            )?,
            What::Uncleared => write!(f, "leak: {} bytes that were not cleared are", self.len)?,
            What::OldRing => write!(f, "leak: {} bytes of an old ring are", self.len)?,
            What::Untold => write!(f, "leak: {} bytes that nobody was told are", self.len)?,
        }
        write!(f, " in shared page {page:#x} at offset {offset:#x}")?;
        match self.stream {
            Some(stream) => write!(f, ", of device {}", Place(stream)),
            None => Ok(()),
        }
    }
}

/// What was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Chains that were read.
    pub chains: u64,
    /// Bytes that devices were told.
    pub told: u64,
    /// Bytes that devices were lent to write.
    pub lent: u64,
    /// Times that something was told which could not be read any more, or was written to by then.
    pub missed: u64,
    /// Shared pages at the end.
    pub pages: u64,
    /// Of these, pages in which only secrets were looked for, since something was missed.
    pub unsure: u64,
}

/// The oracle.
#[derive(Debug)]
pub struct Oracle {
    secrets: Secrets,
    shadow: Shadow,
    queues: Vec<Queue>,
    /// Where slots begin, and how often their queue had missed content when they were told of.
    slots: BTreeMap<u64, u32>,
    leaks: Vec<Leak>,
    /// Room for a copy of what is told.
    piece: Vec<u8>,
    tally: Tally,
}

/// The end of what was told in a slot.
struct Tail {
    stream: u32,
    end: u64,
    told: usize,
}

impl Oracle {
    /// An oracle that knows `secrets`; pages hold `fill` when they become shared.
    #[must_use]
    pub const fn new(secrets: Secrets, fill: Fill) -> Self {
        Self {
            secrets,
            shadow: Shadow::new(fill),
            queues: Vec::new(),
            slots: BTreeMap::new(),
            leaks: Vec::new(),
            piece: Vec::new(),
            tally: Tally {
                chains: 0,
                told: 0,
                lent: 0,
                missed: 0,
                pages: 0,
                unsure: 0,
            },
        }
    }

    /// What was looked at so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let missed = self.queues.iter().map(|queue| u64::from(queue.missed));
        Tally {
            missed: self.tally.missed + missed.sum::<u64>(),
            ..self.tally
        }
    }

    /// What was found since this was asked for the last time.
    pub fn take(&mut self) -> Vec<Leak> {
        core::mem::take(&mut self.leaks)
    }

    /// The pages of `range` become shared.
    pub fn share(&mut self, range: Range<u64>) {
        self.shadow.share(range);
    }

    /// The pages of `range` are private again.
    pub fn take_back(&mut self, range: &Range<u64>) {
        self.shadow.take_back(range);
        self.slots.retain(|start, _| !range.contains(start));
    }

    /// The host wrote `len` bytes at `address` by itself.
    pub fn host_wrote(&mut self, address: u64, len: usize) {
        self.shadow.lend(u32::MAX, address, len);
    }

    /// A queue is set up. Its memory must be clear: what is there was told to nobody, or is old.
    pub fn start(&mut self, queue: Queue, memory: &impl Memory) {
        self.queues
            .retain(|old| (old.stream, old.index) != (queue.stream, queue.index));
        for part in queue.memory() {
            let len = size(part.end - part.start);
            let mut bytes = vec![0; len];
            if memory.read(part.start, &mut bytes).is_none() {
                continue;
            }
            if let Some(at) = bytes.iter().position(|byte| *byte != 0) {
                let rest = bytes.iter().skip(at);
                let count = rest.take_while(|byte| **byte != 0).count();
                self.find(queue.stream, part.start, at..at + count, What::OldRing);
            }
            self.shadow.lend(queue.stream, part.start, len);
        }
        self.queues.push(queue);
    }

    /// The device was reset: its queues are no more.
    pub fn reset(&mut self, stream: u32) {
        let gone = self.queues.iter().filter(|queue| queue.stream == stream);
        self.tally.missed += gone.map(|queue| u64::from(queue.missed)).sum::<u64>();
        self.queues.retain(|queue| queue.stream != stream);
    }

    /// Reads what all queues tell by now, and judges it.
    pub fn look(&mut self, memory: &impl Memory) {
        let queues = self.queues.iter_mut();
        let told: Vec<_> = queues
            .map(|queue| (queue.read(memory), queue.clone()))
            .collect();
        let mut tails = Vec::new();
        for (chains, queue) in told {
            for chain in chains {
                self.tally.chains += 1;
                for run in &chain.runs {
                    tails.extend(self.loan(&queue, &chain, run, memory));
                }
            }
        }
        for tail in tails {
            self.look_behind(&tail, memory);
        }
    }

    /// Notes a run that a device is told of; gives its end if what is behind it can be judged.
    fn loan(
        &mut self,
        queue: &Queue,
        chain: &Chain,
        run: &Run,
        memory: &impl Memory,
    ) -> Option<Tail> {
        let stream = queue.stream;
        // Where something was missed, the first look at a slot shows what it holds by now.
        let before = self.slots.insert(run.address, queue.unsure);
        let sure = before.unwrap_or(0) == queue.unsure;
        for start in (0..run.len).step_by(PIECE) {
            let at = run.address.wrapping_add(start as u64);
            let len = run.len.min(start + PIECE) - start;
            let judged = (sure && !chain.done && run.len > 1).then_some(chain.head);
            self.loan_piece(queue, (at, len), (run.writable, judged), memory)?;
        }
        let end = run.address.wrapping_add(run.len as u64);
        if !sure {
            self.adopt(stream, end, memory);
        }
        sure.then_some(Tail {
            stream,
            end,
            told: run.len,
        })
    }

    /// Notes a piece of a run that the device writes or reads. `judged`: it has to be clear before the
    /// device writes there, which then gives back the chain of this head. A byte alone may hold what the
    /// driver does not expect to find.
    fn loan_piece(
        &mut self,
        queue: &Queue,
        (at, len): (u64, usize),
        (writable, judged): (bool, Option<u16>),
        memory: &impl Memory,
    ) -> Option<()> {
        let stream = queue.stream;
        if writable {
            self.tally.lent += len as u64;
            if self.shadow.is_written(at, len) {
                return Some(());
            }
        }
        let mut piece = core::mem::take(&mut self.piece);
        piece.resize(piece.len().max(len), 0);
        let bytes = piece.get_mut(..len)?;
        let read = memory.read(at, bytes);
        if read.is_some() && writable {
            let found = self.shadow.unexplained(at, bytes);
            if let (Some(found), Some(head)) = (found, judged) {
                if queue.comes_back(head, memory) {
                    self.tally.missed += 1;
                } else {
                    self.find(stream, at, found, What::Uncleared);
                }
            }
            self.shadow.lend(stream, at, len);
        } else if read.is_some() {
            self.tally.told += len as u64;
            self.look_for_secrets(Some(stream), at, bytes);
            self.shadow.tell(stream, at, bytes);
        }
        self.piece = piece;
        read
    }

    /// Takes what is behind a content for told: nobody knows what was said there.
    fn adopt(&mut self, stream: u32, end: u64, memory: &impl Memory) {
        let mut bytes = vec![0; self.behind(end)];
        if memory.read(end, &mut bytes).is_some() {
            self.shadow.tell(stream, end, &bytes);
        }
    }

    /// Bytes behind `end` that are of the same slot for sure: up to the next slot or ring.
    fn behind(&self, end: u64) -> usize {
        let slot = self.slots.range(end..).next().map(|(start, _)| *start);
        let rings = self.queues.iter().flat_map(|queue| queue.parts);
        let next = slot.into_iter().chain(rings).filter(|start| *start >= end);
        let next = next.min().map(|start| start - end);
        let aligned = end.next_multiple_of(SLOT_ALIGN) - end;
        size(next.filter(|len| *len <= REACH).unwrap_or(aligned))
    }

    /// Looks at the rest of a slot.
    fn look_behind(&mut self, tail: &Tail, memory: &impl Memory) {
        let len = self.behind(tail.end);
        if len == 0 || self.shadow.is_written(tail.end, len) {
            return;
        }
        let mut bytes = vec![0; len];
        if memory.read(tail.end, &mut bytes).is_none() {
            return;
        }
        let found = self.shadow.unexplained(tail.end, &bytes);
        if let Some(found) = found {
            let told = tail.told as u64;
            self.find(tail.stream, tail.end, found, What::Behind { told });
        }
    }

    /// Looks for secrets in `bytes`, which are at `address`.
    pub fn look_for_secrets(&mut self, stream: Option<u32>, address: u64, bytes: &[u8]) {
        if let Some((at, secret)) = self.secrets.find(bytes) {
            self.leaks.push(Leak {
                address: address.wrapping_add(at as u64),
                len: SHORTEST as u64,
                stream,
                what: What::Secret(secret),
            });
        }
    }

    /// Looks at every byte that is shared. `is_others` says where bytes are that no queue tells of: what the interrupt
    /// controller writes, or devices whose queues are not read.
    pub fn finish(&mut self, memory: &impl Memory, is_others: impl Fn(&Range<u64>) -> bool) {
        self.look(memory);
        let pages: Vec<_> = self.shadow.pages().collect();
        for (page, stream) in pages {
            self.tally.pages += 1;
            // Bytes of the next page, too: what begins in this one may end there.
            let mut bytes = vec![0; GRANULE_BYTES + SHORTEST];
            let whole = memory.read(page, &mut bytes).is_some();
            if !whole {
                bytes.truncate(GRANULE_BYTES);
                if memory.read(page, &mut bytes).is_none() {
                    continue;
                }
            }
            self.look_for_secrets(stream, page, &bytes);
            bytes.truncate(GRANULE_BYTES);
            self.judge_page(page, stream, &bytes, &is_others);
        }
    }

    fn judge_page(
        &mut self,
        page: u64,
        stream: Option<u32>,
        bytes: &[u8],
        is_others: &impl Fn(&Range<u64>) -> bool,
    ) {
        let queues = self.queues.iter();
        let missed = queues.filter(|queue| Some(queue.stream) == stream);
        if missed.map(|queue| queue.unsure).sum::<u32>() != 0 {
            self.tally.unsure += 1;
            return;
        }
        let range = page..page + bytes.len() as u64;
        let found = self.shadow.unexplained(page, bytes);
        if let Some(found) = found.filter(|_| !is_others(&range)) {
            self.leaks.push(Leak {
                address: page + found.start as u64,
                len: found.len() as u64,
                stream,
                what: What::Untold,
            });
        }
    }

    fn find(&mut self, stream: u32, from: u64, run: Range<usize>, what: What) {
        self.leaks.push(Leak {
            address: from.wrapping_add(run.start as u64),
            len: run.len() as u64,
            stream: Some(stream),
            what,
        });
    }
}

/// A length, as slices have it.
pub(crate) fn size(len: u64) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            chains,
            told,
            lent,
            missed,
            pages,
            unsure,
        } = self;
        write!(
            f,
            "{told} bytes told and {lent} lent in {chains} chains, {pages} shared pages at the end"
        )?;
        if *missed != 0 {
            write!(
                f,
                "; {missed} times chains were gone before they were read, {unsure} pages only for secrets"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
