//! The SMMU: a device reaches shared pages and the page that raises interrupts, and nothing else.
//!
//! A shared page stands at the address with the shared bit, without it, or both, as the options say;
//! the page behind it is the same. A device that the realm trusts sees private pages instead, and
//! while it is locked and not yet enabled, nothing.
//!
//! Ref: Arm IHI 0070 F.b, chapters 3 to 6.

mod event;
mod memory;
mod tree;

pub use self::event::Event;
pub use self::memory::Memory;
use self::memory::{COMMANDS_LOG2, EVENTS_LOG2, STREAMS_LOG2};
use crate::layout::Space;
use crate::machine::{Abort, Machine};
use crate::options::{Dma, Options, Smmu as Use};
use crate::stage2::address_of;
use crate::syndrome::Width;

const BASE: u64 = 0x0905_0000;
const CR0: u64 = 0x20;
const CR0ACK: u64 = 0x24;
const CR1: u64 = 0x28;
const CR2: u64 = 0x2c;
const IRQ_CTRL: u64 = 0x50;
const GERROR: u64 = 0x60;
const GERRORN: u64 = 0x64;
const STRTAB_BASE: u64 = 0x80;
const STRTAB_BASE_CFG: u64 = 0x88;
const CMDQ_BASE: u64 = 0x90;
const CMDQ_PROD: u64 = 0x98;
const CMDQ_CONS: u64 = 0x9c;
const EVENTQ_BASE: u64 = 0xa0;
const EVENTQ_PROD: u64 = 0x1_00a8;
const EVENTQ_CONS: u64 = 0x1_00ac;

/// Tables and queues are inner shareable, write-back memory.
const CR1_CACHEABLE: u64 = 0xd75;
/// Records an event for a stream that does not exist.
const CR2_RECORD: u64 = 2;
const ENABLE_COMMANDS: u64 = 8;
const ENABLE_EVENTS: u64 = 4;
const ENABLE: u64 = 1;

const CFGI_ALL: [u64; 2] = [4, 31];
const TLBI_NSNH_ALL: [u64; 2] = [0x30, 0];
const SYNC: [u64; 2] = [0x46, 0];

/// How often a register is asked again before the SMMU counts as broken. QEMU answers at once.
const PATIENCE: usize = 100_000;

/// What a device sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// What the realm shares, but for pools, as an untrusted device does.
    Shared,
    /// What is the realm's own.
    Private,
    /// Nothing.
    Nothing,
    /// What the realm shares of the pool with this number.
    Pool(usize),
}

/// The SMMU of the machine.
pub struct Smmu {
    memory: &'static Memory,
    /// Whether devices are translated at all.
    on: bool,
    producer: u64,
    consumer: u64,
}

impl Smmu {
    /// Prepares the tables in `memory`; no page is mapped but the one that raises interrupts.
    #[must_use]
    pub fn new(memory: &'static Memory, space: Space, options: &Options) -> Self {
        let (low, high) = match (options.smmu, options.dma) {
            (Use::LowOnly, _) | (Use::On | Use::Off, Dma::Low) => (true, false),
            (_, Dma::High) => (false, true),
            (_, Dma::Both) => (true, true),
        };
        memory.link(space, low, high);
        Self {
            memory,
            on: options.smmu != Use::Off,
            producer: 0,
            consumer: 0,
        }
    }

    /// Starts translation.
    ///
    /// # Errors
    ///
    /// [`Abort`], if the SMMU does not do what it was told.
    pub fn start<M: Machine>(&mut self, machine: &M) -> Result<(), Abort> {
        if !self.on {
            return Ok(());
        }
        let memory = self.memory;
        let word = |register, value| machine.store(BASE + register, Width::Word, value);
        let double = |register, value| machine.store(BASE + register, Width::Double, value);
        word(CR1, CR1_CACHEABLE)?;
        word(CR2, CR2_RECORD)?;
        word(IRQ_CTRL, 0)?;
        double(STRTAB_BASE, address_of(&memory.streams))?;
        word(STRTAB_BASE_CFG, STREAMS_LOG2)?;
        double(CMDQ_BASE, address_of(&memory.commands) | COMMANDS_LOG2)?;
        word(CMDQ_PROD, 0)?;
        word(CMDQ_CONS, 0)?;
        double(EVENTQ_BASE, address_of(&memory.events) | EVENTS_LOG2)?;
        word(EVENTQ_PROD, 0)?;
        word(EVENTQ_CONS, 0)?;
        machine.barrier();
        enable(machine, ENABLE_COMMANDS)?;
        self.command(machine, CFGI_ALL)?;
        self.forget(machine)?;
        enable(machine, ENABLE_COMMANDS | ENABLE_EVENTS)?;
        enable(machine, ENABLE_COMMANDS | ENABLE_EVENTS | ENABLE)
    }

