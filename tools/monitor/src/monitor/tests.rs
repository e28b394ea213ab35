//! Claims about traps, on a machine that only remembers.

extern crate std;
use std::boxed::Box;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::format;
use std::string::String;
use std::vec::Vec;

use core::fmt;
use core::ops::Range;

use super::*;
use crate::devtree::tests::{Tree, machine};
use crate::inject::Injection;
use crate::layout::{GRANULE, GUEST_ENTRY, GUEST_RAM};
use crate::machine::Abort;
use crate::psci;
use crate::stage2::Side;
use crate::syndrome::Width;

mod fake;
mod mapped;
mod storm;

use self::fake::Fake;

const SHARED: u64 = 1 << 40;
const UART: u64 = 0x0900_0000;
const SMMU: u64 = 0x0905_0000;
const ITS: u64 = 0x0808_0000;
const CONFIG: u64 = 0x40_1000_0000;
const PC: u64 = GUEST_ENTRY + 0x100;
const EL1H: u64 = 0x3c5;
/// A word from or to register 3, at a translation fault.
const LOAD: u64 = 0x9383_0005;
const STORE: u64 = LOAD | 1 << 6;
/// The same without a valid syndrome.
const STORE_WRITE_BACK: u64 = 0x9200_0045;
const FETCH: u64 = 0x8200_000f;
const SMC: u64 = 0x5e00_0000;
const HVC: u64 = 0x5a00_0000;
const RSI_IPA_STATE_SET: u64 = 0xc400_0197;

fn storage() -> &'static Storage {
    let big = std::thread::Builder::new().stack_size(128 << 20);
    big.spawn(|| &*Box::leak(Box::new(Storage::new())))
        .unwrap()
        .join()
        .unwrap()
}

fn boot(arguments: &str) -> Monitor<Fake> {
    let tree: &'static [u8] = machine(&Tree {
        arguments,
        ..Tree::default()
    })
    .leak();
    let booted = Monitor::boot(Fake::with_image(), tree, storage());
    booted.unwrap_or_else(|refusal| panic!("{refusal}")).monitor
}

fn refusal(fake: Fake, tree: &Tree<'_>) -> String {
    let tree: &'static [u8] = machine(tree).leak();
    match Monitor::boot(fake, tree, storage()) {
        Ok(_) => panic!("it boots"),
        Err(refusal) => format!("{refusal}"),
    }
}

/// The registers after an access that `esr` describes, to `address`, with 0x155 in register 3.
fn access(monitor: &mut Monitor<Fake>, esr: u64, address: u64) -> Frame {
    let mut frame = Frame {
        esr,
        far: address,
        hpfar: address >> 12 << 4,
        pc: PC,
        pstate: EL1H,
        ..Frame::default()
    };
    frame.x[3] = 0x155;
    assert_eq!(monitor.trap(&mut frame), Next::Resume);
    frame
}

fn call(monitor: &mut Monitor<Fake>, given: &[u64]) -> (Next, [u64; 4]) {
    let mut frame = Frame {
        esr: SMC,
        pc: PC,
        pstate: EL1H,
        ..Frame::default()
    };
    frame.x[..given.len()].copy_from_slice(given);
    let next = monitor.trap(&mut frame);
    assert_eq!(frame.pc, PC + 4);
    (next, frame.x[..4].try_into().unwrap())
}

fn set_state(monitor: &mut Monitor<Fake>, page: u64, state: u64) {
    let (_, x) = call(
        monitor,
        &[RSI_IPA_STATE_SET, page, page + GRANULE, state, 1],
    );
    assert_eq!(x, [0, page + GRANULE, 0, 0]);
}

fn violations(monitor: &Monitor<Fake>) -> Vec<String> {
    monitor
        .violations
        .iter()
        .map(|(violation, _)| format!("{violation}"))
        .collect()
}

/// Whether the guest got an external abort for its access, and the monitor says `text`.
fn is_refused(monitor: &Monitor<Fake>, frame: &Frame, text: &str) {
    assert_eq!((frame.pc, frame.pstate), (0x1200, EL1H));
    let injected = monitor.machine.injected.borrow();
    assert!(
        injected
            .iter()
            .all(|(esr, from)| esr & 0x3f == 0x10 && *from == PC)
    );
    let told = violations(monitor);
    assert!(told.iter().any(|one| one.contains(text)), "{told:?}");
    assert!(told.len() == 1 && monitor.counters.stage2_faults > 0);
}

#[test]
fn a_register_in_the_shared_half_is_read_and_written_for_the_guest() {
    let mut monitor = boot("");
    let frame = access(&mut monitor, STORE, UART | SHARED);
    assert_eq!(
        (frame.pc, monitor.machine.stored(UART)),
        (PC + 4, std::vec![0x155])
    );
    monitor
        .machine
        .registers
        .borrow_mut()
        .insert(UART + 0x18, 0x90);
    let frame = access(&mut monitor, LOAD, UART | SHARED | 0x18);
    assert_eq!(frame.x[3], 0x90);
    assert_eq!(
        (
            monitor.counters.total().reads,
            monitor.counters.total().writes
        ),
        (1, 1)
    );
    assert_eq!(violations(&monitor), [""; 0]);
}

