//! A virtio function: registers, queues, and the device behind them.
//!
//! Ref: virtio 1.2, 4.1.4.3 "Common configuration structure layout".

use alloc::vec::Vec;

use crate::card::{self, Card};
use crate::config::{self, Config};
use crate::disk::{self, Disk};
use crate::liar::Liar;
use crate::memory::{Memory, Unreachable, scatter};
use crate::place::{Part, Point};
use crate::ports::{self, Ports};
use crate::queue::{Chain, Queue, SIZE, Voice};
use crate::random::Random;
use crate::vectors::{Due, Message, Vectors};

/// EVENT_IDX, VERSION_1 and ACCESS_PLATFORM.
const COMMON_FEATURES: u64 = 1 << 29 | 1 << 32 | 1 << 33;
const EVENT_INDEX: u64 = 1 << 29;
const FEATURES_OK: u64 = 8;
const NEEDS_RESET: u64 = 0x40;
/// Offset of the device status.
const STATUS: u64 = config::COMMON + 20;
/// Offset of the generation of the device configuration.
const GENERATION: u64 = config::COMMON + 21;
/// Requests that are served at one doorbell; a driver that wants more rings again.
const BATCH: usize = 256;

/// What is behind the registers.
#[derive(Clone, Debug)]
enum Device {
    Card(Card),
    Disk(Disk),
    Entropy(Random),
    Ports(Ports),
}

impl Device {
    fn new(part: Part, unit: u8) -> Self {
        match part {
            Part::Card => Self::Card(Card::default()),
            Part::Entropy => Self::Entropy(Random::new(unit.into())),
            Part::Ports => Self::Ports(Ports::default()),
            _ => Self::Disk(Disk::new(unit)),
        }
    }

    /// Type of the device, its features, and how many queues it has.
    ///
    /// Ref: virtio 1.2, 5 "Device Types".
    fn nature(&self) -> (u16, u64, u16) {
        match self {
            Self::Card(_) => (1, card::MAC | card::MERGEABLE | card::OFFLOADS, 2),
            Self::Disk(_) => (2, disk::FLUSH, 1),
            Self::Entropy(_) => (4, 0, 1),
            Self::Ports(_) => (3, ports::MULTIPORT, ports::QUEUES),
        }
    }

    fn config(&self) -> [u8; 8] {
        match self {
            Self::Card(_) => Card::config(),
            Self::Disk(_) => Disk::config(),
            Self::Entropy(_) => [0; 8],
            Self::Ports(_) => Ports::config(),
        }
    }
}

/// The registers that the driver sets.
#[derive(Clone, Debug, Default)]
struct Registers {
    device_select: u64,
    driver_select: u64,
    accepted: u64,
    status: u64,
    queue: u16,
    isr: u64,
    generation: u64,
    /// How often the generation still changes by itself.
    restless: u64,
    /// The status that it has for good.
    stuck: Option<u64>,
}

/// A function of the bus.
#[derive(Clone, Debug)]
pub struct Function {
    part: Part,
    unit: u8,
    /// Its configuration space.
    pub config: Config,
    device: Device,
    registers: Registers,
    queues: Vec<Queue>,
    vectors: Vectors,
    /// Features of a ring that it does not offer, as an old device does not.
    lacks: u64,
}

/// How a function interrupts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Raise {
    /// By its wire.
    Wire,
    /// By these messages.
    Messages(Vec<Message>),
}

impl Function {
    /// Number `unit` of its kind.
    #[must_use]
    pub fn new(part: Part, unit: u8) -> Self {
        let device = Device::new(part, unit);
        let (kind, _, queues) = device.nature();
        Self {
            part,
            unit,
            config: Config::new(kind),
            queues: alloc::vec![Queue::default(); queues.into()],
            vectors: Vectors::new(queues.into()),
            device,
            registers: Registers::default(),
            lacks: 0,
        }
    }

    /// The same without EVENT_IDX and without messages.
    #[must_use]
    pub fn lean(mut self) -> Self {
        self.lacks = EVENT_INDEX;
        self.config.lose_messages();
        self
    }

    /// Who speaks here.
    #[must_use]
    pub const fn voice(&self) -> Voice {
        Voice {
            part: self.part,
            unit: self.unit,
            event_index: self.registers.accepted & EVENT_INDEX != 0,
        }
    }

    /// Where the rings of its queues are, and how long.
    pub fn rings(&self) -> impl Iterator<Item = (u64, u64)> {
        let enabled = self.queues.iter().filter(|queue| queue.enabled);
        enabled.flat_map(|queue| {
            let size = u64::from(queue.size);
            [
                (queue.descriptors, size * 16),
                (queue.available, size * 2 + 6),
                (queue.used, size * 8 + 6),
            ]
        })
    }

    fn offered(&self) -> u64 {
        (COMMON_FEATURES | self.device.nature().1) & !self.lacks
    }

    fn selected(&self) -> Option<&Queue> {
        self.queues.get(usize::from(self.registers.queue))
    }

