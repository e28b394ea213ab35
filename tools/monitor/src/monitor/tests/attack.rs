//! Claims about devices of the monitor's own, and about rounds.

mod sweep;

use super::*;
use crate::attack;
use hostile::plan::CANARY;

const RSI_MEASUREMENT_EXTEND: u64 = 0xc400_0193;
const SYSTEM_OFF: u64 = 0x8400_0008;
const PAGE: u64 = GUEST_ENTRY + 0x10_0000;
/// Where the guest puts the BAR of the first device.
const BAR: u64 = 0x1000_0000;
/// An address of the guest at which there is neither memory nor a device.
const NOWHERE: u64 = 0x0b00_0000;

fn print(monitor: &mut Monitor<Fake>, line: &str) {
    for byte in line.bytes().chain([b'\n']) {
        let mut frame = Frame {
            esr: STORE,
            far: UART | SHARED,
            hpfar: UART >> 12 << 4 | SHARED >> 12 << 4,
            pc: PC,
            pstate: EL1H,
            ..Frame::default()
        };
        frame.x[3] = byte.into();
        assert_eq!(monitor.trap(&mut frame), Next::Resume);
    }
}

fn told(monitor: &Monitor<Fake>, text: &str) -> bool {
    let lines = monitor.machine.lines.borrow();
    lines.iter().any(|line| line.contains(text))
}

fn store(monitor: &mut Monitor<Fake>, address: u64, value: u64) {
    store_by(monitor, STORE, address, value);
}

/// Stores 16 bits.
fn store_half(monitor: &mut Monitor<Fake>, address: u64, value: u64) {
    store_by(monitor, STORE & !(3 << 22) | 1 << 22, address, value);
}

/// The same, as syndrome `esr` has it.
fn store_by(monitor: &mut Monitor<Fake>, esr: u64, address: u64, value: u64) {
    let mut frame = Frame {
        esr,
        far: address | SHARED,
        hpfar: (address | SHARED) >> 12 << 4,
        pc: PC,
        pstate: EL1H,
        ..Frame::default()
    };
    frame.x[3] = value;
    assert_eq!(monitor.trap(&mut frame), Next::Resume);
    assert_eq!(frame.pc, PC + 4);
}

#[test]
fn a_device_of_the_monitor_answers_where_qemu_has_none() {
    let mut monitor = boot("monitor.models=0,1,0 --");
    let frame = access(&mut monitor, LOAD, CONFIG | SHARED | 0x8000);
    assert_eq!(frame.x[3], 0x1042_1af4);
    let frame = access(&mut monitor, LOAD, CONFIG | SHARED | 0x1_0000);
    assert_eq!(frame.x[3], 0xffff_ffff);
    store(&mut monitor, CONFIG + 0x8010, BAR);
    store(&mut monitor, CONFIG + 0x8004, 6);
    // Features, of which the second half has VERSION_1 and ACCESS_PLATFORM.
    store(&mut monitor, BAR, 1);
    assert_eq!(access(&mut monitor, LOAD, (BAR + 4) | SHARED).x[3], 3);
    assert_eq!(violations(&monitor), [""; 0]);
}

#[test]
fn a_device_that_is_told_a_private_address_tells() {
    let mut monitor = boot("monitor.models=0,1,0 --");
    store(&mut monitor, CONFIG + 0x8010, BAR);
    store(&mut monitor, CONFIG + 0x8004, 6);
    for (offset, value) in [(32, PAGE), (40, PAGE + 0x1000), (48, PAGE + 0x2000)] {
        store(&mut monitor, BAR + offset, value);
    }
    store(&mut monitor, BAR + 28, 1);
    store(&mut monitor, BAR + 0x3000, 0);
    let told = violations(&monitor);
    assert!(
        told.iter().any(|one| one.contains("which is not shared")),
        "{told:?}"
    );
}