#[test]
fn a_register_in_the_private_half_is_not_touched() {
    let mut monitor = boot("");
    let frame = access(&mut monitor, STORE, UART);
    is_refused(&monitor, &frame, "touched in the private half");
    assert_eq!(monitor.machine.stored(UART), [0; 0]);
}

#[test]
fn an_access_that_no_host_can_repeat_is_not_carried_out() {
    let mut monitor = boot("");
    let frame = access(&mut monitor, STORE_WRITE_BACK, UART | SHARED);
    is_refused(&monitor, &frame, "no valid syndrome");
    assert_eq!(monitor.machine.stored(UART), [0; 0]);
}

#[test]
fn an_unaligned_access_is_refused_before_the_monitor_would_fault() {
    let mut monitor = boot("");
    let frame = access(&mut monitor, LOAD, UART | SHARED | 2);
    is_refused(&monitor, &frame, "unaligned");
}

#[test]
fn closed_devices_and_memory_of_the_monitor_are_out_of_reach() {
    for (address, text) in [
        (0x0902_0000 | SHARED, "no device for realms"),
        (SMMU | SHARED, "no device for realms"),
        (0x4020_0000 | SHARED, "no device for realms"),
        (0x4020_0000, "not RAM"),
        (GUEST_RAM | SHARED, "shared alias of private page"),
        (1 << 41, "beyond the address width"),
    ] {
        let mut monitor = boot("");
        let frame = access(&mut monitor, LOAD, address);
        is_refused(&monitor, &frame, text);
    }
}

#[test]
fn a_page_is_in_one_half_and_devices_reach_it_only_there() {
    let mut monitor = boot("monitor.content=noise --");
    let page = GUEST_RAM + 0x80_0000;
    let granule = monitor.memory.granule(page).unwrap();
    let sides = |monitor: &Monitor<Fake>| {
        [Side::Protected, Side::Shared].map(|side| monitor.stage2.is_mapped(side, granule))
    };
    assert_eq!(sides(&monitor), [true, false]);
    monitor.machine.write(page, b"secret");
    set_state(&mut monitor, page, 0);
    assert_eq!(sides(&monitor), [false, true]);
    let mut bytes = [0; 6];
    monitor.machine.read(page, &mut bytes);
    assert_ne!(&bytes, b"secret");
    assert_ne!(bytes, [0; 6]);
    let frame = access(&mut monitor, LOAD, page);
    is_refused(&monitor, &frame, "not RAM");
    let commands = monitor.machine.stored(SMMU + 0x98).len();
    set_state(&mut monitor, page, 1);
    assert_eq!(sides(&monitor), [true, false]);
    let forgotten = monitor.machine.stored(SMMU + 0x98).len() - commands;
    assert_eq!(
        forgotten, 2,
        "the SMMU has to forget a page that became private"
    );
}

#[test]
fn code_in_the_shared_half_does_not_run() {
    let mut monitor = boot("");
    let frame = access(&mut monitor, FETCH, GUEST_RAM | SHARED);
    is_refused(&monitor, &frame, "code in the shared half");
    assert_eq!(monitor.machine.injected.borrow()[0].0, 0x8600_0210);
}

#[test]
fn hvc_is_an_undefined_instruction() {
    let mut monitor = boot("");
    let mut frame = Frame {
        esr: HVC,
        pc: PC + 4,
        pstate: EL1H,
        ..Frame::default()
    };
    monitor.trap(&mut frame);
    assert_eq!(
        monitor.machine.injected.borrow()[..],
        [(0x0200_0000, PC + 4)]
    );
    assert_eq!(violations(&monitor), [""; 0]);
}

#[test]
fn calls_that_nobody_implements_are_not_supported() {
    let mut monitor = boot("");
    for function in [
        0xc400_019a,
        0xc400_01b0,
        0x8000_0001,
        0x8400_0050,
        0xffff_ffff,
    ] {
        assert_eq!(call(&mut monitor, &[function]).1[0], u64::MAX);
    }
    assert_eq!(call(&mut monitor, &[0x8000_0000]).1[0], 0x1_0002);
    let mut none = boot("monitor.rsi=none --");
    assert_eq!(call(&mut none, &[0xc400_0190, 0x1_0000]).1[0], u64::MAX);
}

