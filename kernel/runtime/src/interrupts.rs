//! Interrupts: hints to look at the rings, and the alarm that ends sleep.
//!
//! They stay masked in the CPU. The loop takes whatever is pending when it comes round; losing one
//! or inventing one costs time, never correctness. Devices send messages where there is an ITS that
//! carries them, use their wire where there is one, and are polled else.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, OnceCell, RefCell};
use core::ops::Range;
use core::time::Duration;

use arch::counter::Counter;
use arch::gic::{self, Gic, IntId};
use arch::{Devices, Mmio, cpu};
use bounce::Region;
use clock::{Clock, Instant};
use devtree::Machine;
use ipa::IpaSpace;
use pci::Mapper;
use plan::{Doubt, Irq, Remedy, Storm};
use realm::{Means, Taken};
use virtio::Interrupt;

use crate::messages::{self, Messages};

/// Most interrupts that are taken before devices and tasks have their turn.
const BATCH: usize = 32;
/// How long the first alarm, and the first message, may take to arrive.
const PATIENCE: Duration = Duration::from_secs(1);

/// A device that may interrupt.
struct Attached {
    name: Rc<str>,
    device: Rc<Interrupt>,
    /// The LPIs of its messages; empty if it has none.
    lpis: Range<u32>,
    /// Its wire, once that is enabled.
    wire: Cell<Option<IntId>>,
    /// The number of its wire, as the device tree has it.
    line: Option<u32>,
}

/// The interrupt controller and what interrupts through it.
pub struct Interrupts {
    gic: Gic<Mmio>,
    /// Address of the redistributors, without the shared bit.
    redistributors: u64,
    clock: Counter,
    irq: Irq,
    alarm: IntId,
    messages: OnceCell<Messages>,
    attached: RefCell<Vec<Attached>>,
    storms: RefCell<Vec<(IntId, Storm)>>,
    masked: Cell<usize>,
    doubt: Cell<Doubt>,
    taken: Cell<Taken>,
}

impl Interrupts {
    /// Opens the controller of `machine`, and sees whether the timer's alarm arrives: sleeping
    /// without one would never end. `None` if interrupts cannot be used; this is logged.
    pub fn open(machine: &Machine, devices: &Devices, clock: Counter, irq: Irq) -> Option<Self> {
        let interrupts = Self::open_gic(machine, devices, clock, irq);
        if interrupts.is_none() {
            log::warn!("interrupts: not used, so waiting is busy");
        }
        interrupts
    }

    fn open_gic(machine: &Machine, devices: &Devices, clock: Counter, irq: Irq) -> Option<Self> {
        let (tree, timer) = (machine.gic.as_ref()?, machine.timer?);
        let map = |range: devtree::AddressRange| devices.map(range.base(), range.len()).ok();
        let distributor = map(tree.distributor)?;
        let alarm = IntId::try_from(timer.virtual_timer.id).ok()?;
        let open = |range: &devtree::AddressRange| {
            let gic = Gic::new(distributor, map(*range)?, &clock).ok()?;
            Some((gic, range.base()))
        };
        let (gic, redistributors) = tree.redistributors.iter().find_map(open)?;
        gic.enable(alarm).ok()?;
        let interrupts = Self {
            gic,
            redistributors,
            clock,
            irq,
            alarm,
            messages: OnceCell::new(),
            attached: RefCell::default(),
            storms: RefCell::default(),
            masked: Cell::new(0),
            doubt: Cell::default(),
            taken: Cell::default(),
        };
        interrupts.alarm_arrives().then_some(interrupts)
    }

    fn alarm_arrives(&self) -> bool {
        self.clock.set_alarm(self.clock.now());
        let arrived = self.clock.wait(PATIENCE, &mut || {
            self.take();
            self.taken.get().alarms != 0
        });
        self.clock.clear_alarm();
        arrived
    }

    /// Lets the processor with `affinity` be rung, and have alarms.
    ///
    /// # Errors
    ///
    /// [`gic::Error`]
    pub fn prepare(&self, affinity: u64) -> Result<(), gic::Error> {
        self.gic.prepare(affinity, self.alarm, &self.clock)
    }

