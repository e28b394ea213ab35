//! Which blocks are out, and the one that is on its way.

use alloc::vec::Vec;
use core::time::Duration;

use bounce::World;
use clock::Instant;

use super::BalloonCounters;
use super::lane::Lane;
use super::memory::{BLOCK, Memory};
use super::pace::Pace;
use crate::attention::Attention;
use crate::device::Device;
use crate::{Error, Features};

/// How long the device may take to confirm a list, as far as we looked on.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long before that the doorbell is rung once more: one may have been lost.
const LAST_CALL: Duration = Duration::from_secs(5);

/// What the device was told and has not confirmed.
enum Way<O> {
    Still,
    /// The host may take it.
    There(O),
    /// We are about to take it.
    Back(O),
}

/// The memory of a balloon, and its queues.
pub(super) struct State<M: Memory, W: World> {
    memory: M,
    inflate: Lane<W>,
    deflate: Lane<W>,
    /// What the host has. There is room for all that it may get.
    out: Vec<M::Out>,
    way: Way<M::Out>,
    /// When the device is given up, in seen time, and whether the doorbell was rung once more.
    deadline: (Duration, bool),
    attention: Attention,
    seen: Duration,
    pub(super) pace: Pace,
    /// Time of busy waits since the last poll.
    pub(super) waited: Duration,
    /// Blocks that the user allows.
    most: u32,
    /// Blocks that the host wants.
    wanted: u32,
    /// Blocks that the host was told that it has.
    told: u32,
    lost: u32,
    /// Whether giving went wrong: then nothing is given any more.
    closed: bool,
    given: u64,
    regained: u64,
    relieved: u64,
}

impl<M: Memory, W: World> State<M, W> {
    pub(super) fn new(
        memory: M,
        (inflate, deflate): (Lane<W>, Lane<W>),
        most: u32,
        now: Instant,
    ) -> Self {
        Self {
            memory,
            inflate,
            deflate,
            out: Vec::with_capacity(most as usize),
            way: Way::Still,
            deadline: (Duration::ZERO, false),
            attention: Attention::new(now),
            seen: Duration::ZERO,
            pace: Pace::new(now),
            waited: Duration::ZERO,
            most,
            wanted: 0,
            told: 0,
            lost: 0,
            closed: false,
            given: 0,
            regained: 0,
            relieved: 0,
        }
    }

    /// Blocks that the user allows.
    pub(super) fn most(&self) -> u32 {
        self.most
    }

    /// The host wants so many blocks.
    pub(super) fn want(&mut self, wanted: u32) {
        self.wanted = wanted;
    }

    /// Blocks that ever came back.
    pub(super) fn regained(&self) -> u64 {
        self.regained
    }

    /// A number that grows with each block that was moved, or got lost.
    pub(super) fn moved(&self) -> u64 {
        self.given + self.regained + u64::from(self.lost)
    }

    pub(super) fn note_relief(&mut self) {
        self.relieved += 1;
    }

    /// Whether a block is out.
    pub(super) fn has_blocks(&self) -> bool {
        !self.out.is_empty() || !matches!(self.way, Way::Still)
    }

    pub(super) fn counters(&self) -> BalloonCounters {
        let on_its_way = u64::from(!matches!(self.way, Way::Still));
        BalloonCounters {
            doorbells: self.inflate.rung() + self.deflate.rung(),
            most: u64::from(self.most) * BLOCK,
            wanted: u64::from(self.wanted) * BLOCK,
            out: (u64::from(self.count()) + on_its_way) * BLOCK,
            lost: u64::from(self.lost) * BLOCK,
            given: self.given * BLOCK,
            regained: self.regained * BLOCK,
            relieved: self.relieved,
        }
    }

    /// Blocks that the host has.
    fn count(&self) -> u32 {
        u32::try_from(self.out.len()).unwrap_or(u32::MAX)
    }

    /// Takes what the device confirmed, and checks the deadline.
    pub(super) fn look(&mut self, now: Instant) -> Result<(), Error> {
        self.seen = self.attention.look(now);
        if self.take()? {
            return Ok(());
        }
        let (deadline, is_called) = self.deadline;
        if deadline <= self.seen {
            return Err(Error::TimedOut);
        }
        if !is_called && deadline - self.seen <= LAST_CALL {
            self.deadline.1 = true;
            match self.way {
                Way::Back(_) => self.deflate.ring(),
                _ => self.inflate.ring(),
            }
        }
        Ok(())
    }