    /// Reads `bytes` bytes at `offset` of the BAR.
    pub fn read(&mut self, offset: u64, bytes: u32, liar: &mut Liar) -> u64 {
        let (point, truth) = match offset {
            STATUS => (Point::Status, self.status(liar)),
            GENERATION => (Point::Generation, self.generation(liar)),
            config::COMMON..config::ISR => self.common(offset),
            config::ISR..config::DEVICE => (Point::Isr, core::mem::take(&mut self.registers.isr)),
            config::DEVICE..config::NOTIFY => {
                let at = usize::try_from(offset - config::DEVICE).unwrap_or(usize::MAX);
                let found = self.device.config();
                let found = found.iter().skip(at).take(bytes as usize).rev();
                let value = found.fold(0, |value, byte| value << 8 | u64::from(*byte));
                (Point::Config, value)
            }
            config::TABLE..config::PENDING => (
                Point::Register,
                self.vectors.read(offset - config::TABLE, bytes),
            ),
            _ => (Point::Register, 0),
        };
        liar.say(self.voice().place(point), truth, 8 * bytes)
    }

    /// The device status, which need not follow what the driver writes.
    fn status(&mut self, liar: &mut Liar) -> u64 {
        let place = self.voice().place(Point::Stuck);
        let registers = &mut self.registers;
        if let Some(value) = liar.misbehave(place) {
            registers.stuck = Some(value & 0xff);
        }
        registers.stuck.unwrap_or(registers.status)
    }

    /// The generation of the device configuration, which need not settle.
    fn generation(&mut self, liar: &mut Liar) -> u64 {
        let place = self.voice().place(Point::Restless);
        let registers = &mut self.registers;
        if let Some(value) = liar.misbehave(place) {
            registers.restless = 2 << (value % 40);
        }
        if let Some(left) = registers.restless.checked_sub(1) {
            registers.restless = left;
            registers.generation = registers.generation.wrapping_add(1) & 0xff;
        }
        registers.generation
    }

    fn common(&self, offset: u64) -> (Point, u64) {
        let half = |value: u64, select: u64| match select {
            0 => value & 0xffff_ffff,
            1 => value >> 32,
            _ => 0,
        };
        let registers = &self.registers;
        let queue = self.selected();
        match offset {
            0 => (Point::Register, registers.device_select),
            4 => (
                Point::Features,
                half(self.offered(), registers.device_select),
            ),
            8 => (Point::Register, registers.driver_select),
            12 => (
                Point::Register,
                half(registers.accepted, registers.driver_select),
            ),
            16 => (Point::VectorRegister, self.vectors.vector(None)),
            18 => (Point::Queues, self.queues.len() as u64),
            22 => (Point::Register, registers.queue.into()),
            24 => (Point::QueueSize, queue.map_or(0, |queue| queue.size.into())),
            26 => {
                let queue = usize::from(registers.queue);
                (Point::VectorRegister, self.vectors.vector(Some(queue)))
            }
            28 => (
                Point::QueueEnable,
                queue.map_or(0, |queue| queue.enabled.into()),
            ),
            30 => (Point::NotifyOffset, registers.queue.into()),
            _ => (Point::Register, 0),
        }
    }

    /// Writes `value` at `offset` of the BAR; gives the queue whose doorbell was rung.
    pub fn write(&mut self, offset: u64, bytes: u32, value: u64) -> Option<usize> {
        match offset {
            config::TABLE.. => {
                self.vectors.write(offset - config::TABLE, bytes, value);
                return None;
            }
            config::NOTIFY.. => return usize::try_from((offset - config::NOTIFY) / 4).ok(),
            _ => {}
        }
        let registers = &mut self.registers;
        match (offset, bytes) {
            (0, 4) => registers.device_select = value,
            (8, 4) => registers.driver_select = value,
            (12, 4) => accept(registers, value),
            (16, 2) => self.vectors.choose(None, value),
            (26, 2) => {
                let queue = usize::from(registers.queue);
                self.vectors.choose(Some(queue), value);
            }
            (20, 1) => self.set_status(value),
            (22, 2) => registers.queue = u16::try_from(value).unwrap_or(u16::MAX),
            _ => self.write_queue(offset, value),
        }
        None
    }

    fn set_status(&mut self, value: u64) {
        if value == 0 {
            let (config, mut vectors) = (self.config.clone(), self.vectors.clone());
            vectors.reset();
            let registers = Registers {
                stuck: self.registers.stuck,
                ..Registers::default()
            };
            *self = Self {
                config,
                vectors,
                registers,
                device: self.device.clone(),
                lacks: self.lacks,
                ..Self::new(self.part, self.unit)
            };
            return;
        }
        let refused = self.registers.accepted & !self.offered() != 0;
        let ok = if refused { value & !FEATURES_OK } else { value };
        self.registers.status = ok | self.registers.status & NEEDS_RESET;
    }

    fn write_queue(&mut self, offset: u64, value: u64) {
        let number = usize::from(self.registers.queue);
        let Some(queue) = self.queues.get_mut(number) else {
            return;
        };
        let low = |old: u64| old & !0xffff_ffff | value;
        let high = |old: u64| old & 0xffff_ffff | value << 32;
        match offset {
            24 => queue.size = u16::try_from(value).unwrap_or(0).min(SIZE),
            28 => queue.enabled = value == 1,
            32 => queue.descriptors = low(queue.descriptors),
            36 => queue.descriptors = high(queue.descriptors),
            40 => queue.available = low(queue.available),
            44 => queue.available = high(queue.available),
            48 => queue.used = low(queue.used),
            52 => queue.used = high(queue.used),
            _ => {}
        }
    }

