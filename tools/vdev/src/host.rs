//! The host's side: it carries objects, and asks the device for what the realm wants.
//!
//! Ref: cca-rmm-acs, `val_rhi.h` and `docs/rhi_scenarios.md`; Linux, RFC "coco/TSM: Arm CCA device
//! assignment", version 3.

use alloc::vec::Vec;

use crate::Device;
use crate::device::Firmware;
use crate::lies::Lie;
use crate::report::Range;
use crate::tdi::{CERTIFICATES, MEASUREMENTS, Operation, REPORT, State, Tdi, VCA};

/// Registers of a host call.
pub const REGISTERS: usize = 31;

const VERSION: u64 = 0xc500_004a;
const FEATURES: u64 = 0xc500_004b;
const OBJECT_SIZE: u64 = 0xc500_004c;
const OBJECT_READ: u64 = 0xc500_004d;
const CONTINUE: u64 = 0xc500_0051;
const GET_MEASUREMENTS: u64 = 0xc500_0052;
const GET_INTERFACE_REPORT: u64 = 0xc500_0053;
const SET_TDI_STATE: u64 = 0xc500_0054;
const ABORT: u64 = 0xc500_0056;

const SUCCESS: u64 = 0;
const INCOMPLETE: u64 = 1;
const NO_DATA: u64 = 2;
const WRONG_DEVICE: u64 = 3;
const WRONG_OBJECT: u64 = 4;
const WRONG_INPUT: u64 = 5;
const DEVICE: u64 = 6;
const WRONG_OFFSET: u64 = 7;
const ACCESS: u64 = 8;
const BUSY: u64 = 9;
const COMPLETED: u64 = 10;
const UNSUPPORTED: u64 = 11;
const NOT_IMPLEMENTED: u64 = u64::MAX;

/// Everything but peer-to-peer.
const ALL_FEATURES: u64 = 0xbf;
const HANDLE: u64 = 0x7d;
/// How often a slow host is asked to go on.
const STEPS: u32 = 2;
const GIB: u64 = 1 << 30;

/// What the host needs of the machine.
pub trait HostServices {
    /// Registers of the device, by its BARs, in ascending order of their indices.
    fn bars(&self) -> Vec<Range>;
    /// Writes `bytes` to the realm's memory at `address`, with the shared bit or without it; says
    /// whether all of that is shared.
    fn write(&mut self, address: u64, bytes: &[u8]) -> bool;
}

impl Tdi {
    /// Answers a host call about this device, in place.
    pub fn answer(&mut self, registers: &mut [u64; REGISTERS], world: &mut dyn HostServices) {
        let [function, device, ..] = *registers;
        let (status, value) = match function {
            VERSION => (0x1_0000, 0),
            FEATURES => (ALL_FEATURES, 0),
            OBJECT_SIZE..=ABORT if device != self.id => (WRONG_DEVICE, 0),
            OBJECT_SIZE => self.size(registers[2]),
            OBJECT_READ => self.read(registers, world),
            CONTINUE => self.proceed(registers[2], world),
            GET_MEASUREMENTS => self.begin(Operation::Measure, world),
            GET_INTERFACE_REPORT => self.begin(Operation::Report, world),
            SET_TDI_STATE => self.begin(Operation::SetState(registers[2]), world),
            ABORT => match self.pending.take() {
                Some(_) => (SUCCESS, 0),
                None => (COMPLETED, 0),
            },
            _ => (NOT_IMPLEMENTED, 0),
        };
        (registers[0], registers[1]) = (status, value);
    }

