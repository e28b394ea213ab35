//! A storm of interrupts that no device sent: on the pins of the bus, and as messages.

use super::Monitor;
use crate::attack;
use crate::gic::{ItsBase, Register};
use crate::machine::Machine;
use crate::regions::Region;
use crate::syndrome::Width;

/// The pins of the bus.
const PINS: u32 = 4;
/// Devices whose messages are invented: those in the first two slots.
const DEVICES: [u64; 2] = [8, 16];
/// Events of each of them.
const EVENTS: u64 = 3;
/// Where a processor's own message goes. Its device number is 0.
const TRANSLATER: u64 = 0x0809_0040;

impl<M: Machine> Monitor<M> {
    /// Raises as many interrupts as `monitor.storm=` says, pins and messages by turns.
    pub(super) fn storm(&mut self) {
        for _ in 0..self.options.attack.storm {
            let turn = self.stormed;
            self.stormed = turn.wrapping_add(1);
            let pin = u32::try_from(turn / 2 % u64::from(PINS)).unwrap_or(0);
            if turn.is_multiple_of(2) {
                attack::raise(&self.machine, attack::interrupt(pin));
            } else {
                self.invent_message(turn / 2);
            }
        }
    }

    /// Sends a message as a device of the guest would. The ITS knows a processor as device 0, so that
    /// gets the entry of the other: what a host can do, as the table is shared.
    fn invent_message(&mut self, turn: u64) {
        let base = self.machine.load(
            Region::Its.place(self.space.width() == 41).0 + Register::Base(0).offset(),
            Width::Double,
        );
        let table = ItsBase(base.unwrap_or(0)).address() & !self.space.shared_bit();
        let [one, other] = DEVICES;
        let first = (turn / EVENTS).is_multiple_of(2);
        let device = if first { one } else { other };
        // QEMU's entries have 8 bytes.
        let [entry, ..] = self.words(table + 8 * device);
        if entry != 0 {
            self.machine.write(table, &entry.to_le_bytes());
            let _ = self.machine.store(TRANSLATER, Width::Word, turn % EVENTS);
        }
    }
}
