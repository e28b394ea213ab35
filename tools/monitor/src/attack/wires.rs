//! Interrupts: how our devices raise them, and how the monitor gets one of its own.

use crate::machine::Machine;
use crate::regions::Region;
use crate::syndrome::Width;

/// The first interrupt that a pin of the bus is wired to.
///
/// Ref: QEMU `hw/arm/virt.c`, `a15irqmap`: PCIe has shared interrupts 3 to 6.
const FIRST_PIN: u32 = 32 + 3;
const PINS: u32 = 4;
/// The interrupt of EL2's own timer.
const TICK: u32 = 26;
/// The interrupt of the guest's timer.
pub const TIMER: u32 = 27;
/// Interrupts of QEMU's distributor that are reset between rounds.
const LINES: u64 = 288;

const GICD: u64 = 0x0800_0000;
const ITS: u64 = 0x0808_0000;
const REDISTRIBUTOR: u64 = 0x080a_0000;
/// The second frame of the first processor's redistributor.
const PRIVATE: u64 = 0x080b_0000;
const CTLR: u64 = 0;
/// Tables of a redistributor: configuration of LPIs, and which are pending.
const PROPBASER: u64 = 0x70;
const PENDBASER: u64 = 0x78;
/// Of the ITS: the queue of commands, how far it is written, and the tables.
const CBASER: u64 = 0x80;
const CWRITER: u64 = 0x88;
const BASERS: core::ops::Range<u64> = 0x100..0x140;
const IGROUPR: u64 = 0x80;
const ISENABLER: u64 = 0x100;
const ICENABLER: u64 = 0x180;
const ISPENDR: u64 = 0x200;
const ICPENDR: u64 = 0x280;
const ICACTIVER: u64 = 0x380;
const IPRIORITYR: u64 = 0x400;
/// Interrupts of group 0 are delivered: those of the monitor.
const GROUP_0: u64 = 1;

/// Whether the guest lets the interrupt of its timer come.
pub fn has_timer<M: Machine>(machine: &M) -> bool {
    let enabled = machine.load(PRIVATE + ISENABLER, Width::Word);
    enabled.unwrap_or(0) & 1 << TIMER != 0
}

/// Lets the interrupt of the guest's timer come, or not.
pub fn let_timer<M: Machine>(machine: &M, come: bool) {
    let bank = if come { ISENABLER } else { ICENABLER };
    store(machine, PRIVATE + bank, 1 << TIMER);
}

/// Whether a store of the guest to `offset` of `region` says that the interrupt of its timer may come, or that it
/// may not.
#[must_use]
pub const fn lets_timer(region: Region, offset: u64, value: u64) -> Option<bool> {
    const FRAME: u64 = 0x1_0000;
    const ON: u64 = FRAME + ISENABLER;
    const OFF: u64 = FRAME + ICENABLER;
    match (region, offset) {
        (Region::Gicr, ON) if value & 1 << TIMER != 0 => Some(true),
        (Region::Gicr, OFF) if value & 1 << TIMER != 0 => Some(false),
        _ => None,
    }
}

/// The number of the interrupt that pin A of device `device` is wired to.
#[must_use]
pub const fn interrupt(device: u32) -> u32 {
    FIRST_PIN + device % PINS
}

fn store<M: Machine>(machine: &M, address: u64, value: u64) {
    // A machine without a distributor has no interrupts.
    let _ = machine.store(address, Width::Word, value);
}

/// Makes interrupt `number` pending, unless it is the monitor's own. One that the controller does not
/// have stays away.
pub fn raise<M: Machine>(machine: &M, number: u32) {
    let frame = if number < 32 { PRIVATE } else { GICD };
    let register = frame + ISPENDR + 4 * u64::from(number / 32);
    if number != TICK && number < 1020 {
        store(machine, register, 1 << (number % 32));
    }
}

/// Forgets what the guest did to the interrupt controller: it reads no table of the guest's any more.
pub fn reset<M: Machine>(machine: &M) {
    store(machine, ITS + CTLR, 0);
    store(machine, REDISTRIBUTOR + CTLR, 0);
    store(machine, GICD + CTLR, 0);
    for register in [PROPBASER, PENDBASER] {
        let _ = machine.store(REDISTRIBUTOR + register, Width::Double, 0);
    }
    for register in [CBASER, CWRITER].into_iter().chain(BASERS.step_by(8)) {
        let _ = machine.store(ITS + register, Width::Double, 0);
    }
    for word in 0..LINES / 32 {
        let frame = if word == 0 { PRIVATE } else { GICD };
        for bank in [ICENABLER, ICPENDR, ICACTIVER] {
            store(machine, frame + bank + 4 * word, 0xffff_ffff);
        }
    }
}

/// Gives the monitor the interrupt of its timer, which the guest cannot mask.
pub fn take_tick<M: Machine>(machine: &M) {
    let bit = 1 << TICK;
    let groups = machine.load(PRIVATE + IGROUPR, Width::Word).unwrap_or(0);
    store(machine, PRIVATE + IGROUPR, groups & !bit);
    let priority = PRIVATE + IPRIORITYR + u64::from(TICK);
    let _ = machine.store(priority, Width::Byte, 0);
    store(machine, PRIVATE + ISENABLER, bit);
    store(machine, GICD + CTLR, GROUP_0);
}

/// What the guest may store at `offset` of `region` without taking the monitor's interrupt away.
#[must_use]
pub const fn filter(region: Region, offset: u64, value: u64) -> u64 {
    const FRAME: u64 = 0x1_0000;
    const DISABLE: u64 = FRAME + ICENABLER;
    const UNPEND: u64 = FRAME + ICPENDR;
    const GROUPS: u64 = FRAME + IGROUPR;
    match (region, offset) {
        (Region::Gicd, CTLR) => value | GROUP_0,
        (Region::Gicr, GROUPS | DISABLE | UNPEND) => value & !(1 << TICK),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guest_cannot_take_the_monitors_interrupt() {
        assert_eq!(filter(Region::Gicd, 0, 0x12), 0x13);
        assert_eq!(filter(Region::Gicr, 0x1_0080, u64::MAX) & 1 << 26, 0);
        assert_eq!(filter(Region::Gicr, 0x1_0180, 1 << 26 | 1 << 27), 1 << 27);
        assert_eq!(filter(Region::Gicr, 0x1_0100, 1 << 26), 1 << 26);
    }
}
