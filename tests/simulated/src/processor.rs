//! The only processor.

use std::time::Duration;

use jobs::Queue;
use realm::Cpus;
use testkit::wire::{Part, Turn};

use crate::time;

/// Which processor this runs on: there is one.
pub fn processor() -> u64 {
    0
}

/// The time since the machine was made.
pub fn uptime() -> Duration {
    Duration::from_nanos(time::now())
}

/// Counts instructions where the processor does; this one does not.
#[derive(Clone, Copy, Debug)]
pub struct Instructions(());

impl Instructions {
    /// `None`: nothing is counted here.
    pub fn start() -> Option<Self> {
        None
    }

    /// The count: there is none.
    pub fn so_far(self) -> u32 {
        0
    }
}

/// The work that the payload spawns on processors.
#[derive(Clone, Copy)]
pub(crate) struct Work(&'static Queue);

impl Work {
    /// No work yet. The queue is leaked: that of a machine with processors lives for ever, too.
    pub(crate) fn none() -> Self {
        Self(Box::leak(Box::new(Queue::new(0, |_| {}))))
    }

    pub(crate) fn cpus(self) -> Cpus {
        Cpus::new(self.0, Vec::new(), Vec::new())
    }
}

impl Part for Work {
    fn turn(&self, _: clock::Instant) -> Turn {
        Turn {
            moved: self.0.run(),
            next: None,
        }
    }
}
