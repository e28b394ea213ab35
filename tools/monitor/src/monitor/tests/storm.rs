//! Interrupts that no device sent.

use super::*;

const ISPENDR_OF_PINS: u64 = 0x0800_0200 + 4;
const TRANSLATER: u64 = 0x0809_0040;
const TABLE: u64 = GUEST_RAM + 0x80_0000;

/// Stores to the distributor and to the doorbell so far.
fn raised(monitor: &Monitor<Fake>) -> (usize, usize) {
    let stores = monitor.machine.stores.borrow();
    let to = |at| stores.iter().filter(|(address, _)| *address == at).count();
    (to(ISPENDR_OF_PINS), to(TRANSLATER))
}

#[test]
fn a_storm_raises_pins_and_invents_messages_of_devices_that_are_mapped() {
    let mut monitor = boot("monitor.tick=100 monitor.storm=8 --");
    // Valid, a table of devices with entries of 8 bytes.
    let base = 1 << 63 | 1 << 56 | 7 << 48 | TABLE;
    let registers = [(ITS + 0x100, base), (ITS, 1)];
    monitor.machine.registers.borrow_mut().extend(registers);
    assert_eq!(monitor.tick(PC), Next::Resume);
    assert_eq!(raised(&monitor), (4, 0), "the table is private");
    set_state(&mut monitor, TABLE, 0);
    monitor.machine.write(TABLE + 8 * 8, &[7; 8]);
    for _ in 0..3 {
        assert_eq!(monitor.tick(PC), Next::Resume);
    }
    let (pins, messages) = raised(&monitor);
    assert_eq!(pins, 16);
    assert!(messages > 0, "device 8 is mapped");
    let mut entry = [0; 8];
    monitor.machine.read(TABLE, &mut entry);
    assert_eq!(entry, [7; 8]);
}

#[test]
fn without_a_storm_nothing_is_raised() {
    let mut monitor = boot("monitor.tick=100 --");
    assert_eq!(monitor.tick(PC), Next::Resume);
    assert_eq!(raised(&monitor), (0, 0));
}
