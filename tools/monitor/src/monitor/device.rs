//! Device accesses: checked, carried out, counted.

use super::{Frame, Monitor};
use crate::machine::{Abort, Machine};
use crate::regions::Region;
use crate::syndrome::{Access, Width, is_walk, is_write};
use crate::violation::Violation;

impl<M: Machine> Monitor<M> {
    /// Repeats the access of the guest to the device at machine address `address`.
    pub(super) fn device(&mut self, frame: &mut Frame, address: u64) {
        let pc = frame.pc;
        let Some((region, offset)) = self.regions.find(address) else {
            return self.refuse(frame, Violation::NoDevice { address, pc });
        };
        let access = Access::decode(frame.esr).filter(|_| !is_walk(frame.esr));
        let Some(access) = access else {
            let write = is_write(frame.esr);
            return self.refuse(frame, Violation::NotRepeatable { address, pc, write });
        };
        if !address.is_multiple_of(access.width.bytes()) {
            return self.refuse(frame, Violation::Unaligned { address, pc });
        }
        if region == Region::PciConfig && access.width == Width::Double {
            self.violation(Violation::WideConfig { address, pc });
        }
        match self.repeat(frame, region, offset, address, access) {
            Ok(()) => {
                self.counters.access(region, access.write);
                frame.pc = pc.wrapping_add(4);
            }
            Err(Abort) => self.refuse(frame, Violation::NoDevice { address, pc }),
        }
    }

    fn repeat(
        &mut self,
        frame: &mut Frame,
        _region: Region,
        _offset: u64,
        address: u64,
        access: Access,
    ) -> Result<(), Abort> {
        // Register 31 reads as zero and takes nothing.
        if access.write {
            let value = frame.x.get(access.register).copied().unwrap_or(0);
            return self
                .machine
                .store(address, access.width, value & access.width.mask());
        }
        let raw = self.machine.load(address, access.width)?;
        if let Some(register) = frame.x.get_mut(access.register) {
            *register = access.loaded(raw);
        }
        Ok(())
    }
}
