//! Device accesses: checked, carried out, counted.

use super::{Frame, Monitor};
use crate::machine::{Abort, Machine};
use crate::regions::Region;
use crate::syndrome::{Access, Width, is_walk, is_write};
use crate::violation::Violation;
use crate::virtio::{DRIVER_OK, Verdict};

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
        match self.repeat(frame, (region, offset), address, access) {
            Ok(()) => {
                self.count((region, offset), address, access.write);
                frame.pc = pc.wrapping_add(4);
            }
            Err(Abort) => self.refuse(frame, Violation::NoDevice { address, pc }),
        }
    }

    fn repeat(
        &mut self,
        frame: &mut Frame,
        place: (Region, u64),
        address: u64,
        access: Access,
    ) -> Result<(), Abort> {
        if self.model(frame, place, address, access) {
            return Ok(());
        }
        // Register 31 reads as zero and takes nothing.
        let verdict = self.judge(place, access);
        if access.write {
            let value = frame.x.get(access.register).copied().unwrap_or(0) & access.width.mask();
            let value = self.filtered(place, value);
            return match verdict {
                Verdict::Nothing => Ok(()),
                Verdict::Defuse(stream) => self.defuse(address, stream, value),
                Verdict::Pass if self.is_table_refused(place, access.width, value) => Ok(()),
                Verdict::Pass => {
                    self.watch_console(place, value);
                    if self.is_swallowed(place, value) {
                        return Ok(());
                    }
                    self.watch_device(place, access, value);
                    self.watch_store((place.0, address), value);
                    self.machine.store(address, access.width, value)
                }
            };
        }
        let raw = match verdict {
            Verdict::Nothing => u64::MAX,
            _ => self.machine.load(address, access.width)?,
        };
        let raw = self.said(place, raw, access);
        if let Some(register) = frame.x.get_mut(access.register) {
            *register = access.loaded(raw);
        }
        Ok(())
    }

    /// Counts an access that was carried out, for its window and for its function.
    fn count(&mut self, (region, offset): (Region, u64), address: u64, write: bool) {
        self.counters.access(region, write);
        if write && region == Region::PciConfig {
            self.functions
                .follow(&self.machine, self.regions.config(), offset);
        }
        self.functions
            .count((region, offset), address - offset, write);
    }

    /// Follows where the guest's lines end.
    fn watch_console(&mut self, place: (Region, u64), value: u64) {
        if place == (Region::Uart, 0) {
            self.in_line = value & 0xff != u64::from(b'\n');
        }
    }

    fn judge(&self, place: (Region, u64), access: Access) -> Verdict {
        if self.fence.is_empty() {
            return Verdict::Pass;
        }
        let config = self.regions.config();
        self.fence
            .judge(&self.machine, config, place, access.width, access.write)
    }

    /// Stores a device status without the bit that starts the device.
    fn defuse(&mut self, address: u64, stream: u32, status: u64) -> Result<(), Abort> {
        if status & DRIVER_OK != 0 {
            self.violation(Violation::UnsafeDevice { stream });
        }
        self.machine
            .store(address, Width::Byte, status & !DRIVER_OK)
    }
}