    /// What the host hands over as the object `kind`.
    fn object(&self, kind: u64) -> Result<Vec<u8>, u64> {
        let at = match kind {
            0 => VCA,
            1 => CERTIFICATES,
            2 => MEASUREMENTS,
            3 => REPORT,
            4 => return Err(UNSUPPORTED),
            _ => return Err(WRONG_OBJECT),
        };
        let mut object = self.seen.get(at).cloned().unwrap_or_default();
        match (self.lie, at) {
            (Lie::Swapped, CERTIFICATES) => {
                let other = Device::new(crate::Curve::P384, Firmware::Forged);
                object = other.certificates().to_vec();
            }
            (Lie::Short, MEASUREMENTS) => object.truncate(object.len() / 2),
            (Lie::Flipped, MEASUREMENTS) => {
                if let Some(byte) = object.get_mut(48) {
                    *byte ^= 4;
                }
            }
            (Lie::Missing, MEASUREMENTS) => object.clear(),
            _ => {}
        }
        if object.is_empty() {
            return Err(NO_DATA);
        }
        Ok(object)
    }

    fn size(&self, kind: u64) -> (u64, u64) {
        let size = match (self.object(kind), self.seen.get(MEASUREMENTS)) {
            (Ok(_), _) if self.lie == Lie::Oversized && kind == 2 => GIB,
            // The size is of the whole, even where half is handed over.
            (Ok(_), Some(whole)) if self.lie == Lie::Short && kind == 2 => whole.len() as u64,
            (Ok(object), _) => object.len() as u64,
            (Err(status), _) => return (status, 0),
        };
        (SUCCESS, size)
    }

    /// As the host of the ACS does it: the whole object at once, or nothing.
    fn read(&self, registers: &[u64; REGISTERS], world: &mut dyn HostServices) -> (u64, u64) {
        let [_, _, kind, buffer, room, offset, ..] = *registers;
        let object = match self.object(kind) {
            Ok(object) => object,
            Err(status) => return (status, 0),
        };
        let len = object.len() as u64;
        if offset.checked_add(len).is_none_or(|end| end > room) {
            return (WRONG_OFFSET, 0);
        }
        if !world.write(buffer + offset, &object) {
            return (ACCESS, 0);
        }
        let said = if self.lie == Lie::Overrun {
            room + 1
        } else {
            len
        };
        (SUCCESS, said)
    }

    fn begin(&mut self, operation: Operation, world: &mut dyn HostServices) -> (u64, u64) {
        let slow = matches!(self.lie, Lie::Slow | Lie::Unfinished);
        if self.lie == Lie::Busy || slow && !core::mem::replace(&mut self.was_busy, true) {
            return (BUSY, 0);
        }
        if self.pending.is_some() {
            return (BUSY, 0);
        }
        if slow {
            self.pending = Some((operation, 0));
            return (INCOMPLETE, HANDLE);
        }
        (self.perform(operation, world), 0)
    }

    fn proceed(&mut self, handle: u64, world: &mut dyn HostServices) -> (u64, u64) {
        let Some((operation, steps)) = self.pending.filter(|_| handle == HANDLE) else {
            return (DEVICE, 0);
        };
        if self.lie == Lie::Unfinished || steps + 1 < STEPS {
            self.pending = Some((operation, steps.saturating_add(1)));
            return (INCOMPLETE, 0);
        }
        self.pending = None;
        self.was_busy = false;
        (self.perform(operation, world), 0)
    }

    fn perform(&mut self, operation: Operation, world: &mut dyn HostServices) -> u64 {
        match (operation, self.state) {
            (Operation::Measure, _) => {
                if self.lie == Lie::Relock && self.state == State::Locked {
                    self.relock();
                }
                self.measure();
            }
            (Operation::Report, State::Locked | State::Started) => self.report(&world.bars()),
            (Operation::Report, _) => return DEVICE,
            (Operation::SetState(0), _) if !self.mapped.is_empty() => return DEVICE,
            (Operation::SetState(0), _) => self.unlock(),
            (Operation::SetState(1), State::Unlocked) => self.lock(&world.bars()),
            (Operation::SetState(2), State::Locked) => {
                if self.lie != Lie::NotStarted {
                    self.state = State::Started;
                }
            }
            (Operation::SetState(1 | 2), _) => return DEVICE,
            (Operation::SetState(_), _) => return WRONG_INPUT,
        }
        SUCCESS
    }
}
