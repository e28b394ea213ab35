//! A device that the realm may trust: what the RMM answers, and what the host carries.
//!
//! Ref: DEN0137 2.0, A9 and B5.4; the device itself is `tools/vdev`.

use alloc::vec::Vec;

use ::vdev::{HostServices, INFO_SIZE, REGISTERS, Tdi, Validation};

use super::{ERROR_INPUT, ERROR_STATE, Realm, Reply, SUCCESS, World};
use crate::granules::{Granules, Ripas};
use crate::layout::{GRANULE, Space};

/// What the address of the structure is a multiple of.
const INFO: u64 = INFO_SIZE as u64;
/// RIPAS of registers that lead to the device.
const DEV: u64 = 3;

/// A device, and the sizes of its BARs.
pub struct Assigned {
    /// Its interface.
    pub tdi: Tdi,
    /// Index, bytes, and whether the host may go on reaching it.
    pub bars: Vec<(u8, u64, bool)>,
}

/// The machine, as far as the host lets the device use it.
struct Host<'a, 'g, W> {
    world: &'a mut W,
    granules: &'a Granules<'g>,
    space: Space,
    bars: Vec<::vdev::Range>,
}

impl<W: World> HostServices for Host<'_, '_, W> {
    fn bars(&self) -> Vec<::vdev::Range> {
        self.bars.clone()
    }

    fn write(&mut self, address: u64, bytes: &[u8]) -> bool {
        // Hosts take addresses with the shared bit, and without it.
        let start = address & !self.space.shared_bit();
        let Some(end) = start.checked_add(bytes.len() as u64) else {
            return false;
        };
        let shared = self.granules.is_shared(&(start..end));
        if shared {
            self.world.write(start, bytes);
        }
        shared
    }
}

impl Realm<'_> {
    /// Assigns a device, before the realm runs.
    pub fn assign(&mut self, assigned: Assigned) {
        self.assigned = Some(assigned);
    }

    /// The device, if there is one.
    #[must_use]
    pub fn device(&self) -> Option<&Tdi> {
        self.assigned.as_ref().map(|assigned| &assigned.tdi)
    }

    /// The device, if there is one.
    pub fn device_mut(&mut self) -> Option<&mut Tdi> {
        self.assigned.as_mut().map(|assigned| &mut assigned.tdi)
    }

    pub(super) fn vdev_get_info(&mut self, x: &[u64; 10], world: &mut impl World) -> Reply {
        let usable = self.is_operand(x[1], INFO);
        let (layout, hash) = (self.options.device.layout, self.options.device.hash);
        let Some(assigned) = &mut self.assigned else {
            return Reply::status(ERROR_STATE);
        };
        if !usable || x[0] != assigned.tdi.id() {
            return Reply::only(ERROR_INPUT);
        }
        world.write(x[1], &assigned.tdi.info(layout, hash));
        Reply::status(SUCCESS)
    }

    pub(super) fn vdev_validate_mapping(&mut self, x: &[u64; 10]) -> Reply {
        let sound = self.is_range(x[1], x[2]) && x[3].is_multiple_of(GRANULE);
        let granules = &self.granules;
        let Some(assigned) = &mut self.assigned else {
            return Reply::status(ERROR_STATE);
        };
        if !sound || x[0] != assigned.tdi.id() {
            return Reply::only(ERROR_INPUT);
        }
        let asked = Validation {
            base: x[1],
            top: x[2],
            registers: x[3],
            nonces: [x[5], x[6], x[7]],
        };
        let is_empty = |at| granules.state(at) == Ripas::Empty;
        let done = assigned.tdi.validate(asked, is_empty);
        if done.status != SUCCESS {
            return Reply::only(done.status);
        }
        Reply::values([SUCCESS, done.progress, u64::from(done.rejected), 0])
    }

    pub(super) fn vdev_dma_enable(&mut self, x: &[u64; 10]) -> Reply {
        match &mut self.assigned {
            None => Reply::status(ERROR_STATE),
            Some(assigned) if x[0] != assigned.tdi.id() => Reply::only(ERROR_INPUT),
            Some(assigned) => {
                let nonces = [x[3], x[4], x[5]];
                Reply::only(assigned.tdi.enable_dma(x[1], x[2], nonces))
            }
        }
    }

    pub(super) fn vdev_dma_disable(&mut self, x: &[u64; 10]) -> Reply {
        match &mut self.assigned {
            None => Reply::status(ERROR_STATE),
            Some(assigned) if x[0] != assigned.tdi.id() => Reply::only(ERROR_INPUT),
            Some(assigned) => Reply::only(assigned.tdi.disable_dma()),
        }
    }

    /// Has the host answer the registers at `address`; says whether there is one that can.
    pub(super) fn device_host_call(&mut self, address: u64, world: &mut impl World) -> bool {
        let space = self.space;
        let Some(assigned) = &mut self.assigned else {
            return false;
        };
        let mut bytes = [0; 8 * REGISTERS];
        world.read(address, &mut bytes);
        let mut registers = [0; REGISTERS];
        for (register, word) in registers.iter_mut().zip(bytes.as_chunks().0) {
            *register = u64::from_le_bytes(*word);
        }
        let id = assigned.tdi.id();
        let stream = u32::try_from(id).unwrap_or(u32::MAX);
        let bars = assigned
            .bars
            .iter()
            .map(|&(bar, size, non_tee)| ::vdev::Range {
                bar: u16::from(bar),
                base: world.bar(stream, bar),
                size,
                non_tee,
            });
        let bars = bars.collect();
        let mut host = Host {
            world,
            granules: &self.granules,
            space,
            bars,
        };
        assigned.tdi.answer(&mut registers, &mut host);
        for (bytes, register) in bytes.as_chunks_mut().0.iter_mut().zip(registers) {
            *bytes = register.to_le_bytes();
        }
        world.write(address, &bytes);
        true
    }

    /// How far from `base`, and at most to `top`, registers of the device have one state; or where a
    /// run of something else has to end before them.
    pub(super) fn device_run(&self, base: u64, top: u64) -> Result<(u64, u64), u64> {
        let Some(tdi) = self.device() else {
            return Err(top);
        };
        let Some(state) = tdi.ripas(base) else {
            return Err(tdi.next_granule(base).map_or(top, |next| next.min(top)));
        };
        let mut end = base;
        while end < top && tdi.ripas(end) == Some(state) {
            end += GRANULE;
        }
        Ok((end, state))
    }

    /// Gives registers in `base..end` back, if they may become what is wanted; says where that ends.
    pub(super) fn release_registers(&mut self, base: u64, end: u64, wanted: Ripas) -> u64 {
        let Some(tdi) = self.device_mut() else {
            return end;
        };
        if wanted == Ripas::Empty {
            tdi.release(base, end);
            return end;
        }
        // A device is no memory.
        let first = crate::granules::granules(&(base..end)).find(|at| tdi.ripas(*at) == Some(DEV));
        first.unwrap_or(end)
    }
}
