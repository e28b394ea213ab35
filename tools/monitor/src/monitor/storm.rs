//! A storm of interrupts that no device sent: on the pins of the bus, and as messages.

use super::Monitor;
use crate::attack;
use crate::machine::Machine;

/// The pins of the bus.
const PINS: u32 = 4;
/// Devices whose messages are invented, by their numbers on the bus.
const DEVICES: u64 = 2;
/// Events of each of them.
const EVENTS: u64 = 3;

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
                let (device, event) = (1 + turn / 2 / EVENTS % DEVICES, turn / 2 % EVENTS);
                let small = |number: u64| u32::try_from(number).unwrap_or(0);
                self.send_message(small(device), small(event));
            }
        }
    }
}
