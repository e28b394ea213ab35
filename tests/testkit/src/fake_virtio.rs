//! Virtio devices in small: registers, queues, and a switch for each lie.
//!
//! A device works on the very memory that the driver lends, through addresses that the driver wrote
//! into descriptors. An address that is not shared is a fault, and is counted; so is a run without a byte.

pub mod balloon;
mod block;
pub mod console;
mod lies;
mod net;
mod ninep;
mod plug;
mod ring;
mod rng;
mod vectors;
pub mod vsock;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

pub use balloon::FakeBalloon;
pub use block::FakeBlock;
pub use console::{FakeConsole, FakePort};
pub use lies::{Lies, Used};
pub use net::FakeNet;
pub use ninep::{AnswerLie, FakeNineP};
pub use plug::{Style, plug};
pub use ring::{Chain, Ring};
pub use rng::FakeRng;
pub use vsock::FakeVsock;

use self::vectors::Vectors;
use crate::fake_pci::BarModel;
use crate::shared_memory::SharedMemory;

/// Offsets of the four parts in the BAR, by style.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Map {
    pub(crate) bar: u8,
    pub(crate) common: u64,
    pub(crate) notify: u64,
    pub(crate) isr: u64,
    pub(crate) device: u64,
    pub(crate) end: u64,
    pub(crate) multiplier: u32,
}

/// Feature bits that every device here offers.
pub mod feature {
    /// EVENT_IDX.
    pub const EVENT_IDX: u64 = 1 << 29;
    /// INDIRECT_DESC, which our driver does not use.
    pub const INDIRECT: u64 = 1 << 28;
    /// VERSION_1.
    pub const VERSION_1: u64 = 1 << 32;
    /// ACCESS_PLATFORM.
    pub const ACCESS_PLATFORM: u64 = 1 << 33;
    /// RING_PACKED, which our driver does not use.
    pub const PACKED: u64 = 1 << 34;
}

/// What makes a device a network card or a disk.
pub trait Personality {
    /// Device type: 1 network, 2 block, 3 console, 4 rng, 5 balloon, 9 9p, 19 socket.
    fn kind(&self) -> u16;
    /// PCI class.
    fn class(&self) -> u32;
    /// Features of the type.
    fn features(&self) -> u64;
    /// Queues.
    fn queues(&self) -> usize;
    /// A byte of the device configuration. `ready` is whether FEATURES_OK is set.
    fn config(&self, at: u64, ready: bool) -> u8;
    /// A word that the driver writes into the device configuration.
    fn write_config(&mut self, _at: u64, _word: u32) {}
    /// Looks at queue `index` and completes what can be completed.
    fn process(&mut self, index: usize, ring: &mut Ring<'_>);
}

/// What the driver told of one queue, and where the device is in it.
#[derive(Clone, Copy, Debug, Default)]
pub struct QueueState {
    /// Entries.
    pub size: u16,
    /// Whether the driver started it.
    pub enabled: bool,
    /// Address of the descriptors.
    pub descriptors: u64,
    /// Address of the available ring.
    pub available: u64,
    /// Address of the used ring.
    pub used: u64,
    pub(crate) seen: u16,
    pub(crate) done: u16,
}

#[derive(Default)]
struct Registers {
    status: u8,
    offered_select: u32,
    accepted_select: u32,
    accepted: [u32; 2],
    queue: u16,
    isr: u8,
    generation: u8,
}

/// A virtio device behind a BAR.
pub struct FakeVirtio {
    map: Map,
    style: Style,
    memory: SharedMemory,
    personality: Rc<RefCell<dyn Personality>>,
    registers: RefCell<Registers>,
    queues: RefCell<Vec<QueueState>>,
    queue_size: u16,
    lies: RefCell<Lies>,
    paused: Cell<bool>,
    doorbells: Cell<u64>,
    interrupts: Cell<u64>,
    faults: Cell<u64>,
    resets: Cell<u64>,
    vectors: Vectors,
}

impl FakeVirtio {
    pub(crate) fn new(
        style: Style,
        map: Map,
        memory: SharedMemory,
        queue_size: u16,
        personality: Rc<RefCell<dyn Personality>>,
    ) -> Self {
        let count = personality.borrow().queues();
        let device = Self {
            map,
            style,
            memory,
            personality,
            registers: RefCell::default(),
            queues: RefCell::new(vec![QueueState::default(); count]),
            queue_size,
            lies: RefCell::default(),
            paused: Cell::new(false),
            doorbells: Cell::new(0),
            interrupts: Cell::new(0),
            faults: Cell::new(0),
            resets: Cell::new(0),
            vectors: Vectors::default(),
        };
        device.forget();
        device
    }

