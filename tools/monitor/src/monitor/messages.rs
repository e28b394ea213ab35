//! Messages to the interrupt translation service, as a device of the bus sends them.

use hostile::vectors::Message;

use super::Monitor;
use crate::gic::{ItsBase, Register};
use crate::machine::Machine;
use crate::regions::Region;
use crate::syndrome::Width;

/// Where a processor's own message goes. Its device number is 0.
const TRANSLATER: u64 = 0x0809_0040;
/// Bytes of QEMU's entry of a device.
const ENTRY: u64 = 8;
/// `GITS_CTLR`: the service is on.
const ON: u64 = 1;
/// Functions of a device of the bus.
const FUNCTIONS: u64 = 8;

impl<M: Machine> Monitor<M> {
    /// Sends `message` for device `device` of the bus. One that goes elsewhere than to the service is lost.
    pub(super) fn deliver(&mut self, device: u32, message: Message) {
        if message.address & !self.space.shared_bit() == TRANSLATER {
            self.send_message(message.device.unwrap_or(device), message.data);
        }
    }

    /// Sends event `event` of device `device` of the bus. The service knows a processor as device 0, so that
    /// gets the entry of the other: what a host can do, as the table is shared. While the service is off, what was
    /// its table may hold anything, such as what a disk says honestly.
    pub(super) fn send_message(&mut self, device: u32, event: u32) {
        let its = Region::Its.place(self.space.width() == 41).0;
        let control = self.machine.load(its, Width::Word).unwrap_or(0);
        if control & ON == 0 {
            return;
        }
        let base = its + Register::Base(0).offset();
        let base = self.machine.load(base, Width::Double).unwrap_or(0);
        let table = ItsBase(base).address() & !self.space.shared_bit();
        let [entry, ..] = self.words(table + ENTRY * FUNCTIONS * u64::from(device));
        if entry != 0 {
            self.machine.write(table, &entry.to_le_bytes());
            let _ = self.machine.store(TRANSLATER, Width::Word, event.into());
        }
    }
}
