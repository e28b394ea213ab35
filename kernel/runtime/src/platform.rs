//! What the loop of the realm does beside running tasks: devices, deadlines, sleep.

use alloc::rc::Rc;
use core::cell::Cell;
use core::task::Waker;
use core::time::Duration;

use clock::{Clock, Instant};
use plan::Patience;

use crate::driver::Printer;
use crate::machine::Booted;
use crate::network::Wire;
use crate::trace::Tracer;
use crate::{console, time};

/// Everything that is polled.
pub struct Platform {
    machine: Rc<Booted>,
    tracer: Tracer,
    wire: Option<Rc<dyn Wire>>,
    patience: Patience,
    /// The last sleep, if nothing was polled since: whether an interrupt of a device ended it.
    slept: Cell<Option<bool>>,
}

impl Platform {
    /// Takes the machine, its trace and its network.
    pub fn new(machine: Rc<Booted>, tracer: Tracer, wire: Option<Rc<dyn Wire>>) -> Self {
        Self {
            machine,
            tracer,
            wire,
            patience: Patience::default(),
            slept: Cell::new(None),
        }
    }

    /// Lets lines that wait for the console device go there, if there is one. Says whether they do.
    fn begin_console(&self) -> bool {
        console::awaits_device() && self.printer().is_some_and(|printer| printer.begin())
    }

    /// Lets devices have their first turn, and what boot said go to the console.
    pub fn open(&self) {
        let is_device = self.begin_console();
        self.poll();
        if !is_device {
            console::release();
        }
    }

    /// Lets devices and deadlines have their turn; says when the next deadline is.
    pub fn poll(&self) -> Option<Instant> {
        if let Some(interrupts) = &self.machine.interrupts {
            interrupts.take();
        }
        let before = self.machine.running.bytes_in();
        let devices = self.settle();
        let now = self.machine.clock.now();
        let network = self.wire.as_ref().and_then(|wire| wire.poll(now));
        if let Some(announced) = self.slept.take() {
            self.note(announced, self.machine.running.bytes_in() != before);
        }
        let watch = self.machine.running.watch.as_ref();
        let watched = watch.and_then(|watch| watch.look(now));
        self.machine.running.tell_failures();
        let told = self.tracer.poll(now);
        [time::wake(now), devices, network, watched, told]
            .into_iter()
            .flatten()
            .min()
    }

    /// Notes how the last sleep ended.
    fn note(&self, announced: bool, found: bool) {
        self.patience.note(announced, found);
        if let (Some(interrupts), false, true) = (&self.machine.interrupts, announced, found) {
            interrupts.note_missed();
        }
    }

    /// The longest sleep: short while interrupts are not believed, or masked.
    fn longest(&self) -> Duration {
        match &self.machine.interrupts {
            Some(interrupts) if interrupts.is_masked() => Patience::SHORT,
            _ => self.patience.longest(),
        }
    }

    /// Whether a socket has something to send since the last poll. `waker` is woken when one has.
    pub fn has_work(&self, waker: &Waker) -> bool {
        self.wire.as_ref().is_some_and(|wire| wire.has_work(waker))
    }

    /// Tells devices and the console of what tasks asked of them since the last poll; says when the next
    /// deadline of one of them is.
    pub fn settle(&self) -> Option<Instant> {
        self.machine.running.poll()
    }

    fn printer(&self) -> Option<&dyn Printer> {
        self.machine.running.printer.as_deref()
    }

    /// Prints all that waits, as far as the host takes it in time; the serial port gets the rest.
    pub fn print_rest(&self) {
        match self.printer() {
            Some(printer) => printer.finish(),
            None => console::release(),
        }
    }

    /// Sleeps until `deadline`, an interrupt, or the end of our patience with interrupts.
    pub fn sleep(&self, deadline: Option<Instant>) {
        let now = self.machine.clock.now();
        let latest = now.after(self.longest());
        let until = deadline.map_or(latest, |deadline| deadline.min(latest));
        if until <= now {
            return;
        }
        match &self.machine.interrupts {
            Some(interrupts) => {
                let before = interrupts.taken().devices;
                interrupts.sleep(until);
                interrupts.take();
                self.slept.set(Some(interrupts.taken().devices != before));
            }
            None => self.machine.clock.relax(),
        }
    }

    /// The payload is over: says whether nothing is left to be told of the trace.
    pub fn finish(&self) -> bool {
        let is_told = self.tracer.finish(self.machine.clock.now());
        if !is_told && let Some(printer) = self.printer() {
            printer.make_room();
        }
        is_told
    }
}
