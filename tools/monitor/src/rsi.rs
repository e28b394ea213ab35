//! The realm services interface, as the specification has it and TF-RMM does it.
//!
//! Ref: DEN0137 1.0, B5.

mod command;
mod host_call;
mod ipa_state;
mod measurement;
mod token;
mod vdev;

use core::ops::Range;
use core::sync::atomic::AtomicU8;

pub use self::command::Command;
pub use self::measurement::{LENGTH, Measurements};
pub use self::vdev::Assigned;
use crate::granules::{Granules, Ripas};
use crate::layout::{GRANULE, GRANULE_BYTES, GuestMemory, Half, Space};
use crate::options::{Hash, Options, Progress, Rsi};

/// The call worked.
pub const SUCCESS: u64 = 0;
/// A value is out of range.
pub const ERROR_INPUT: u64 = 1;
/// The call does not fit the state of the realm.
pub const ERROR_STATE: u64 = 2;
/// The call has to be made again.
pub const INCOMPLETE: u64 = 3;
/// Something failed inside.
pub const ERROR_UNKNOWN: u64 = 4;
/// Nobody implements the function.
pub const NOT_SUPPORTED: u64 = u64::MAX;

/// What the RMM does to the machine.
pub trait World {
    /// Copies guest memory at `address` into `bytes`.
    fn read(&self, address: u64, bytes: &mut [u8]);
    /// Copies `bytes` to guest memory at `address`.
    fn write(&mut self, address: u64, bytes: &[u8]);
    /// Moves `range` to the shared half; its content is lost.
    fn share(&mut self, range: Range<u64>);
    /// Moves `range` to the protected half; its content is lost.
    fn take_back(&mut self, range: Range<u64>);
    /// Where a BAR of the function `stream` leads to.
    fn bar(&self, stream: u32, bar: u8) -> u64;
}

/// What a call leaves in `x0` and up; the rest of the registers stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    values: [u64; 9],
    count: usize,
}

impl Reply {
    /// A status alone. TF-RMM writes `x0` to `x3` in any case.
    #[must_use]
    pub const fn status(status: u64) -> Self {
        Self::values([status, 0, 0, 0])
    }

    /// A status, and nothing else: TF-RMM leaves the caller's values where results would be.
    #[must_use]
    pub const fn only(status: u64) -> Self {
        Self {
            values: [status, 0, 0, 0, 0, 0, 0, 0, 0],
            count: 1,
        }
    }

    const fn values(values: [u64; 4]) -> Self {
        let [first, second, third, fourth] = values;
        Self {
            values: [first, second, third, fourth, 0, 0, 0, 0, 0],
            count: 4,
        }
    }

    const fn long(values: [u64; 9]) -> Self {
        Self { values, count: 9 }
    }

    /// The values, from `x0` up.
    #[must_use]
    pub fn registers(&self) -> &[u64] {
        self.values.get(..self.count).unwrap_or(&self.values)
    }
}

/// The realm as the RMM sees it.
pub struct Realm<'a> {
    /// What each granule is used for.
    pub granules: Granules<'a>,
    /// Initial and extensible measurements.
    pub measurements: Measurements,
    options: Options,
    space: Space,
    token: token::Token,
    /// Changes of state asked for so far.
    changes: u64,
    /// A device that the realm may trust.
    assigned: Option<Assigned>,
    /// What the host does about each change of state, if not what the options say.
    pub hindrance: Option<Hindrance>,
}

/// What a host does about a change of state that it has no wish for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// It lets it come only so far.
    Slow(Progress),
    /// It refuses.
    Refusal,
}

impl<'a> Realm<'a> {
    /// A realm in which every granule is EMPTY. `None` if `states` is too short for `memory`.
    #[must_use]
    pub fn new(
        options: Options,
        space: Space,
        memory: GuestMemory,
        states: &'a [AtomicU8],
    ) -> Option<Self> {
        Some(Self {
            granules: Granules::new(memory, states)?,
            measurements: Measurements::new(options.hash),
            options,
            space,
            token: token::Token::default(),
            changes: 0,
            assigned: None,
            hindrance: None,
        })
    }

