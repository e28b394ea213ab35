//! What the loop of the realm does beside running tasks: devices, deadlines, sleep.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::task::{Context, Waker};
use core::time::Duration;

use arch::counter::Counter;
use bounce::Region;
use clock::{Clock, Instant};
use net::Stack;
use plan::Patience;

use crate::devices::Running;
use crate::interrupts::Interrupts;
use crate::realm::Parts;
use crate::{time, trace};

/// Everything that is polled.
pub struct Platform {
    clock: Counter,
    entry: Instant,
    regions: Vec<Rc<Region>>,
    running: Rc<Running>,
    stack: Option<Stack>,
    interrupts: Option<Rc<Interrupts>>,
    patience: Patience,
    /// The last sleep, if nothing was polled since: whether an interrupt of a device ended it.
    slept: Cell<Option<bool>>,
}

impl Platform {
    /// Takes what is polled of `parts`, and the network.
    pub fn new(parts: &Parts, stack: Option<Stack>) -> Self {
        Self {
            clock: parts.clock,
            entry: parts.entry,
            regions: parts.regions.clone(),
            running: Rc::clone(&parts.running),
            stack,
            interrupts: parts.interrupts.clone(),
            patience: Patience::default(),
            slept: Cell::new(None),
        }
    }

    /// Lets devices and deadlines have their turn; says when the next deadline is.
    pub fn poll(&self) -> Option<Instant> {
        if let Some(interrupts) = &self.interrupts {
            interrupts.take();
        }
        let before = self.running.bytes_in();
        let disks = self.settle();
        let now = self.clock.now();
        let network = self.stack.as_ref().and_then(|stack| stack.poll(now));
        if let Some(announced) = self.slept.take() {
            self.note(announced, self.running.bytes_in() != before);
        }
        let watched = self
            .running
            .trusted
            .as_ref()
            .and_then(|trusted| trusted.look(now));
        self.running.tell_failures();
        for region in &self.regions {
            trace::print_batch(region.trace(), self.entry);
        }
        [time::wake(now), disks, network, watched]
            .into_iter()
            .flatten()
            .min()
    }

    /// Notes how the last sleep ended.
    fn note(&self, announced: bool, found: bool) {
        self.patience.note(announced, found);
        if let (Some(interrupts), false, true) = (&self.interrupts, announced, found) {
            interrupts.note_missed();
        }
    }

    /// The longest sleep: short while interrupts are not believed, or masked.
    fn longest(&self) -> Duration {
        match &self.interrupts {
            Some(interrupts) if interrupts.is_masked() => Patience::SHORT,
            _ => self.patience.longest(),
        }
    }

    /// Whether a socket has something to send since the last poll. `waker` is woken when one has.
    pub fn has_work(&self, waker: &Waker) -> bool {
        let mut context = Context::from_waker(waker);
        self.stack
            .as_ref()
            .is_some_and(|stack| stack.poll_work(&mut context).is_ready())
    }

    /// Tells disks of what tasks asked of them since the last poll; says when the next deadline of a
    /// disk is.
    pub fn settle(&self) -> Option<Instant> {
        let disks = self.running.disks.iter();
        disks.filter_map(|disk| disk.device.poll()).min()
    }

    /// Sleeps until `deadline`, an interrupt, or the end of our patience with interrupts.
    pub fn sleep(&self, deadline: Option<Instant>) {
        let now = self.clock.now();
        let latest = now.after(self.longest());
        let until = deadline.map_or(latest, |deadline| deadline.min(latest));
        if until <= now {
            return;
        }
        match &self.interrupts {
            Some(interrupts) => {
                let before = interrupts.taken().devices;
                interrupts.sleep(until);
                interrupts.take();
                self.slept.set(Some(interrupts.taken().devices != before));
            }
            None => self.clock.relax(),
        }
    }

    /// Prints what is left of the trace.
    pub fn finish(&self) {
        for region in &self.regions {
            trace::print_rest(region.trace(), self.entry);
        }
    }
}