    /// Takes what the device confirmed; says whether nothing is on its way any more.
    pub(super) fn take(&mut self) -> Result<bool, Error> {
        let arrived = match self.way {
            Way::Still => return Ok(true),
            Way::There(_) => self.inflate.take()?,
            Way::Back(_) => self.deflate.take()?,
        };
        if arrived {
            match core::mem::replace(&mut self.way, Way::Still) {
                Way::Still => {}
                Way::There(block) => self.out.push(block),
                Way::Back(block) => self.regain(block),
            }
        }
        Ok(arrived)
    }

    /// Begins to move a block the way that the host wants, if none is on its way.
    pub(super) fn step(&mut self, now: Instant) -> Result<(), Error> {
        if !matches!(self.way, Way::Still) {
            return Ok(());
        }
        if self.count() > self.wanted {
            self.call_back()?;
        } else if self.wants_more() && now >= self.pace.next_gift() {
            self.give(now)?;
        }
        Ok(())
    }

    /// Whether the host wants more, and may have it. What is lost is away as well.
    fn wants_more(&self) -> bool {
        let most = self.most.saturating_sub(self.lost);
        !self.closed && self.count() < self.wanted.min(most)
    }

    fn give(&mut self, now: Instant) -> Result<(), Error> {
        match self.memory.give() {
            Ok(Some(block)) => {
                self.given += 1;
                let first = M::first_page(&block);
                // Whatever comes of telling it: the block is out.
                self.way = Way::There(block);
                self.begin();
                self.inflate.tell(first)
            }
            Ok(None) => {
                self.pace.hold(now);
                Ok(())
            }
            Err(_) => {
                self.lost += 1;
                self.closed = true;
                Ok(())
            }
        }
    }

    /// Tells the device that a block is wanted back; says whether one is out.
    pub(super) fn call_back(&mut self) -> Result<bool, Error> {
        let Some(block) = self.out.pop() else {
            return Ok(false);
        };
        let first = M::first_page(&block);
        self.way = Way::Back(block);
        self.begin();
        self.deflate.tell(first)?;
        Ok(true)
    }

    fn begin(&mut self) {
        self.deadline = (self.seen.saturating_add(DEADLINE), false);
    }

    /// Takes a block back of which the device knows nothing any more; says whether one was out.
    pub(super) fn regain_any(&mut self) -> bool {
        let block = match core::mem::replace(&mut self.way, Way::Still) {
            Way::There(block) | Way::Back(block) => Some(block),
            Way::Still => self.out.pop(),
        };
        let is_there = block.is_some();
        if let Some(block) = block {
            self.regain(block);
        }
        is_there
    }

    fn regain(&mut self, block: M::Out) {
        match self.memory.take_back(block) {
            Ok(()) => self.regained += 1,
            Err(_) => self.lost += 1,
        }
    }

    /// What the host is to be told that it has, if that is something new, and settled or a while ago.
    pub(super) fn news(&mut self, now: Instant) -> Option<u32> {
        let count = self.count();
        let is_settled = matches!(self.way, Way::Still) && !self.is_moving(now);
        if count == self.told || !(is_settled || self.pace.may_tell(now)) {
            return None;
        }
        self.told = count;
        self.pace.told(now);
        Some(count)
    }

    /// Whether there is a block to move, now or after a rest.
    fn is_moving(&self, now: Instant) -> bool {
        self.count() > self.wanted || self.wants_more() && now >= self.pace.next_gift()
    }

    /// When to look again.
    pub(super) fn next_look(&self) -> Instant {
        let (deadline, is_called) = self.deadline;
        let next = match self.way {
            Way::Still if self.count() > self.wanted => self.pace.next_work(),
            Way::Still if self.wants_more() => self.pace.next_work().max(self.pace.next_gift()),
            Way::Still => return self.pace.next_look(),
            _ if is_called => self.attention.next_look(deadline),
            _ => {
                let call = deadline.saturating_sub(LAST_CALL);
                self.attention.next_look(call)
            }
        };
        next.min(self.pace.next_look())
    }

    /// Sets the queues up anew, after a reset: the host has nothing, and wants nothing that we know of.
    pub(super) fn restart(&mut self, device: &Device<W>, features: Features) -> Result<(), Error> {
        self.inflate.restart(device, features)?;
        self.deflate.restart(device, features)?;
        (self.wanted, self.told) = (0, 0);
        self.pace.note_change();
        Ok(())
    }
}