    /// Tells the device to lie. The switches stay until they are changed.
    pub fn lie(&self, change: impl FnOnce(&mut Lies)) {
        change(&mut self.lies.borrow_mut());
    }

    /// While paused, the device looks at nothing.
    pub fn pause(&self, paused: bool) {
        self.paused.set(paused);
    }

    /// Looks at all queues, doorbell or not.
    pub fn run(&self) {
        let count = self.queues.borrow().len();
        for index in 0..count {
            self.process(index);
        }
    }

    /// What the driver told of queue `index`.
    pub fn queue(&self, index: usize) -> QueueState {
        self.queues.borrow()[index]
    }

    /// How many queues it has.
    pub fn queues(&self) -> usize {
        self.queues.borrow().len()
    }

    /// The device status.
    pub fn status(&self) -> u8 {
        self.registers.borrow().status
    }

    /// Sets NEEDS_RESET and raises the configuration interrupt.
    pub fn needs_reset(&self) {
        self.registers.borrow_mut().status |= 0x40;
        self.announce_config();
    }

    /// Raises the configuration interrupt.
    pub fn announce_config(&self) {
        self.registers.borrow_mut().isr |= 2;
        self.vectors.send(0);
    }

    /// The vector that queue `index` sends by, if it was told one.
    pub fn vector(&self, index: usize) -> Option<u16> {
        Some(self.vectors.told(1 + index)).filter(|vector| *vector != vectors::NONE)
    }

    /// Messages so far: where they went, and what they said.
    pub fn messages(&self) -> Vec<(u64, u32)> {
        self.vectors.sent()
    }

    /// The features that the driver accepted.
    pub fn accepted(&self) -> u64 {
        let [low, high] = self.registers.borrow().accepted;
        u64::from(high) << 32 | u64::from(low)
    }

    /// Doorbells so far.
    pub fn doorbells(&self) -> u64 {
        self.doorbells.get()
    }

    /// Interrupts that the driver asked for so far.
    pub fn interrupts(&self) -> u64 {
        self.interrupts.get()
    }

    /// Uses of addresses that are not shared, and runs without a byte.
    pub fn faults(&self) -> u64 {
        self.faults.get()
    }

    /// Resets so far.
    pub fn resets(&self) -> u64 {
        self.resets.get()
    }

    /// The memory that the device works on.
    pub fn memory(&self) -> &SharedMemory {
        &self.memory
    }

    fn process(&self, index: usize) {
        let ready = self.status() & 4 != 0;
        let mut state = self.queue(index);
        if self.paused.get() || !ready || !state.enabled {
            return;
        }
        let event_idx = self.accepted() & feature::EVENT_IDX != 0;
        let mut lies = self.lies.borrow_mut();
        let mut ring = Ring::new(&self.memory, &mut state, &mut lies, event_idx);
        ring.accepted = self.accepted();
        self.personality.borrow_mut().process(index, &mut ring);
        let (interrupt, faults) = ring.finish();
        self.queues.borrow_mut()[index] = state;
        self.faults.set(self.faults.get() + faults);
        if interrupt {
            self.interrupts.set(self.interrupts.get() + 1);
            if !self.vectors.send(1 + index) {
                self.registers.borrow_mut().isr |= 1;
            }
        }
    }

    /// Forgets everything that a reset forgets.
    fn forget(&self) {
        *self.registers.borrow_mut() = Registers::default();
        self.vectors.forget(self.queues.borrow().len());
        self.queues.borrow_mut().fill(QueueState {
            size: self.queue_size,
            ..QueueState::default()
        });
    }

    fn offered(&self) -> u64 {
        let common = feature::EVENT_IDX | feature::INDIRECT;
        let modern = feature::VERSION_1 | feature::ACCESS_PLATFORM;
        common | modern | self.personality.borrow().features()
    }

