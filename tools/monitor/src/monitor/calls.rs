//! `smc`: the RSI, PSCI, and nothing else.

use hostile::Part;

use super::world::{Followed, Moves};
use super::{Frame, MAX_CPUS, Monitor, Next, Start};
use crate::machine::Machine;
use crate::psci::{self, Action};
use crate::rsi::{Command, NOT_SUPPORTED};
use crate::violation::Violation;

/// `SMCCC_VERSION`, and its answer 1.2.
const SMCCC_VERSION: u32 = 0x8000_0000;
const SMCCC_1_2: u64 = 0x1_0002;

/// Registers that a call of the RSI answers in, and lies in.
const RESULTS: usize = 4;

/// The number of a function of PSCI among its like.
const fn psci_number(function: u32) -> u8 {
    (function & 0x1f) as u8
}

impl<M: Machine> Monitor<M> {
    /// Answers a call; the guest goes on behind the instruction.
    pub(super) fn call(&mut self, frame: &mut Frame) -> Next {
        frame.pc = frame.pc.wrapping_add(4);
        // Only the lower half of x0 selects the function.
        let function = (frame.x[0] & 0xffff_ffff) as u32;
        if psci::is_psci(function) {
            return self.psci(frame, function);
        }
        if let Some(command) = Command::of(function).filter(|_| self.realm.has_rsi()) {
            self.rsi(frame, command);
            return Next::Resume;
        }
        if function == SMCCC_VERSION {
            frame.x[0] = SMCCC_1_2;
        } else {
            self.counters.unknown_calls = self.counters.unknown_calls.saturating_add(1);
            frame.x[0] = NOT_SUPPORTED;
        }
        Next::Resume
    }

    fn rsi(&mut self, frame: &mut Frame, command: Command) {
        self.counters.rsi_call(command);
        // Pages change halves here, and the host writes to none that is private.
        self.machine.end_race();
        let lied = (Part::Rmm, command as u8);
        if let Some(status) = self.refusal(Part::Rmm, command as u8) {
            frame.x[0] = status;
            return;
        }
        if command == Command::IpaStateSet {
            self.hinder();
        }
        let mut arguments = [0; 10];
        for (argument, value) in arguments.iter_mut().zip(frame.x.iter().skip(1)) {
            *argument = *value;
        }
        let mut moves = Moves {
            machine: &self.machine,
            memory: self.memory,
            options: &self.options,
            stage2: self.stage2,
            smmu: &mut self.smmu,
            pools: &self.pools,
            smmu_broken: false,
            taken: None,
            mapped: None,
            space: self.space,
            config: self.regions.config(),
            moved: &mut self.counters.granules_moved,
            followed: self.oracle.is_some().then(Followed::default),
        };
        let reply = self.realm.call(command, &arguments, &mut moves);
        let (broken, taken, mapped) = (moves.smmu_broken, moves.taken, moves.mapped);
        if let Some(followed) = moves.followed {
            self.follow_pages(&followed);
        }
        if broken {
            self.violation(Violation::SmmuBroken);
        }
        if let Some((address, alias)) = mapped {
            self.violation(Violation::StillMapped { address, alias });
        }
        if let Some(address) = taken.and_then(|range| self.tables.touched(&range)) {
            self.violation(Violation::TableTaken { address });
        }
        self.follow_device();
        for (register, value) in frame.x.iter_mut().zip(reply.registers()) {
            *register = *value;
        }
        self.twist_answer(frame, lied, RESULTS);
    }

    fn psci(&mut self, frame: &mut Frame, function: u32) -> Next {
        self.counters.psci = self.counters.psci.saturating_add(1);
        let number = psci_number(function);
        if let Some(status) = self.refusal(Part::Psci, number) {
            if function == psci::SYSTEM_OFF {
                self.note_off();
            }
            frame.x[0] = status;
            return Next::Resume;
        }
        let action = psci::decide(function, [frame.x[1], frame.x[2], frame.x[3]]);
        if !matches!(action, Action::Answer(_)) {
            self.counters.exits = self.counters.exits.saturating_add(1);
        }
        frame.x[0] = psci::SUCCESS;
        match action {
            Action::Answer(value) => frame.x[0] = value,
            Action::CpuOn {
                mpidr,
                entry,
                context,
            } => {
                frame.x[0] = self.cpu_on(mpidr, Start { entry, context });
            }
            Action::AffinityInfo { mpidr, level } => {
                frame.x[0] = self.machine.psci(psci::AFFINITY_INFO, [mpidr, level, 0]);
            }
            Action::Suspend => return Next::Wait,
            Action::CpuOff => return Next::CpuOff,
            Action::SystemOff | Action::SystemReset => return Next::SystemOff,
        }
        self.twist_answer(frame, (Part::Psci, number), 1);
        Next::Resume
    }

    /// QEMU numbers its processors by affinity: up to eight of them in level 0.
    fn cpu_on(&mut self, mpidr: u64, start: Start) -> u64 {
        if !self.is_private(start.entry) {
            return psci::INVALID_ADDRESS;
        }
        let index = usize::try_from(mpidr)
            .ok()
            .filter(|&index| index < MAX_CPUS);
        let Some(slot) = index.and_then(|index| self.starts.get_mut(index)) else {
            return psci::INVALID_PARAMETERS;
        };
        let before = core::mem::replace(slot, start);
        let status = self.machine.start_cpu(mpidr, mpidr);
        if status != psci::SUCCESS {
            // A processor that runs already does not start anew, and its start must stay as it is.
            if let Some(slot) = index.and_then(|index| self.starts.get_mut(index)) {
                *slot = before;
            }
        }
        status
    }
}