    /// Looks for an ITS, if messages may be used; `device_ids` is the first requester id that no
    /// device has.
    pub fn find_its(
        &self,
        machine: &Machine,
        devices: &Devices,
        device_ids: u32,
    ) -> Option<messages::Found> {
        let gic = (&self.gic, self.redistributors);
        let look = || messages::Found::look(machine, devices, gic, device_ids, self.clock);
        self.irq.messages().then(look).flatten()
    }

    /// Starts the ITS, with its tables in `region`. Where that fails there are no messages; this is
    /// logged.
    pub fn use_its(&self, found: messages::Found, region: &Region, space: IpaSpace) {
        match found.start(region, space, self.clock) {
            // There was none before.
            Ok(messages) => drop(self.messages.set(messages)),
            Err(error) => log::warn!("its: not used: {error}"),
        }
    }

    /// Lets a device that is not started yet send messages, if it can and may: `id` is its requester
    /// id, `line` the number of its wire.
    pub fn attach(&self, name: &Rc<str>, id: u16, line: Option<u32>, device: &Rc<Interrupt>) {
        let lpis = self.give_messages(name, id, device).unwrap_or(0..0);
        self.attached.borrow_mut().push(Attached {
            name: Rc::clone(name),
            device: Rc::clone(device),
            lpis,
            wire: Cell::new(None),
            line,
        });
    }

    fn give_messages(&self, name: &str, id: u16, device: &Interrupt) -> Option<Range<u32>> {
        let messages = self.messages.get().filter(|_| device.vectors() != 0)?;
        let mapped = messages.map(id, device.vectors());
        let lpis = mapped
            .inspect_err(|error| log::warn!("{name}: no messages: its: {error}"))
            .ok()?;
        let is_first = self.attached.borrow().iter().all(|a| a.lpis.is_empty());
        if is_first && !self.message_arrives(messages, lpis.start) {
            log::warn!("{name}: no messages: the first one did not arrive");
            return None;
        }
        device.use_messages(&messages.of(&lpis, false));
        Some(lpis)
    }

    /// Whether an LPI arrives that the ITS itself raises.
    fn message_arrives(&self, messages: &Messages, lpi: u32) -> bool {
        let raised = messages.raise(lpi).is_ok();
        raised
            && self.clock.wait(PATIENCE, &mut || {
                let taken = self.gic.acknowledge_next();
                taken.is_some_and(|id| {
                    let id = id.any_value("ended, whichever it is");
                    self.gic.end(id);
                    id.raw_value() == lpi
                })
            })
    }

    /// Lets a device that was opened anew, and is not started yet, interrupt as it did before.
    pub fn renew(&self, name: &str, device: &Rc<Interrupt>) {
        let mut attached = self.attached.borrow_mut();
        let Some(known) = attached.iter_mut().find(|known| *known.name == *name) else {
            return;
        };
        let used_messages = known.device.uses_messages();
        known.device = Rc::clone(device);
        if let Some(messages) = self.messages.get().filter(|_| used_messages) {
            let alias = self.doubt.get().uses_alias();
            device.use_messages(&messages.of(&known.lpis, alias));
        }
    }

    /// Enables the wire of a device that was started anew, if it sends no messages now.
    pub fn reconnect(&self, name: &str) {
        let attached = self.attached.borrow();
        let known = attached.iter().find(|known| *known.name == *name);
        let silent =
            known.filter(|known| !known.device.uses_messages() && known.wire.get().is_none());
        if let Some(silent) = silent {
            self.connect_wire(silent);
        }
    }

    /// Enables the wires of devices that were started and send no messages.
    pub fn connect(&self) {
        for attached in self.attached.borrow().iter() {
            if !attached.device.uses_messages() {
                self.connect_wire(attached);
            }
        }
        let means = self.means();
        // Where everything is as it should be, that is no news, and each byte of a line is an exit.
        let level = match means.wires + means.polled {
            0 => log::Level::Debug,
            _ => log::Level::Info,
        };
        log::log!(level, "interrupts: {means}");
    }

    fn connect_wire(&self, attached: &Attached) {
        let Some(line) = attached.line.filter(|_| self.irq.wires()) else {
            return;
        };
        let wire = IntId::try_from(line).ok();
        let wire = wire.filter(|wire| self.gic.enable(*wire).is_ok());
        if wire.is_none() {
            log::warn!("{}: there is no interrupt {line}", attached.name);
        }
        attached.wire.set(wire);
    }

