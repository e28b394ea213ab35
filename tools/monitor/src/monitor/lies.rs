//! What the guest is told by everything that is not a device of its own: the interrupt controller, the
//! serial port, the RMM, the firmware.

use hostile::{Part, Place, Point};

use super::{Frame, Monitor};
use crate::attack;
use crate::machine::Machine;
use crate::regions::Region;
use crate::rsi::NOT_SUPPORTED;
use crate::syndrome::Access;

/// The interrupt of the guest's timer.
const TIMER: u64 = 27;
/// The first interrupt of the bus, and how many there are.
const PINS: (u64, u64) = (35, 4);

impl<M: Machine> Monitor<M> {
    /// What a load at `place` gives instead of `raw`.
    pub(super) fn said(&mut self, (region, _): (Region, u64), raw: u64, access: Access) -> u64 {
        if !self.rounds.is_active() {
            return raw;
        }
        let place = match region {
            Region::Gicd | Region::Gicr | Region::Its => {
                Place::of(Part::Interrupts, Point::Register)
            }
            Region::Uart => Place::of(Part::Console, Point::Register),
            Region::PciConfig => Place::of(Part::Bus, Point::Identity),
            _ => return raw,
        };
        let bits = u32::try_from(8 * access.width.bytes()).unwrap_or(64);
        self.attack.liar.say(place, raw & access.width.mask(), bits)
    }

    /// What the guest may store.
    pub(super) fn filtered(&self, (region, offset): (Region, u64), value: u64) -> u64 {
        if self.options.attack.tick == 0 {
            return value;
        }
        attack::filter(region, offset, value)
    }

    /// Reads along what the guest prints; says whether nobody else is to see it.
    pub(super) fn is_swallowed(&mut self, place: (Region, u64), value: u64) -> bool {
        if !self.rounds.is_active() || place != (Region::Uart, 0) {
            return false;
        }
        let [byte, ..] = value.to_le_bytes();
        self.attack.print(byte);
        !self.rounds.shows()
    }

    /// The status of a call that is not carried out.
    pub(super) fn refusal(&mut self, part: Part) -> Option<u64> {
        if !self.rounds.is_active() {
            return None;
        }
        let place = Place::of(part, Point::Refusal);
        self.attack
            .liar
            .misbehave_with(place, |random| match random.below(4) {
                0 => NOT_SUPPORTED,
                1 => random.next(),
                _ => random.below(6),
            })
    }

    /// Changes what a call left in the registers.
    pub(super) fn twist_answer(&mut self, frame: &mut Frame) {
        if !self.rounds.is_active() {
            return;
        }
        for (n, value) in frame.x.iter_mut().take(4).enumerate() {
            let point = if n == 0 { Point::Result } else { Point::Answer };
            *value = self
                .attack
                .liar
                .say(Place::of(Part::Rmm, point), *value, 64);
        }
    }

    /// Raises interrupts that nobody expects.
    pub(super) fn disturb(&mut self) {
        if !self.rounds.is_active() {
            return;
        }
        let liar = &mut self.attack.liar;
        let spurious = Place::of(Part::Interrupts, Point::Spurious);
        let number = liar.misbehave_with(spurious, |random| match random.below(4) {
            0 => PINS.0 + random.below(PINS.1),
            1 => TIMER,
            2 => random.below(32),
            _ => random.below(1020),
        });
        let storm = Place::of(Part::Interrupts, Point::Storm);
        if let Some(value) = liar.misbehave(storm) {
            self.attack.storm = (PINS.0 + value % PINS.1, 1000);
        }
        let (line, left) = self.attack.storm;
        self.attack.storm.1 = left.saturating_sub(1);
        let stormy = (left != 0).then_some(line);
        for number in number.into_iter().chain(stormy) {
            attack::raise(&self.machine, u32::try_from(number).unwrap_or(u32::MAX));
        }
    }
}