#[test]
fn another_processor_starts_in_private_memory_only() {
    let mut monitor = boot("");
    let start = |monitor: &mut Monitor<Fake>, mpidr, entry| {
        call(monitor, &[u64::from(psci::CPU_ON), mpidr, entry, 7]).1[0]
    };
    assert_eq!(
        start(&mut monitor, 1, GUEST_RAM | SHARED),
        psci::INVALID_ADDRESS
    );
    assert_eq!(start(&mut monitor, 2, PC), psci::INVALID_PARAMETERS);
    assert_eq!(start(&mut monitor, 99, PC), psci::INVALID_PARAMETERS);
    assert_eq!(start(&mut monitor, 1, PC), psci::SUCCESS);
    assert_eq!(
        monitor.start(1),
        Start {
            entry: PC,
            context: 7
        }
    );
    assert_eq!(monitor.start(2), Start::default());
}

#[test]
fn an_interrupt_table_in_private_memory_is_not_given_to_the_controller() {
    let mut monitor = boot("");
    let page = GUEST_RAM + 0x80_0000;
    let mut frame = Frame {
        esr: STORE | 1 << 22,
        far: 0x80,
        hpfar: (ITS | SHARED) >> 12 << 4,
        pc: PC,
        pstate: EL1H,
        ..Frame::default()
    };
    frame.x[3] = 1 << 63 | page;
    let mut give = |monitor: &mut Monitor<Fake>| {
        frame.pc = PC;
        monitor.trap(&mut frame);
    };
    give(&mut monitor);
    assert_eq!(monitor.machine.stored(ITS + 0x80), [0; 0]);
    assert!(violations(&monitor)[0].contains("its table"));
    set_state(&mut monitor, page, 0);
    give(&mut monitor);
    assert_eq!(monitor.machine.stored(ITS + 0x80), [1 << 63 | page]);
    set_state(&mut monitor, page, 1);
    assert!(violations(&monitor)[1].contains("became private while in use"));
}

#[test]
fn the_monitors_lines_stand_alone() {
    let mut monitor = boot("");
    access(&mut monitor, STORE, UART | SHARED);
    access(&mut monitor, LOAD, UART);
    monitor.report();
    let lines = monitor.machine.lines.borrow();
    assert_eq!(lines[0], "");
    assert!(lines[1].starts_with("monitor: violation: "));
    assert!(lines[2].starts_with("report: {"));
    let json: serde_json::Value = serde_json::from_str(&lines[2][8..]).unwrap();
    assert_eq!(json["violations"].as_array().unwrap().len(), 1);
    assert_eq!(json["shared_pages"], 0);
}

#[test]
fn power_off_and_reset_end_the_run() {
    let mut monitor = boot("");
    assert_eq!(call(&mut monitor, &[0x8400_0008]).0, Next::SystemOff);
    assert_eq!(call(&mut monitor, &[0x8400_0009]).0, Next::SystemOff);
    assert_eq!(call(&mut monitor, &[0x8400_0002]).0, Next::CpuOff);
    assert_eq!(call(&mut monitor, &[0xc400_0001]).0, Next::Wait);
}

#[test]
fn what_cannot_run_is_refused_with_what_to_do() {
    let plain = Tree::default();
    let no_smmu = Tree {
        smmu: false,
        ..plain
    };
    assert!(refusal(Fake::with_image(), &no_smmu).contains("iommu=smmuv3"));
    assert!(refusal(Fake::default(), &plain).contains("no arm64 Image"));
    let wrong = Tree {
        arguments: "monitor.dma=left --",
        ..plain
    };
    assert!(refusal(Fake::with_image(), &wrong).contains("monitor.dma=left"));
    let small = Tree {
        memory: 0x0300_0000,
        ..plain
    };
    assert!(refusal(Fake::with_image(), &small).contains("48 MiB of memory"));
    let disk = Tree {
        memory: 0x0480_0000,
        ..plain
    };
    assert!(refusal(Fake::with_image(), &disk).contains("initial RAM disk"));
    let short = Fake::with_image();
    short.address_bits.set(Some(40));
    assert!(refusal(short, &plain).contains("highmem=off"));
    let big = Fake::with_image();
    big.write(GUEST_ENTRY + 16, &(1u64 << 40).to_le_bytes());
    assert!(refusal(big, &plain).contains("more than there are"));
}

#[test]
fn a_device_that_would_go_round_the_smmu_is_refused() {
    let fake = Fake::with_image();
    let legacy = CONFIG + (8 << 12);
    for (offset, value) in [(0, 0x1000_1af4), (4, 0), (6, 0), (0x0e, 0)] {
        fake.registers.borrow_mut().insert(legacy + offset, value);
    }
    let text = refusal(fake, &Tree::default());
    assert!(
        text.contains("0000:00:01.0") && text.contains("ACCESS_PLATFORM"),
        "{text}"
    );
    let fake = Fake::with_image();
    fake.registers
        .borrow_mut()
        .extend([(CONFIG + 0x8000, 0x1234), (CONFIG + 0x800e, 1)]);
    assert!(refusal(fake, &Tree::default()).contains("bridge"));
}

mod attack;