    fn read_common(&self, at: u64) -> u32 {
        let registers = self.registers.borrow();
        let queues = self.queues.borrow();
        let queue = queues.get(usize::from(registers.queue));
        let queue = queue.copied().unwrap_or_default();
        match at {
            4 => {
                let shift = 32 * registers.offered_select.min(1);
                (self.offered() >> shift) as u32
            }
            16 => self.vectors.told(0).into(),
            18 => queues.len() as u32,
            20 => registers.status.into(),
            21 => registers.generation.into(),
            22 => registers.queue.into(),
            24 => queue.size.into(),
            26 => self.vectors.told(1 + usize::from(registers.queue)).into(),
            28 => queue.enabled.into(),
            30 => registers.queue.into(),
            _ => 0,
        }
    }

    fn write_common(&self, at: u64, value: u32) {
        if at == 20 {
            return self.write_status(value as u8);
        }
        let mut registers = self.registers.borrow_mut();
        let select = registers.accepted_select as usize;
        match at {
            0 => registers.offered_select = value,
            8 => registers.accepted_select = value,
            12 if select < 2 => registers.accepted[select] = value,
            16 => self.vectors.tell(0, value as u16),
            22 => registers.queue = value as u16,
            26 => self
                .vectors
                .tell(1 + usize::from(registers.queue), value as u16),
            _ => {
                let index = usize::from(registers.queue);
                if let Some(queue) = self.queues.borrow_mut().get_mut(index) {
                    self.write_queue(queue, at, value);
                }
            }
        }
    }

    fn write_queue(&self, queue: &mut QueueState, at: u64, value: u32) {
        let half = |old: u64, high: bool| match high {
            false => old & !0xffff_ffff | u64::from(value),
            true => old & 0xffff_ffff | u64::from(value) << 32,
        };
        match at {
            24 if self.style != Style::Lkvm => queue.size = value as u16,
            28 => queue.enabled = value == 1,
            32 | 36 => queue.descriptors = half(queue.descriptors, at == 36),
            40 | 44 => queue.available = half(queue.available, at == 44),
            48 | 52 => queue.used = half(queue.used, at == 52),
            _ => {}
        }
    }

    fn write_status(&self, value: u8) {
        if value != 0 {
            self.registers.borrow_mut().status = value;
        } else if !self.lies.borrow().never_resets {
            self.resets.set(self.resets.get() + 1);
            self.forget();
        }
    }

    fn read_device(&self, at: u64, size: u8) -> u32 {
        let ready = self.status() & 8 != 0;
        let personality = self.personality.borrow();
        let byte = |i: u8| u32::from(personality.config(at + u64::from(i), ready)) << (8 * i);
        (0..size).map(byte).sum()
    }

    fn ring_doorbell(&self, value: u32) {
        self.doorbells.set(self.doorbells.get() + 1);
        if !self.lies.borrow_mut().hears() {
            return;
        }
        let count = self.queues.borrow().len();
        if (value as usize) < count {
            self.process(value as usize);
        }
    }
}

impl BarModel for FakeVirtio {
    fn read(&self, bar: u8, at: u64, size: u8) -> u32 {
        let map = self.map;
        if bar != map.bar {
            return self.vectors.read(at);
        }
        if (map.common..map.common + 56).contains(&at) {
            let honest = self.read_common(at - map.common);
            let mut lies = self.lies.borrow_mut();
            return lies.register(at - map.common, honest);
        }
        if at == map.isr {
            return std::mem::take(&mut self.registers.borrow_mut().isr).into();
        }
        if (map.device..map.end).contains(&at) {
            return self.read_device(at - map.device, size);
        }
        0
    }

    fn write(&self, bar: u8, at: u64, size: u8, value: u32) {
        let map = self.map;
        if bar != map.bar {
            return self.vectors.write(at, value);
        }
        let queues = self.queues.borrow().len() as u64;
        let doorbells = map.notify..map.notify + u64::from(map.multiplier) * (queues - 1) + 2;
        if (map.common..map.common + 56).contains(&at) {
            self.write_common(at - map.common, value);
        } else if size == 4 && (map.device..map.end).contains(&at) {
            let mut personality = self.personality.borrow_mut();
            personality.write_config(at - map.device, value);
        } else if doorbells.contains(&at) {
            if size != 2 && self.lies.borrow().misplaced {
                return;
            }
            assert_eq!(size, 2, "a doorbell takes a halfword");
            self.ring_doorbell(value);
        }
    }
}
