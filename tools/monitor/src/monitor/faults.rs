//! Accesses that stage 2 stopped, and the exceptions that the guest gets for them.

use super::{Frame, Monitor};
use crate::granules::Ripas;
use crate::inject::{self, Injection};
use crate::layout::Half;
use crate::machine::Machine;
use crate::syndrome;
use crate::violation::Violation;

impl<M: Machine> Monitor<M> {
    /// `hvc` does not exist in a realm.
    pub(super) fn hvc(&mut self, frame: &mut Frame) {
        self.counters.hvc = self.counters.hvc.saturating_add(1);
        self.inject_undefined(frame);
    }

    /// An instruction was fetched from where there is none.
    pub(super) fn fetch(&mut self, frame: &mut Frame) {
        let address = syndrome::fault_address(frame.hpfar, frame.far);
        let violation = match self.space.half(address) {
            Half::Shared(address) => Violation::SharedFetch { address },
            Half::Protected(address) => Violation::NotRam {
                address,
                pc: frame.pc,
            },
            Half::Outside => Violation::BeyondWidth {
                address,
                pc: frame.pc,
            },
        };
        self.refuse(frame, violation);
    }

    /// A load, a store, or a walk of the guest's tables went where there is nothing.
    pub(super) fn data(&mut self, frame: &mut Frame) {
        let address = syndrome::fault_address(frame.hpfar, frame.far);
        let pc = frame.pc;
        match self.space.half(address) {
            Half::Outside => self.refuse(frame, Violation::BeyondWidth { address, pc }),
            Half::Protected(address) => self.protected(frame, address),
            Half::Shared(address) if self.memory.contains(address) => {
                self.refuse(frame, Violation::Alias { address, pc });
            }
            Half::Shared(address) if self.is_held(address) => {
                self.refuse(frame, Violation::HeldDevice { address, pc });
            }
            Half::Shared(address) => self.device(frame, address),
        }
    }

    fn protected(&mut self, frame: &mut Frame, address: u64) {
        let pc = frame.pc;
        if self.is_device(address) {
            self.device(frame, address);
        } else if self.was_device(address) {
            // Whoever does this was lied to by the host.
            self.abort(frame);
        } else if self.memory.contains(address) || self.regions.find(address).is_none() {
            self.refuse(frame, Violation::NotRam { address, pc });
        } else if self.options.enforce {
            self.refuse(frame, Violation::PrivateDevice { address, pc });
        } else {
            self.device(frame, address);
        }
    }

    /// Writes the broken rule down, and gives the guest an external abort.
    pub(super) fn refuse(&mut self, frame: &mut Frame, violation: Violation) {
        self.violation(violation);
        self.abort(frame);
    }

    /// Gives the guest an external abort for its access.
    pub(super) fn abort(&mut self, frame: &mut Frame) {
        self.counters.stage2_faults = self.counters.stage2_faults.saturating_add(1);
        let control = self.machine.guest_control();
        let injection = inject::external_abort(frame.esr, frame.pstate, control);
        self.inject(frame, &injection);
    }

    pub(super) fn inject_undefined(&mut self, frame: &mut Frame) {
        let injection = inject::undefined(frame.pstate, self.machine.guest_control());
        self.inject(frame, &injection);
    }

    fn inject(&mut self, frame: &mut Frame, injection: &Injection) {
        let from = (frame.pc, frame.pstate);
        frame.pc = self.machine.enter_guest_vector(injection, from, frame.far);
        frame.pstate = injection.pstate;
    }

    /// Whether the guest's page at `address` is private.
    pub(super) fn is_private(&self, address: u64) -> bool {
        self.realm.granules.state(address) != Ripas::Empty
    }
}