#[test]
fn private_bytes_in_a_shared_page_are_a_leak() {
    let mut monitor = boot("monitor.models=0,1,0 --");
    set_state(&mut monitor, PAGE, 0);
    monitor.machine.write(PAGE + 0x128, &[CANARY; 8]);
    print(&mut monitor, "payload: ok");
    assert_eq!(call(&mut monitor, &[SYSTEM_OFF]).0, Next::SystemOff);
    assert!(told(&monitor, "\"outcome\":\"leak\""));
}

/// It is gone at the end, as the device wrote over it.
#[test]
fn private_bytes_in_what_a_device_is_lent_are_a_leak() {
    let mut monitor = boot("monitor.models=0,0,1 --");
    set_state(&mut monitor, PAGE, 0);
    store(&mut monitor, CONFIG + 0x8010, BAR);
    store(&mut monitor, CONFIG + 0x8004, 6);
    let (descriptors, available, used, buffer) = (PAGE, PAGE + 0x400, PAGE + 0x600, PAGE + 0xc00);
    let descriptor = [buffer | SHARED, 64 | 2 << 32];
    let bytes: Vec<u8> = descriptor
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .collect();
    monitor.machine.write(descriptors, &bytes);
    monitor.machine.write(available, &[0, 0, 1, 0, 0, 0]);
    monitor.machine.write(buffer + 16, &[CANARY; 8]);
    for (offset, value) in [(32, descriptors), (40, available), (48, used)] {
        store(&mut monitor, BAR + offset, value & 0xffff_ffff);
        store(&mut monitor, BAR + offset + 4, (value | SHARED) >> 32);
    }
    store(&mut monitor, BAR + 28, 1);
    store(&mut monitor, BAR + 0x3000, 0);
    let mut after = [0; 8];
    monitor.machine.read(buffer + 16, &mut after);
    assert_ne!(after, [CANARY; 8], "the device has written");
    print(&mut monitor, "payload: ok");
    assert_eq!(call(&mut monitor, &[SYSTEM_OFF]).0, Next::SystemOff);
    assert!(told(&monitor, "\"outcome\":\"leak\""));
}

#[test]
fn a_round_starts_with_everything_as_it_was() {
    let mut monitor = boot("monitor.models=0,1,0 monitor.rounds=2 --");
    let code = GUEST_ENTRY + 0x40;
    monitor.machine.write(code, &[1, 2, 3]);
    set_state(&mut monitor, PAGE, 0);
    assert_eq!(
        call(&mut monitor, &[RSI_MEASUREMENT_EXTEND, 1, 32, 7]).1[0],
        0
    );
    let extended = monitor.realm.measurements.get(1).to_vec();
    print(&mut monitor, "payload: ok");
    assert_eq!(call(&mut monitor, &[SYSTEM_OFF]).0, Next::Restart);
    let mut bytes = [9; 3];
    monitor.machine.read(code, &mut bytes);
    assert_eq!(bytes, [0; 3]);
    assert!(monitor.is_private(PAGE));
    assert_ne!(monitor.realm.measurements.get(1), extended);
    let granule = monitor.memory.granule(PAGE).unwrap();
    assert!(monitor.stage2.is_mapped(Side::Protected, granule));
    assert!(!monitor.stage2.is_mapped(Side::Shared, granule));
    print(&mut monitor, "payload: failed: x");
    assert_eq!(call(&mut monitor, &[SYSTEM_OFF]).0, Next::SystemOff);
    assert!(told(&monitor, "\"outcome\":\"ok\"") && told(&monitor, "\"outcome\":\"error\""));
}

#[test]
fn a_guest_that_says_nothing_for_too_long_hangs() {
    let mut monitor = boot("monitor.models=0,1,0 monitor.tick=100 monitor.budget=5 --");
    assert_eq!(monitor.tick(PC), Next::Resume);
    monitor.machine.time.set(5_000_001);
    assert_eq!(monitor.tick(PC), Next::SystemOff);
    assert!(told(&monitor, "\"outcome\":\"hang\""));
}

