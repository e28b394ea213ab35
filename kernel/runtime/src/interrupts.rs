//! Interrupts: hints to look at the rings, and the alarm that ends sleep.
//!
//! They stay masked in the CPU. The loop takes whatever is pending when it comes round; losing one
//! or inventing one costs time, never correctness.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::time::Duration;

use arch::counter::Counter;
use arch::gic::{self, Gic, IntId};
use arch::{Devices, Mmio, cpu};
use clock::{Clock, Instant};
use devtree::Machine;
use pci::Mapper;
use virtio::Interrupt;

/// Most interrupts that are taken before devices and tasks have their turn.
const BATCH: usize = 32;
/// Interrupts of one line within [`WINDOW`] that are a storm: the line is disabled for good, and
/// its devices are polled.
const STORM: u32 = 4096;
const WINDOW: Duration = Duration::from_millis(20);
/// How long the first alarm may take to arrive.
const ALARM_PATIENCE: Duration = Duration::from_secs(1);

/// What was taken so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Interrupts of devices.
    pub devices: u64,
    /// Alarms of the timer.
    pub alarms: u64,
    /// Interrupts that nobody expects.
    pub unexpected: u64,
    /// Lines that were disabled because of a storm.
    pub storms: u64,
}

/// An interrupt line, and the devices that share it.
struct Line {
    id: IntId,
    devices: Vec<Rc<Interrupt>>,
    since: Instant,
    taken: u32,
}

/// The interrupt controller and its lines.
pub struct Interrupts {
    gic: Gic<Mmio>,
    clock: Counter,
    alarm: IntId,
    lines: RefCell<Vec<Line>>,
    taken: Cell<Taken>,
}

impl Interrupts {
    /// Opens the controller of `machine`, and sees whether the timer's alarm arrives: sleeping
    /// without one would never end. `None` if interrupts cannot be used; this is logged.
    pub fn open(machine: &Machine, devices: &Devices, clock: Counter) -> Option<Self> {
        let interrupts = Self::open_gic(machine, devices, clock);
        if interrupts.is_none() {
            log::warn!("interrupts: not used, so waiting is busy");
        }
        interrupts
    }

    fn open_gic(machine: &Machine, devices: &Devices, clock: Counter) -> Option<Self> {
        let (tree, timer) = (machine.gic.as_ref()?, machine.timer?);
        let map = |range: devtree::AddressRange| devices.map(range.base(), range.len()).ok();
        let distributor = map(tree.distributor)?;
        let alarm = IntId::try_from(timer.virtual_timer.id).ok()?;
        let opened = tree
            .redistributors
            .iter()
            .filter_map(|range| Gic::new(distributor, map(*range)?, &clock).ok())
            .next()?;
        opened.enable(alarm).ok()?;
        let interrupts = Self {
            gic: opened,
            clock,
            alarm,
            lines: RefCell::default(),
            taken: Cell::default(),
        };
        interrupts.alarm_arrives().then_some(interrupts)
    }

    fn alarm_arrives(&self) -> bool {
        self.clock.set_alarm(self.clock.now());
        let arrived = self.clock.wait(ALARM_PATIENCE, &mut || {
            self.take();
            self.taken.get().alarms != 0
        });
        self.clock.clear_alarm();
        arrived
    }

    /// Enables the line `id` for `device`; lines are shared.
    ///
    /// # Errors
    ///
    /// [`gic::Error`] if the controller has no such line.
    pub fn connect(&self, id: u32, device: Rc<Interrupt>) -> Result<(), gic::Error> {
        let line = IntId::try_from(id).map_err(|_| gic::Error::NoSuchInterrupt { id })?;
        let mut lines = self.lines.borrow_mut();
        if let Some(known) = lines.iter_mut().find(|known| known.id == line) {
            known.devices.push(device);
            return Ok(());
        }
        self.gic.enable(line)?;
        let since = self.clock.now();
        lines.push(Line {
            id: line,
            devices: Vec::from([device]),
            since,
            taken: 0,
        });
        Ok(())
    }

    /// Takes pending interrupts, at most a batch of them.
    pub fn take(&self) {
        for _ in 0..BATCH {
            let Some(id) = self.gic.take() else {
                return;
            };
            self.handle(id);
            self.gic.end(id);
        }
    }

    fn handle(&self, id: IntId) {
        let mut taken = self.taken.get();
        let mut lines = self.lines.borrow_mut();
        if id == self.alarm {
            self.clock.clear_alarm();
            taken.alarms += 1;
        } else if let Some(line) = lines.iter_mut().find(|line| line.id == id) {
            line.devices.iter().for_each(|device| {
                device.acknowledge();
            });
            taken.devices += 1;
            if line.is_storm(self.clock.now()) {
                log::warn!("interrupts: {id:?} storms and is disabled; its devices are polled");
                taken.storms += 1;
                self.disable(id);
            }
        } else {
            taken.unexpected += 1;
            self.disable(id);
        }
        self.taken.set(taken);
    }

    /// Disables a line that nobody wants. One that cannot be disabled is only counted.
    fn disable(&self, id: IntId) {
        let _ = self.gic.disable(id);
    }

    /// What was taken so far.
    pub fn taken(&self) -> Taken {
        self.taken.get()
    }

    /// Sleeps until `until`, or an interrupt.
    pub fn sleep(&self, until: Instant) {
        self.clock.set_alarm(until);
        cpu::wait_for_interrupt();
        self.clock.clear_alarm();
    }
}

impl Line {
    /// Counts one more, and says whether it is too many.
    fn is_storm(&mut self, now: Instant) -> bool {
        if now.since(self.since) > WINDOW {
            (self.since, self.taken) = (now, 0);
        }
        self.taken += 1;
        self.taken == STORM
    }
}