    /// How many devices interrupt by what.
    pub fn means(&self) -> Means {
        let mut means = Means::default();
        for attached in self.attached.borrow().iter() {
            if attached.device.uses_messages() {
                means.messages += 1;
            } else if attached.wire.get().is_some() {
                means.wires += 1;
            } else {
                means.polled += 1;
            }
        }
        means
    }

    /// Takes pending interrupts, at most a batch of them.
    pub fn take(&self) {
        self.unmask();
        for _ in 0..BATCH {
            let Some(id) = self.gic.acknowledge_next() else {
                return;
            };
            let id = id.any_value("a hint; one that nobody knows is disabled");
            self.handle(id);
            self.gic.end(id);
        }
    }

    fn handle(&self, id: IntId) {
        let mut taken = self.taken.get();
        if id == self.alarm {
            self.clock.clear_alarm();
            taken.alarms += 1;
        } else if id == gic::BELL {
            taken.bells += 1;
        } else if self.hand_on(id) {
            taken.devices += 1;
            taken.messages += u64::from(id.raw_value() >= its::FIRST_LPI);
            if self.is_storm(id) {
                log::warn!("interrupts: {id:?} storms and is masked; its devices are polled");
                taken.storms += 1;
                self.set_enabled(id, false);
            }
        } else {
            taken.unexpected += 1;
            self.set_enabled(id, false);
        }
        self.taken.set(taken);
    }

    /// Tells the devices behind an interrupt; says whether there are any.
    fn hand_on(&self, id: IntId) -> bool {
        let mut known = false;
        let number = id.raw_value();
        for attached in self.attached.borrow().iter() {
            if attached.lpis.contains(&number) {
                let vector = number - attached.lpis.start;
                let vector = u16::try_from(vector).unwrap_or(u16::MAX);
                attached.device.note_message(vector);
                known = true;
            } else if attached.wire.get() == Some(id) {
                attached.device.acknowledge();
                known = true;
            }
        }
        known
    }

    fn is_storm(&self, id: IntId) -> bool {
        let now = self.clock.now();
        let mut storms = self.storms.borrow_mut();
        let place = storms.iter().position(|(known, _)| *known == id);
        let place = place.unwrap_or_else(|| {
            storms.push((id, Storm::new(now)));
            storms.len() - 1
        });
        let masked = storms
            .get_mut(place)
            .is_some_and(|(_, storm)| storm.note(now));
        self.masked.set(self.masked.get() + usize::from(masked));
        masked
    }

    /// Unmasks the sources whose rest is over.
    fn unmask(&self) {
        if self.masked.get() == 0 {
            return;
        }
        let now = self.clock.now();
        for (id, storm) in self.storms.borrow_mut().iter_mut() {
            if storm.take_end(now) {
                self.masked.set(self.masked.get() - 1);
                self.set_enabled(*id, true);
            }
        }
    }

    /// Masks or unmasks a source. One that cannot be masked is only counted.
    fn set_enabled(&self, id: IntId, enabled: bool) {
        if id.raw_value() >= its::FIRST_LPI {
            if let Some(messages) = self.messages.get() {
                let _ = messages.set_enabled(id.raw_value(), enabled);
            }
        } else if enabled {
            let _ = self.gic.enable(id);
        } else {
            let _ = self.gic.disable(id);
        }
    }

    /// Whether the devices have to be polled, because a source is masked.
    pub fn is_masked(&self) -> bool {
        self.masked.get() != 0
    }

    /// Notes that a device had done something and nobody said so. If messages never come, they are
    /// sent to the other address that the doorbell has, and if that does not help the wires are used.
    pub fn note_missed(&self) {
        let Some(messages) = self.messages.get() else {
            return;
        };
        let mut doubt = self.doubt.get();
        let remedy = doubt.note_missed(self.taken.get().messages);
        self.doubt.set(doubt);
        let attached = self.attached.borrow();
        let senders = attached.iter().filter(|a| a.device.uses_messages());
        match remedy {
            None => {}
            Some(Remedy::Alias) => {
                log::warn!("interrupts: no message came so far; sending them to the shared alias");
                senders.for_each(|a| a.device.use_messages(&messages.of(&a.lpis, true)));
            }
            Some(Remedy::Wires) => {
                log::warn!("interrupts: no message came at all; the wires are used");
                for attached in senders {
                    attached.device.give_messages_up();
                    self.connect_wire(attached);
                }
            }
        }
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