#[test]
fn a_guest_that_computes_or_asks_for_too_long_hangs_however_little_time_that_is() {
    let mut monitor = boot("monitor.models=0,1,0 monitor.tick=100 monitor.instructions=5000 --");
    for _ in 0..2 {
        let before = monitor.machine.instructions.get();
        monitor
            .machine
            .instructions
            .set(before.wrapping_add(2_500_000_000));
        assert_eq!(monitor.tick(PC), Next::Resume, "the counter has 32 bits");
    }
    let before = monitor.machine.instructions.get();
    monitor.machine.instructions.set(before.wrapping_add(1));
    assert_eq!(monitor.tick(PC), Next::SystemOff);
    assert!(
        told(&monitor, "\"outcome\":\"hang\"") && told(&monitor, "\"instructions\":5000000001")
    );

    let mut monitor = boot("monitor.models=0,1,0 monitor.traps=1 --");
    for _ in 0..1000 {
        access(&mut monitor, LOAD, CONFIG | SHARED | 0x8000);
    }
    let mut frame = Frame {
        esr: LOAD,
        far: CONFIG | SHARED | 0x8000,
        hpfar: (CONFIG | SHARED | 0x8000) >> 12 << 4,
        pc: PC,
        pstate: EL1H,
        ..Frame::default()
    };
    assert_eq!(monitor.trap(&mut frame), Next::SystemOff);
    assert!(told(&monitor, "\"outcome\":\"hang\"") && told(&monitor, "\"traps\":1001"));
}

/// Where the guest puts the first table of the ITS.
const DEVICE_TABLE: u64 = PAGE;

/// The ITS of a guest that gave it a table in [`DEVICE_TABLE`], in which device 1 has an entry.
fn use_its(monitor: &mut Monitor<Fake>) {
    // By a call, there would be a lie at its trap already.
    let shared = crate::granules::Ripas::Empty;
    monitor.realm.granules.set(PAGE, shared);
    for (offset, value) in [(0x100, 1 << 63 | DEVICE_TABLE), (0, 1)] {
        let _ = monitor.machine.store(ITS + offset, Width::Double, value);
    }
    monitor.machine.write(DEVICE_TABLE + 8 * 8, &[7; 8]);
}

/// The first entry of [`DEVICE_TABLE`].
fn first_entry(monitor: &Monitor<Fake>) -> [u8; 8] {
    let mut entry = [0; 8];
    monitor.machine.read(DEVICE_TABLE, &mut entry);
    entry
}

#[test]
fn a_device_of_the_monitor_sends_messages_and_lies_about_them() {
    let script = "entropy.vector@1=0x5";
    let mut monitor = boot(&format!("monitor.models=0,0,1 monitor.attack={script} --"));
    use_its(&mut monitor);
    store(&mut monitor, CONFIG + 0x8010, BAR);
    store(&mut monitor, CONFIG + 0x8004, 6);
    // An entry of the table, and the configuration by it: what is due when a ring is nowhere.
    for (offset, value) in [(0x4000, 0x0809_0040), (0x4008, 2), (0x400c, 0)] {
        store(&mut monitor, BAR + offset, value);
    }
    store_half(&mut monitor, BAR + 16, 0);
    store_half(&mut monitor, CONFIG + 0x8092, 0x8000);
    store(&mut monitor, BAR + 28, 1);
    store(&mut monitor, BAR + 0x3000, 0);
    assert_eq!(monitor.machine.stored(0x0809_0040), [2]);
    let entry = first_entry(&monitor);
    assert_eq!(entry, [7; 8], "the service knows a processor as device 0");
    store(&mut monitor, BAR + 0x3000, 0);
    assert_eq!(monitor.machine.stored(0x0809_0040), [2, 5]);
}