    /// Forgets what the guest did, for another start.
    pub fn restart(&mut self) {
        self.measurements.restart();
        self.token = token::Token::default();
        self.changes = 0;
        self.hindrance = None;
    }

    /// Answers `command` with its arguments, which are `x1` and up.
    pub fn call(&mut self, command: Command, x: &[u64; 10], world: &mut impl World) -> Reply {
        match command {
            Command::Version => self.version(x[0]),
            Command::Features => self.features(x[0]),
            Command::MeasurementRead => self.measurements.read(x[0]),
            Command::MeasurementExtend if self.options.refuse_extend => Reply::status(ERROR_INPUT),
            Command::MeasurementExtend => self.measurements.extend(x),
            Command::AttestationTokenInit => self.token_init(x),
            Command::AttestationTokenContinue => self.token_continue(x[0], x[1], x[2], world),
            Command::RealmConfig => self.realm_config(x[0], world),
            Command::IpaStateSet => self.ipa_state_set(x, world),
            Command::IpaStateGet => self.ipa_state_get(x[0], x[1]),
            Command::HostCall => self.host_call(x[0], world),
            Command::VdevGetInfo => self.vdev_get_info(x, world),
            Command::VdevValidateMapping => self.vdev_validate_mapping(x),
            Command::VdevDmaEnable => self.vdev_dma_enable(x),
            Command::VdevDmaDisable => self.vdev_dma_disable(x),
        }
    }

    /// Says whether the RSI is there at all.
    #[must_use]
    pub fn has_rsi(&self) -> bool {
        self.options.rsi != Rsi::None
    }

    /// Ref: DEN0137 1.0, B5.1 and B5.3.10.
    fn version(&self, request: u64) -> Reply {
        let Rsi::Versions { lowest, highest } = self.options.rsi else {
            return Reply::status(NOT_SUPPORTED);
        };
        let same_major = request >> 16 == highest >> 16;
        if same_major && (lowest..=highest).contains(&request) {
            return Reply::values([SUCCESS, request, highest, 0]);
        }
        let lower = if request > highest || request < lowest {
            highest
        } else {
            lowest
        };
        Reply::values([ERROR_INPUT, lower, highest, 0])
    }

    /// Bit 0 of register 0: the realm may have devices.
    ///
    /// Ref: DEN0137 2.0, B5.5.8.
    fn features(&self, index: u64) -> Reply {
        let devices = index == 0 && self.assigned.is_some();
        Reply::values([SUCCESS, u64::from(devices), 0, 0])
    }

    /// Ref: DEN0137 1.0, B5.3.9 and B5.4 (RsiRealmConfig).
    fn realm_config(&self, address: u64, world: &mut impl World) -> Reply {
        if !self.is_operand(address, GRANULE) {
            return Reply::status(ERROR_INPUT);
        }
        let width = self.options.ipa.unwrap_or(u64::from(self.space.width()));
        let hash = match self.options.hash {
            Hash::Sha256 => 0u64,
            Hash::Sha512 => 1,
        };
        let mut page = [0u8; GRANULE_BYTES];
        for (slot, value) in page.chunks_exact_mut(8).zip([width, hash]) {
            slot.copy_from_slice(&value.to_le_bytes());
        }
        world.write(address, &page);
        Reply::status(SUCCESS)
    }

    /// Whether `address` may be given to the RMM as an operand: aligned, protected, and RAM.
    fn is_operand(&self, address: u64, align: u64) -> bool {
        address.is_multiple_of(align)
            && matches!(self.space.half(address), Half::Protected(_))
            && self.granules.state(address) == Ripas::Ram
    }
}

#[cfg(test)]
mod tests;