    /// Lets devices of `view` reach granule number `granule`.
    pub fn map(&self, view: View, granule: usize) {
        match view {
            View::Shared => self.memory.shared.map(granule),
            View::Private => self.memory.private.map(granule),
            View::Nothing => {}
            View::Pool(number) => self.memory.in_pool(number, |pool| pool.map(granule)),
        }
    }

    /// Closes granule number `granule` for devices of `view`; [`Smmu::forget`] has to follow.
    pub fn unmap(&self, view: View, granule: usize) {
        match view {
            View::Shared => self.memory.shared.unmap(granule),
            View::Private => self.memory.private.unmap(granule),
            View::Nothing => {}
            View::Pool(number) => self.memory.in_pool(number, |pool| pool.unmap(granule)),
        }
    }

    /// Has `stream` see `view` and nothing else, before [`Smmu::start`].
    pub fn bind(&self, stream: u32, view: View) {
        self.memory.show(stream, view);
    }

    /// Has `stream` see `view` and nothing else.
    ///
    /// # Errors
    ///
    /// [`Abort`], if the SMMU does not finish.
    pub fn show<M: Machine>(&mut self, machine: &M, stream: u32, view: View) -> Result<(), Abort> {
        self.memory.show(stream, view);
        machine.barrier();
        if self.on {
            self.command(machine, CFGI_ALL)?;
        }
        self.forget(machine)
    }

    /// Forgets all translations that the SMMU remembers, and waits until it is done.
    ///
    /// # Errors
    ///
    /// [`Abort`], if the SMMU does not finish.
    pub fn forget<M: Machine>(&mut self, machine: &M) -> Result<(), Abort> {
        if !self.on {
            return Ok(());
        }
        self.command(machine, TLBI_NSNH_ALL)?;
        self.command(machine, SYNC)?;
        for _ in 0..PATIENCE {
            let mask = (2 << COMMANDS_LOG2) - 1;
            if machine.load(BASE + CMDQ_CONS, Width::Word)? & mask == self.producer {
                return Ok(());
            }
        }
        Err(Abort)
    }

    fn command<M: Machine>(&mut self, machine: &M, command: [u64; 2]) -> Result<(), Abort> {
        self.memory.put_command(self.producer, command);
        self.producer = (self.producer + 1) & ((2 << COMMANDS_LOG2) - 1);
        machine.barrier();
        machine.store(BASE + CMDQ_PROD, Width::Word, self.producer)
    }

    /// The next thing that the SMMU stopped, if there is one. Costs no device access when not.
    pub fn next_event<M: Machine>(&mut self, machine: &M) -> Option<Event> {
        let event = self.memory.take_event(self.consumer)?;
        self.consumer = (self.consumer + 1) & ((2 << EVENTS_LOG2) - 1);
        // A refused register write would leave the queue full; that is seen by `lost_events`.
        let _ = machine.store(BASE + EVENTQ_CONS, Width::Word, self.consumer);
        Some(event)
    }

    /// Whether the SMMU had more to say than its queue holds; asking clears it.
    pub fn lost_events<M: Machine>(&self, machine: &M) -> bool {
        let word = |register| machine.load(BASE + register, Width::Word).unwrap_or(0);
        let (raised, seen) = (word(GERROR), word(GERRORN));
        let lost = self.on && raised != seen;
        if lost {
            let _ = machine.store(BASE + GERRORN, Width::Word, raised);
        }
        lost
    }
}

fn enable<M: Machine>(machine: &M, bits: u64) -> Result<(), Abort> {
    machine.store(BASE + CR0, Width::Word, bits)?;
    for _ in 0..PATIENCE {
        if machine.load(BASE + CR0ACK, Width::Word)? == bits {
            return Ok(());
        }
    }
    Err(Abort)
}