#[test]
fn messages_of_nobody_come_once_or_a_thousand_times() {
    let script = "interrupts.message@0=0x201,interrupts.flood@1=0x301";
    let mut monitor = boot(&format!(
        "monitor.models=0,0,1 monitor.attack={script} monitor.tick=100 --"
    ));
    use_its(&mut monitor);
    assert_eq!(monitor.tick(PC), Next::Resume);
    assert_eq!(monitor.machine.stored(0x0809_0040), [2]);
    for _ in 0..2000 {
        assert_eq!(monitor.tick(PC), Next::Resume);
    }
    let sent = monitor.machine.stored(0x0809_0040);
    assert_eq!(sent.iter().filter(|event| **event == 3).count(), 1000);
}

#[test]
fn what_was_a_table_of_the_service_is_no_table_while_it_is_off() {
    let script = "interrupts.message@0=0x201";
    let mut monitor = boot(&format!(
        "monitor.models=0,0,1 monitor.attack={script} monitor.tick=100 --"
    ));
    use_its(&mut monitor);
    let _ = monitor.machine.store(ITS, Width::Word, 0);
    assert_eq!(monitor.tick(PC), Next::Resume);
    assert_eq!(monitor.machine.stored(0x0809_0040), [0; 0]);
    assert_eq!(first_entry(&monitor), [0; 8], "a disk may have the page");
}

#[test]
fn what_a_guest_told_the_interrupt_controller_is_forgotten_in_the_next_round() {
    let mut monitor = boot("monitor.models=0,0,1 monitor.tick=100 monitor.rounds=2 --");
    use_its(&mut monitor);
    for (offset, table) in [
        (0x80, PAGE),
        (0x138, PAGE),
        (0x2_0070, PAGE),
        (0x2_0078, PAGE),
    ] {
        let _ = monitor.machine.store(ITS + offset, Width::Double, table);
    }
    print(&mut monitor, "payload: ok");
    assert_eq!(call(&mut monitor, &[SYSTEM_OFF]).0, Next::Restart);
    for offset in [0, 0x80, 0x100, 0x138, 0x2_0070, 0x2_0078] {
        let left = monitor.machine.load(ITS + offset, Width::Double);
        assert_eq!(left, Ok(0), "{offset:#x}");
    }
}

#[test]
fn the_timer_is_early_again_and_again_or_does_not_come_for_a_while() {
    const PENDING: u64 = 0x080b_0200;
    const ENABLE: u64 = 0x080b_0100;
    const DISABLE: u64 = 0x080b_0180;
    let script = "timer.early@0=0,timer.withhold@1=0x7d0,timer.storm@3=0";
    let mut monitor = boot(&format!(
        "monitor.models=0,0,1 monitor.attack={script} monitor.tick=100 --"
    ));
    assert_eq!(monitor.tick(PC), Next::Resume);
    assert_eq!(monitor.machine.stored(PENDING), [1 << 27]);
    let _ = monitor.machine.store(ENABLE, Width::Word, 1 << 27);
    assert_eq!(monitor.tick(PC), Next::Resume);
    assert_eq!(monitor.machine.stored(DISABLE).last(), Some(&(1 << 27)));
    // What the guest wants meanwhile is remembered.
    store(&mut monitor, DISABLE, 1 << 27);
    store(&mut monitor, ENABLE, 1 << 27 | 1);
    assert_eq!(monitor.machine.stored(ENABLE).last(), Some(&1));
    monitor.machine.time.set(2_000_001);
    assert_eq!(monitor.tick(PC), Next::Resume);
    assert_eq!(monitor.machine.stored(ENABLE).last(), Some(&(1 << 27)));
    for _ in 0..1100 {
        assert_eq!(monitor.tick(PC), Next::Resume);
    }
    assert_eq!(monitor.machine.stored(PENDING).len(), 1001);
}

#[test]
fn a_guest_that_is_not_let_off_does_not_hang() {
    let script = "psci8.refusal@0=0x1";
    let options = format!("monitor.models=0,1,0 monitor.attack={script} monitor.tick=100 --");
    let mut monitor = boot(&options);
    print(&mut monitor, "payload: failed: x");
    assert_eq!(
        call(&mut monitor, &[SYSTEM_OFF]),
        (Next::Resume, [1, 0, 0, 0])
    );
    assert_eq!(monitor.tick(PC), Next::Resume);
    monitor.machine.time.set(4_000_000);
    assert_eq!(monitor.tick(PC), Next::SystemOff);
    assert!(told(&monitor, "\"outcome\":\"error\""));
}