    /// Serves what is in the queues; says how it interrupts, if that is due.
    pub fn serve(&mut self, memory: &mut impl Memory, liar: &mut Liar) -> Option<Raise> {
        let due = self.serve_all(memory, liar).unwrap_or_else(|Unreachable| {
            // As a device does that was told nonsense: it wants to be reset, and says so.
            self.registers.status |= NEEDS_RESET;
            Due {
                queues: 0,
                config: true,
            }
        });
        if !due.any() {
            return None;
        }
        if self.config.sends_messages() {
            let voice = self.voice();
            return Some(Raise::Messages(self.vectors.messages(due, liar, voice)));
        }
        self.registers.isr |= u64::from(due.queues != 0) | u64::from(due.config) << 1;
        Some(Raise::Wire)
    }

    fn serve_all(&mut self, memory: &mut impl Memory, liar: &mut Liar) -> Result<Due, Unreachable> {
        let voice = self.voice();
        match &mut self.device {
            Device::Card(card) => card.serve(&mut self.queues, memory, liar, voice),
            Device::Ports(ports) => ports.serve(&mut self.queues, memory, liar, voice),
            Device::Disk(disk) => {
                one_by_one(&mut self.queues, memory, liar, voice, |m, l, chain| {
                    disk.serve(m, l, voice, chain)
                })
            }
            Device::Entropy(random) => {
                one_by_one(&mut self.queues, memory, liar, voice, |m, l, chain| {
                    fill(random, m, l, voice, chain)
                })
            }
        }
    }
}

/// Serves the only queue, request by request, as `serve` does one; says which interrupts are due.
fn one_by_one<M: Memory>(
    queues: &mut [Queue],
    memory: &mut M,
    liar: &mut Liar,
    voice: Voice,
    mut serve: impl FnMut(&mut M, &mut Liar, &Chain) -> Result<u32, Unreachable>,
) -> Result<Due, Unreachable> {
    let mut due = Due::default();
    let Some(queue) = queues.first_mut() else {
        return Ok(due);
    };
    for _ in 0..BATCH {
        let Some(chain) = queue.take(memory)? else {
            break;
        };
        let written = serve(memory, liar, &chain)?;
        due.note(0, queue.give(memory, liar, voice, (chain.head, written))?);
    }
    queue.ask_for_doorbell(memory, liar, voice)?;
    Ok(due)
}

fn accept(registers: &mut Registers, value: u64) {
    match registers.driver_select {
        0 => registers.accepted = registers.accepted & !0xffff_ffff | value,
        1 => registers.accepted = registers.accepted & 0xffff_ffff | value << 32,
        _ => {}
    }
}

/// Random bytes, as many as there is room for, up to a page.
fn fill(
    random: &mut Random,
    memory: &mut impl Memory,
    liar: &mut Liar,
    voice: Voice,
    chain: &Chain,
) -> Result<u32, Unreachable> {
    let bytes: Vec<u8> = (0..chain.room().min(4096))
        .map(|_| random.next().to_le_bytes()[0])
        .collect();
    let bytes = disk::spoil(bytes, liar, voice);
    let written = scatter(memory, &chain.writable, &bytes)?;
    Ok(u32::try_from(written).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lean_device_offers_neither_event_indices_nor_messages_even_after_a_reset() {
        let mut liar = Liar::default();
        let mut disk = Function::new(Part::Disk, 0).lean();
        disk.write(STATUS, 1, 0);
        let features = disk.read(config::COMMON + 4, 4, &mut liar);
        assert_eq!(features & EVENT_INDEX, 0);
        let voice = disk.voice();
        let mut at = disk.config.read(0x34, 1, &mut liar, voice);
        while at != 0 {
            assert_eq!(disk.config.read(at, 1, &mut liar, voice), 9);
            at = disk.config.read(at + 1, 1, &mut liar, voice);
        }
    }

    #[test]
    fn a_status_that_is_stuck_stays_and_a_generation_that_is_restless_does_not() {
        let script = "disk.stuck@1=0x4f,disk.restless@1=1".parse();
        let mut liar = Liar::new(script.unwrap_or_default(), 9);
        let mut disk = Function::new(Part::Disk, 0);
        let mut status = |disk: &mut Function, value| {
            disk.write(STATUS, 1, value);
            disk.read(STATUS, 1, &mut liar)
        };
        assert_eq!(status(&mut disk, 1), 1);
        assert_eq!(status(&mut disk, 0), 0x4f);
        assert_eq!(status(&mut disk, 0), 0x4f);
        let said = [(); 7].map(|()| disk.read(GENERATION, 1, &mut liar));
        assert_eq!(said, [0, 1, 2, 3, 4, 4, 4]);
        assert_eq!(liar.told(), 2);
    }
}
