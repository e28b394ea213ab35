//! What the guest is told by everything that is not a device of its own: the interrupt controller, the
//! serial port, the RMM, the firmware.

use hostile::{Part, Place, Point};

use super::{Frame, Monitor};
use crate::attack;
use crate::machine::Machine;
use crate::options::Progress;
use crate::regions::Region;
use crate::rsi::{Hindrance, NOT_SUPPORTED};
use crate::syndrome::Access;

/// The devices whose messages are invented, and their events.
const DEVICES: u64 = 12;
const EVENTS: u64 = 6;
/// The first interrupt of the bus, and how many there are.
const PINS: (u64, u64) = (35, 4);

impl<M: Machine> Monitor<M> {
    /// What a load at `place` gives instead of `raw`.
    pub(super) fn said(&mut self, (region, _): (Region, u64), raw: u64, access: Access) -> u64 {
        if !self.rounds.is_active() {
            return raw;
        }
        let place = match region {
            Region::Gicd => Place::of(Part::Interrupts, Point::Distributor),
            Region::Gicr => Place::of(Part::Interrupts, Point::Redistributor),
            Region::Its => Place::of(Part::Interrupts, Point::Translation),
            Region::Uart => Place::of(Part::Console, Point::Register),
            Region::PciConfig => Place::of(Part::Bus, Point::Identity),
            _ => return raw,
        };
        let bits = u32::try_from(8 * access.width.bytes()).unwrap_or(64);
        self.attack.liar.say(place, raw & access.width.mask(), bits)
    }

    /// What the guest may store.
    pub(super) fn filtered(&mut self, (region, offset): (Region, u64), value: u64) -> u64 {
        if self.options.attack.tick == 0 {
            return value;
        }
        let value = attack::filter(region, offset, value);
        let wants = attack::lets_timer(region, offset, value);
        match (&mut self.attack.withheld, wants) {
            (Some((_, wanted)), Some(wants)) => {
                *wanted = wants;
                value & !(1 << attack::TIMER)
            }
            _ => value,
        }
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

    /// The status of a call that is not carried out; `number` says which of `part` it is.
    pub(super) fn refusal(&mut self, part: Part, number: u8) -> Option<u64> {
        if !self.rounds.is_active() {
            return None;
        }
        let place = Place::of(part, Point::Refusal).unit(number);
        self.attack
            .liar
            .misbehave_with(place, |random| match random.below(4) {
                0 => NOT_SUPPORTED,
                1 => random.next(),
                _ => random.below(6),
            })
    }

    /// Makes up the host's mind about a change of the state of memory.
    pub(super) fn hinder(&mut self) {
        if !self.rounds.is_active() {
            return;
        }
        let place = Place::of(Part::Rmm, Point::Progress);
        if let Some(value) = self.attack.liar.misbehave(place) {
            self.realm.hindrance = Some(match value % 4 {
                0 => Hindrance::Slow(Progress::Zero),
                1 => Hindrance::Slow(Progress::Page),
                2 => Hindrance::Slow(Progress::Block),
                _ => Hindrance::Refusal,
            });
        }
    }

    /// Changes what call number `number` of `part` left in the first `registers` registers.
    pub(super) fn twist_answer(
        &mut self,
        frame: &mut Frame,
        (part, number): (Part, u8),
        registers: usize,
    ) {
        if !self.rounds.is_active() {
            return;
        }
        for (n, value) in frame.x.iter_mut().take(registers).enumerate() {
            let point = if n == 0 { Point::Result } else { Point::Answer };
            let place = Place::of(part, point).unit(number);
            *value = self.attack.liar.say(place, *value, 64);
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
            1 => attack::TIMER.into(),
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
        self.invent();
        self.mistime();
        if self.options.attack.race {
            self.race_on();
        }
    }

    /// Sends messages that no device sent.
    fn invent(&mut self) {
        let liar = &mut self.attack.liar;
        let of = |value: u64| {
            let small = |number: u64| u32::try_from(number).unwrap_or(0);
            (
                small((value & 0xff) % DEVICES),
                small((value >> 8) % EVENTS),
            )
        };
        let message = liar.misbehave(Place::of(Part::Interrupts, Point::Message));
        let flood = liar.misbehave(Place::of(Part::Interrupts, Point::Flood));
        if let Some(value) = flood {
            self.attack.flood = (of(value), 1000);
        }
        let (which, left) = self.attack.flood;
        self.attack.flood.1 = left.saturating_sub(1);
        let flood = (left != 0).then_some(which);
        for (device, event) in message.map(of).into_iter().chain(flood) {
            self.send_message(device, event);
        }
    }
}