#[test]
fn a_script_changes_what_calls_and_devices_say() {
    let script = "rsi.refusal@1=0x2,disk.features@0=0x0,interrupts.spurious@0=0x23";
    let mut monitor = boot(&format!("monitor.models=0,1,0 monitor.attack={script} --"));
    assert_eq!(call(&mut monitor, &[0xc400_0190, 0x1_0000]).1[0], 0);
    assert_eq!(call(&mut monitor, &[0xc400_0190, 0x1_0000]).1[0], 2);
    store(&mut monitor, CONFIG + 0x8010, BAR);
    store(&mut monitor, CONFIG + 0x8004, 6);
    assert_eq!(access(&mut monitor, LOAD, (BAR + 4) | SHARED).x[3], 0);
    assert_ne!(access(&mut monitor, LOAD, (BAR + 4) | SHARED).x[3], 0);
    assert_eq!(monitor.machine.stored(0x0800_0204), [1 << 3]);
    let lies = "rsi.refusal@1=0x2,disk.features@0=0x0";
    print(&mut monitor, "payload: failed: x");
    let _ = call(&mut monitor, &[SYSTEM_OFF]);
    assert!(told(&monitor, lies));
}

#[test]
fn a_host_lets_changes_of_memory_come_as_far_as_it_likes() {
    // Nowhere, then a page each, then it refuses.
    let script = "rsi.progress@1=0x0,rsi.progress@3=0x1,rsi.progress@4=0x3";
    let mut monitor = boot(&format!("monitor.models=0,1,0 monitor.attack={script} --"));
    let (from, to) = (PAGE, PAGE + 4 * GRANULE);
    let mut set = || call(&mut monitor, &[RSI_IPA_STATE_SET, from, to, 0, 0]).1;
    assert_eq!(set()[..3], [0, to, 0]);
    assert_eq!(set()[..3], [0, from, 0]);
    assert_eq!(set()[..3], [0, from, 0]);
    assert_eq!(set()[..3], [0, from + GRANULE, 0]);
    assert_eq!(set()[..3], [0, from, 1]);
    // The host is no RMM, which is trusted: what comes of it is judged as strictly as what a device does.
    assert!(!monitor.attack.rmm_lied());
}

#[test]
fn a_ring_is_changed_behind_the_guests_back_and_comes_back() {
    // In the first page, its third word: all ones, for one tick.
    let value: u64 = 1 << 62 | 1 << 56 | 8;
    let script = format!("window.scribble@0={value:#x}");
    let mut monitor = boot(&format!(
        "monitor.models=0,1,0 monitor.attack={script} monitor.tick=100 --"
    ));
    set_state(&mut monitor, PAGE, 0);
    let word = |monitor: &Monitor<Fake>| {
        let mut bytes = [0; 4];
        monitor.machine.read(PAGE + 8, &mut bytes);
        u32::from_le_bytes(bytes)
    };
    assert_eq!(monitor.tick(PC), Next::Resume);
    assert_eq!(word(&monitor), u32::MAX);
    assert_eq!(monitor.tick(PC), Next::Resume);
    assert_eq!(word(&monitor), 0);
}

#[test]
fn the_guest_keeps_away_from_the_interrupt_of_the_monitor() {
    let mut monitor = boot("monitor.models=0,1,0 monitor.tick=100 --");
    store(&mut monitor, 0x080a_0000 + 0x1_0080, 0xffff_ffff);
    assert_eq!(
        monitor.machine.stored(0x080b_0080).last(),
        Some(&0xfbff_ffff)
    );
    attack::raise(&monitor.machine, 26);
    assert_eq!(monitor.machine.stored(0x080b_0200), [0; 0]);
}

