//! The processors that work can be given to.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;

use jobs::{Job, Queue};
use rsi::psci;

/// Why a processor is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuError {
    /// There are more than eight.
    TooMany,
    /// Without interrupts nobody can wake it.
    NoInterrupts,
    /// RAM had no room for its stacks.
    NoRoom,
    /// Its part of the interrupt controller does not work.
    Controller(&'static str),
    /// The host, or the RMM, did not start it.
    Refused(psci::Error),
    /// It was said to start, and did not within two seconds.
    Silent,
}

impl fmt::Display for CpuError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => f.write_str("more than eight are not used"),
            Self::NoInterrupts => f.write_str("no interrupts, so nothing would wake it"),
            Self::NoRoom => f.write_str("RAM has no room for its stacks"),
            Self::Controller(why) => f.write_str(why),
            Self::Refused(error) => error.fmt(f),
            Self::Silent => f.write_str("was said to start, and did not within two seconds"),
        }
    }
}

impl core::error::Error for CpuError {}

/// The processors that work can be given to. Clones are the same processors.
#[derive(Clone)]
pub struct Cpus {
    first: &'static Queue,
    /// Those besides the first, in the order in which they came.
    others: Rc<[&'static Queue]>,
    refused: Rc<[(u64, CpuError)]>,
    next: Rc<Cell<usize>>,
}

impl Cpus {
    /// The work of the first processor and of `others`, and by affinity those that are not used.
    pub fn new(
        first: &'static Queue,
        others: Vec<&'static Queue>,
        refused: Vec<(u64, CpuError)>,
    ) -> Self {
        Self {
            first,
            others: others.into(),
            refused: refused.into(),
            next: Rc::new(Cell::new(0)),
        }
    }

    /// Processors, the first included.
    pub fn count(&self) -> usize {
        1 + self.others.len()
    }

    /// Those that are not used, by affinity, and why.
    pub fn refused(&self) -> &[(u64, CpuError)] {
        &self.refused
    }

    /// Gives work to a processor, to each in turn; the first has work only if there is no other, and
    /// then devices wait while it computes: yield between pieces.
    ///
    /// Work may wait for timers and other jobs. Devices and sockets stay with the first processor: what
    /// refers to them is not `Send`.
    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Job<T> {
        let turn = self.next.get();
        self.next.set(turn.wrapping_add(1));
        let other = turn.checked_rem(self.others.len());
        let queue = other.and_then(|place| self.others.get(place)).copied();
        queue.unwrap_or(self.first).spawn(work)
    }
}
