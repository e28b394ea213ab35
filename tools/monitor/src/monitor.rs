//! The monitor: one realm, its traps, and what it did.

mod boot;
mod calls;
mod device;
mod events;
mod faults;
mod lies;
mod measure;
mod messages;
mod mistime;
mod models;
mod oracle;
mod plan;
mod refusal;
mod rounds;
mod scribble;
mod storm;
mod tables;
mod trusted;
mod world;

use core::sync::atomic::AtomicU8;

use hostile::judge::Outcome;

pub use self::boot::Booted;
pub use self::plan::Plan;
pub use self::refusal::Refusal;
use self::rounds::Rounds;
use crate::attack::Attack;
use crate::counters::Counters;
use crate::functions::Functions;
use crate::gic::Tables as GicTables;
use crate::layout::{GUEST_ENTRY, GUEST_TREE, GuestMemory, MAX_GRANULES, Space};
use crate::machine::Machine;
use crate::options::{Options, Pools};
use crate::oracle::Oracle;
use crate::regions::Regions;
use crate::report::Report;
use crate::rsi::Realm;
use crate::smmu::{self, Smmu, View};
use crate::stage2::{Stage2, Tables};
use crate::syndrome::Trap;
use crate::violation::{Violation, Violations};
use crate::virtio::Fence;

/// The registers of the guest at a trap, as the vector saves them.
#[derive(Clone, Debug, Default)]
#[repr(C)]
pub struct Frame {
    /// `x0` to `x30`.
    pub x: [u64; 31],
    /// `ELR_EL2`: where the guest goes on.
    pub pc: u64,
    /// `SPSR_EL2`.
    pub pstate: u64,
    /// `ESR_EL2`.
    pub esr: u64,
    /// `FAR_EL2`.
    pub far: u64,
    /// `HPFAR_EL2`.
    pub hpfar: u64,
}

/// What a processor does when its trap is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Back to the guest.
    Resume,
    /// Wait for an interrupt first.
    Wait,
    /// Start the guest anew: [`Monitor::start`] says where.
    Restart,
    /// Switch the processor off.
    CpuOff,
    /// Switch the machine off.
    SystemOff,
}

/// Memory for everything that the machine or the monitor looks up by address.
pub struct Storage {
    /// Tables of stage 2.
    pub stage2: Tables,
    /// Tables and queues of the SMMU.
    pub smmu: smmu::Memory,
    /// State of each granule.
    pub states: [AtomicU8; MAX_GRANULES],
}

impl Storage {
    /// Empty.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            stage2: Tables::new(),
            smmu: smmu::Memory::new(),
            states: [const { AtomicU8::new(0) }; MAX_GRANULES],
        }
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self::new()
    }
}

/// The most processors of a guest.
pub const MAX_CPUS: usize = 8;

/// Where a processor starts: address and context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// First instruction.
    pub entry: u64,
    /// Value of `x0`.
    pub context: u64,
}

/// Where the first processor starts.
pub const FIRST: Start = Start {
    entry: GUEST_ENTRY,
    context: GUEST_TREE,
};

/// One realm and everything that watches it.
pub struct Monitor<M> {
    machine: M,
    options: Options,
    space: Space,
    memory: GuestMemory,
    regions: Regions,
    stage2: Stage2,
    smmu: Smmu,
    pools: Pools,
    fence: Fence,
    tables: GicTables,
    realm: Realm<'static>,
    counters: Counters,
    functions: Functions,
    violations: Violations,
    attack: Attack,
    oracle: Option<Oracle>,
    rounds: Rounds,
    starts: [Start; MAX_CPUS],
    /// Interrupts that `monitor.storm=` raised.
    stormed: u64,
    /// The guest has begun a line on the console and not ended it.
    in_line: bool,
    /// What the device that the realm may trust sees, and whether it ever saw private memory.
    view: View,
    was_private: bool,
}

impl<M: Machine> Monitor<M> {
    /// Handles one trap of the guest.
    pub fn trap(&mut self, frame: &mut Frame) -> Next {
        self.rounds.note(frame.pc);
        self.rounds.note_trap();
        self.look();
        let next = self.handle(frame);
        self.drain_events();
        self.disturb();
        match next {
            Next::SystemOff => self.end_round(None),
            _ if self.is_beyond_budget() => self.end_round(Some(Outcome::Hang)),
            next => next,
        }
    }

    fn handle(&mut self, frame: &mut Frame) -> Next {
        match Trap::of(frame.esr) {
            Trap::Smc => return self.call(frame),
            Trap::Hvc => self.hvc(frame),
            Trap::Fetch => self.fetch(frame),
            Trap::Data => self.data(frame),
            Trap::Other(_) => {
                self.violation(Violation::Trapped {
                    esr: frame.esr,
                    pc: frame.pc,
                });
                self.inject_undefined(frame);
            }
        }
        Next::Resume
    }

    /// Where processor `index` was told to start.
    #[must_use]
    pub fn start(&self, index: usize) -> Start {
        self.starts.get(index).copied().unwrap_or_default()
    }

    /// Whether the timer of the monitor interrupts the guest.
    #[must_use]
    pub fn is_ticking(&self) -> bool {
        self.options.attack.tick != 0
    }

    /// The values for `VTCR_EL2` and `VTTBR_EL2`.
    #[must_use]
    pub fn stage2_registers(&self) -> (u64, u64) {
        const VMID: u64 = 1 << 48;
        (
            crate::stage2::control(self.space),
            self.stage2.root() | VMID,
        )
    }

    /// The machine under the monitor.
    pub fn machine(&self) -> &M {
        &self.machine
    }

    /// Tells everything, once the guest is done.
    pub fn report(&mut self) {
        self.final_events();
        self.finish_oracle();
        self.end_line();
        let shared = self.realm.granules.shared();
        let rim = self.realm.measurements.initial();
        let report = Report {
            counters: &self.counters,
            functions: &self.functions,
            violations: &self.violations,
            shared,
            rim,
        };
        self.machine.print(format_args!("report: {report}"));
        if self.stormed != 0 {
            let stormed = self.stormed;
            self.machine.print(format_args!(
                "monitor: raised {stormed} interrupts of nobody"
            ));
        }
    }

    /// Ends the line that the guest has begun, so that ours stands alone.
    fn end_line(&mut self) {
        if core::mem::take(&mut self.in_line) {
            self.machine.print(format_args!(""));
        }
    }

    fn violation(&mut self, violation: Violation) {
        if self.violations.add(violation) && self.rounds.shows() {
            self.end_line();
            self.machine
                .print(format_args!("monitor: violation: {violation}"));
        }
    }
}

#[cfg(test)]
mod tests;