/// The outcome of a guest that faults where no device is, after `script` has lied to a load of `address`.
fn outcome_of_a_fault(script: &str, address: u64) -> String {
    let mut monitor = boot(&format!("monitor.models=0,1,0 monitor.attack={script} --"));
    store(&mut monitor, CONFIG + 0x8010, BAR);
    store(&mut monitor, CONFIG + 0x8004, 6);
    access(&mut monitor, LOAD, address | SHARED);
    access(&mut monitor, LOAD, NOWHERE | SHARED);
    print(&mut monitor, "payload: failed: fault: x");
    let _ = call(&mut monitor, &[SYSTEM_OFF]);
    let lines = monitor.machine.lines.borrow();
    let told = lines.iter().find(|line| line.contains("\"outcome\":"));
    let outcome = told.and_then(|line| line.split("\"outcome\":\"").nth(1));
    let name = outcome.and_then(|rest| rest.split('"').next());
    String::from(name.expect("the round is told"))
}

#[test]
fn a_fault_where_no_device_is_is_an_end_only_after_a_lie_about_where_devices_are() {
    for (script, address) in [
        ("interrupts.redistributor@0=0x7", 0x080a_0008),
        ("bus.identity@0=0x10421af4", CONFIG + 0x1_0000),
    ] {
        assert_eq!(outcome_of_a_fault(script, address), "stop", "{script}");
    }
    let lie = "disk.features@0=0x0";
    assert_eq!(outcome_of_a_fault(lie, BAR + 4), "violation");
}

#[test]
fn a_lie_about_the_tree_is_there_before_the_guest_and_gone_in_the_next_round() {
    // Bit 3 of byte 5, which is of the size; 0x2c bytes in, the whole of a byte.
    let script = "tree.content@0=0x2c01aa";
    let options = format!("monitor.models=0,1,0 monitor.attack={script} monitor.rounds=2 --");
    let mut monitor = boot(&options);
    let mut honest = boot("monitor.models=0,1,0 monitor.rounds=2 --");
    let byte = |monitor: &Monitor<Fake>| {
        let mut byte = [0];
        monitor.machine.read(GUEST_TREE + 0x2c, &mut byte);
        byte[0]
    };
    assert_ne!(byte(&honest), 0xaa);
    assert_eq!(byte(&monitor), 0xaa);
    // A guest that finds no console says nothing, and cannot.
    assert_eq!(call(&mut monitor, &[SYSTEM_OFF]).0, Next::Restart);
    assert!(told(&monitor, "\"outcome\":\"stop\""));
    assert_eq!(call(&mut honest, &[SYSTEM_OFF]).0, Next::Restart);
    assert!(told(&honest, "\"outcome\":\"violation\""));
    assert_eq!(byte(&monitor), 0xaa, "the second round has the same script");
    monitor.options.attack.lies = 0;
    monitor.machine.restore(GUEST_RAM..GUEST_ENTRY);
    assert_eq!(byte(&monitor), byte(&honest));
}

#[test]
fn the_other_processor_writes_to_shared_pages_only_and_to_none_that_changes_halves() {
    let script = "window.race@0=0x7,window.race@1=0x1000007";
    let more = "monitor.tick=100 monitor.race=yes";
    let mut monitor = boot(&format!(
        "monitor.models=0,1,0 monitor.attack={script} {more} --"
    ));
    assert_eq!(monitor.tick(PC), Next::Resume);
    assert!(!monitor.machine.racing.get(), "nothing is shared yet");
    set_state(&mut monitor, PAGE, 0);
    assert_eq!(monitor.tick(PC), Next::Resume);
    let races = monitor.machine.races.borrow().clone();
    assert!(monitor.machine.racing.get());
    assert!(
        races
            .iter()
            .all(|(at, times)| (PAGE..PAGE + GRANULE).contains(at) && *times != 0)
    );
    set_state(&mut monitor, PAGE, 1);
    assert!(!monitor.machine.racing.get());
}
