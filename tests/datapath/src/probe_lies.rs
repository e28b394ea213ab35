//! Devices that lie while they are started. Nothing is allocated by their numbers.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use testkit::fake_pci::ConfigSpace;
use testkit::fake_virtio::{FakeBlock, FakeVirtio, Style, feature};
use virtio::{Block, Environment, Error, Features, Part};

use crate::setup::{DISK, QUEUE, at, disk_pool, rig, start_lying_disk};

const FEATURE: u64 = 4;
const NUM_QUEUES: u64 = 18;
const STATUS: u64 = 20;
const GENERATION: u64 = 21;
const QUEUE_SIZE: u64 = 24;
const QUEUE_ENABLE: u64 = 28;
const NOTIFY_OFF: u64 = 30;

/// Starts a disk of which register `at` reads as `lie` makes it.
fn start(at: u64, lie: impl Fn(u32) -> u32 + 'static) -> Option<Error> {
    let started = start_lying_disk(move |register, honest| match register == at {
        true => lie(honest),
        false => honest,
    });
    started.err()
}

/// Starts a disk after `change` was made to its configuration space.
pub(crate) fn start_changed(
    style: Style,
    change: impl FnOnce(&mut ConfigSpace),
) -> Result<Block, Error> {
    let rig = rig(style);
    rig.plug(DISK, Rc::new(RefCell::new(FakeBlock::new(8))));
    rig.pci.change(at(DISK), change);
    let started = rig.block(DISK, disk_pool());
    assert_eq!(rig.pci.died(), None);
    started
}

/// Case 13: sizes that no queue of ours has.
#[test]
fn a_bad_queue_size_is_refused() {
    for size in [0, 1, 2, 3, 5, 255, 257, 512, 0x8000, 0xffff] {
        let refused = Error::QueueSize {
            queue: 0,
            size: size as u16,
        };
        assert_eq!(start(QUEUE_SIZE, move |_| size), Some(refused));
    }
}

/// Case 13: a larger queue that can be made smaller is.
#[test]
fn a_queue_larger_than_ours_is_made_smaller() {
    for size in [512, 1024, 0x8000, 0xffff] {
        let mut rig = rig(Style::Qemu);
        rig.queue_size = size;
        let device = rig.plug(DISK, Rc::new(RefCell::new(FakeBlock::new(8))));
        if !cfg!(miri) {
            let disk = rig.block(DISK, disk_pool()).unwrap();
            assert_eq!(device.queue(0).size, 256);
            drop(disk);
        }
    }
}

/// Case 13: the fixed size of lkvm is used as it is.
#[test]
fn a_queue_that_cannot_be_changed_is_used_as_it_is() {
    let rig = rig(Style::Lkvm);
    let device = rig.plug(DISK, Rc::new(RefCell::new(FakeBlock::new(8))));
    let _disk = rig.block(DISK, disk_pool()).unwrap();
    assert_eq!(device.queue(0).size, QUEUE);
}

/// Case 14.
#[test]
fn a_doorbell_outside_its_part_is_refused() {
    for offset in [0x400, 0x8000, 0xffff] {
        let at = u64::from(offset) * 4;
        let refused = Error::Doorbell { queue: 0, at };
        assert_eq!(start(NOTIFY_OFF, move |_| offset), Some(refused));
    }
}

/// Case 14: the multiplier, which 32 bits would let overflow.
#[test]
fn a_doorbell_that_overflows_is_refused() {
    let rig = rig(Style::Qemu);
    let device = rig.plug(DISK, Rc::new(RefCell::new(FakeBlock::new(8))));
    rig.pci.change(at(DISK), |config| {
        let notify = find_part(config, 2);
        config.set32(notify + 16, u32::MAX);
    });
    device.lie(|l| {
        l.registers = Some(Box::new(|at, honest| match at {
            NOTIFY_OFF => 0xffff,
            _ => honest,
        }));
    });
    let at = 0xffff * u64::from(u32::MAX);
    let refused = Error::Doorbell { queue: 0, at };
    assert_eq!(rig.block(DISK, disk_pool()).err(), Some(refused));
}

/// Case 15.
#[test]
fn a_device_without_queues_is_refused_and_more_queues_are_ignored() {
    let none = Error::QueueRefused { queue: 0 };
    assert_eq!(start(NUM_QUEUES, |_| 0), Some(none));
    assert_eq!(start(NUM_QUEUES, |_| 0xffff), None);
}

#[test]
fn a_queue_that_does_not_start_is_refused() {
    let refused = Error::QueueRefused { queue: 0 };
    assert_eq!(start(QUEUE_ENABLE, |_| 0), Some(refused));
    assert_eq!(start(QUEUE_ENABLE, |_| 0xffff), Some(refused));
}

/// Offers nothing of `without` in either word.
fn start_without(environment: Environment, without: u64) -> Result<Block, Error> {
    let mut rig = rig(Style::Qemu);
    rig.environment = environment;
    let device = rig.plug(DISK, Rc::new(RefCell::new(FakeBlock::new(8))));
    device.lie(|l| l.registers = Some(Box::new(hide(without))));
    rig.block(DISK, disk_pool())
}

/// Hides the features in `without`: the driver reads word 0, then word 1.
fn hide(without: u64) -> impl FnMut(u64, u32) -> u32 {
    let high = Cell::new(false);
    move |at, honest| match at {
        FEATURE if high.replace(!high.get()) => honest & !((without >> 32) as u32),
        FEATURE => honest & !(without as u32),
        _ => honest,
    }
}

/// Case 16.
#[test]
fn a_device_without_the_features_of_a_realm_is_refused() {
    let version = start_without(Environment::Realm, feature::VERSION_1).err();
    assert_eq!(version, Some(Error::MissingFeature { bit: 32 }));
    let platform = start_without(Environment::Realm, feature::ACCESS_PLATFORM).err();
    assert_eq!(platform, Some(Error::MissingFeature { bit: 33 }));
}

/// Case 16: an ordinary machine needs one of the two.
#[test]
fn a_machine_needs_version_1_alone() {
    assert!(start_without(Environment::Machine, feature::ACCESS_PLATFORM).is_ok());
    let version = start_without(Environment::Machine, feature::VERSION_1).err();
    assert_eq!(version, Some(Error::MissingFeature { bit: 32 }));
}

/// Case 17.
#[test]
fn features_ok_that_does_not_stick_is_refused() {
    let refused = start(STATUS, |honest| honest & !8);
    assert_eq!(refused, Some(Error::FeaturesRefused));
}

/// Case 17: what was accepted is no longer offered.
#[test]
fn features_that_change_are_refused() {
    let reads = Cell::new(0);
    let changed = start(FEATURE, move |honest| {
        reads.set(reads.get() + 1);
        if reads.get() > 2 { 0 } else { honest }
    });
    assert_eq!(changed, Some(Error::FeaturesChanged));
}

/// Case 18.
#[test]
fn features_that_we_do_not_know_are_not_accepted() {
    let rig = rig(Style::Qemu);
    let device = rig.plug(DISK, Rc::new(RefCell::new(FakeBlock::new(8))));
    device.lie(|l| {
        l.registers = Some(Box::new(|at, honest| match at {
            FEATURE => u32::MAX,
            _ => honest,
        }));
    });
    let disk = rig.block(DISK, disk_pool()).unwrap();
    let common = Features::VERSION_1 | Features::ACCESS_PLATFORM | Features::EVENT_IDX;
    let known = common | Features::BLK_RO | Features::BLK_FLUSH | Features::BLK_SEG_MAX;
    assert_eq!(device.accepted(), known.bits());
    assert_eq!(device.accepted() & (feature::PACKED | feature::INDIRECT), 0);
    assert!(block::BlockDevice::read_only(&disk));
}

/// Case 19.
#[test]
fn a_device_that_never_leaves_reset_is_given_up() {
    assert_eq!(start(STATUS, |_| 0x0f), Some(Error::ResetTimedOut));
    assert_eq!(start(STATUS, |_| 0xff), Some(Error::ResetTimedOut));
}

/// Case 19: at the very start, a device that has failed.
#[test]
fn a_device_that_fails_while_it_is_started_is_refused() {
    let needs_reset = start(STATUS, |honest| {
        if honest & 4 == 0 {
            honest
        } else {
            honest | 0x40
        }
    });
    assert_eq!(needs_reset, Some(Error::NeedsReset));
    let lost = start(STATUS, |honest| if honest & 4 == 0 { honest } else { 3 });
    assert_eq!(lost, Some(Error::StatusLost { status: 3 }));
}

/// Case 20.
#[test]
fn a_configuration_that_never_settles_is_given_up() {
    let generation = Cell::new(0);
    let restless = start(GENERATION, move |_| {
        generation.set(generation.get() + 1);
        generation.get() & 0xff
    });
    assert_eq!(restless, Some(Error::ConfigUnstable));
}

#[test]
fn a_configuration_that_settles_is_read() {
    let reads = Cell::new(0);
    let settled = start(GENERATION, move |_| {
        reads.set(reads.get() + 1);
        u32::min(reads.get(), 4)
    });
    assert_eq!(settled, None);
}

/// The offset of the capability of part `kind`.
pub(crate) fn find_part(config: &mut ConfigSpace, kind: u8) -> usize {
    let bytes = config.bytes();
    let mut at = usize::from(bytes[0x34]);
    while bytes[at] != 9 || bytes[at + 3] != kind {
        at = usize::from(bytes[at + 1]);
        assert_ne!(at, 0, "the part has a capability");
    }
    at
}

/// Case 23.
#[test]
fn a_part_that_cannot_be_is_not_used() {
    type Change = fn(&mut [u8; 256], usize);
    let changes: [(&str, Change); 8] = [
        ("cap_len too short", |b, at| b[at + 2] = 15),
        ("cap_len 0", |b, at| b[at + 2] = 0),
        ("BAR 6", |b, at| b[at + 4] = 6),
        ("BAR 255", |b, at| b[at + 4] = 255),
        ("no length", |b, at| b[at + 12..at + 16].fill(0)),
        ("offset and length overflow", |b, at| {
            b[at + 8..at + 12].copy_from_slice(&0xffff_fffc_u32.to_le_bytes());
            b[at + 12..at + 16].fill(0xff);
        }),
        ("too short for its registers", |b, at| {
            b[at + 12..at + 16].copy_from_slice(&55_u32.to_le_bytes());
        }),
        ("off its alignment", |b, at| b[at + 8] |= 1),
    ];
    for (name, change) in changes {
        for style in [Style::Qemu, Style::Lkvm] {
            let started = start_changed(style, |config| {
                let at = find_part(config, 1);
                change(config.bytes(), at);
            });
            let missing = Error::MissingPart(Part::Common);
            assert_eq!(started.err(), Some(missing), "{name}");
        }
    }
}

/// Case 23: a part that is longer than its BAR.
#[test]
fn a_part_past_the_end_of_its_bar_is_refused() {
    for (style, error) in [
        (
            Style::Qemu,
            Error::Pci(pci::Error::BarSize {
                bar: 4,
                size: 0x4000,
            }),
        ),
        (
            Style::Lkvm,
            Error::Pci(pci::Error::OutsideWindows {
                address: 0x5000_1000,
                len: 0x4000_0038,
            }),
        ),
    ] {
        let started = start_changed(style, |config| {
            let at = find_part(config, 1);
            config.set32(at + 8, 0x4000_0000);
        });
        assert_eq!(started.err(), Some(error));
    }
}

#[test]
fn each_part_is_needed() {
    let parts = [
        (1, Part::Common),
        (2, Part::Notify),
        (3, Part::Isr),
        (4, Part::Device),
    ];
    for (kind, part) in parts {
        let started = start_changed(Style::Qemu, |config| {
            let at = find_part(config, kind);
            config.bytes()[at + 3] = 99;
        });
        assert_eq!(started.err(), Some(Error::MissingPart(part)));
    }
}

#[test]
fn a_device_without_modern_parts_is_called_legacy() {
    let started = start_changed(Style::Qemu, |config| config.bytes()[0x34] = 0);
    assert_eq!(started.err(), Some(Error::LegacyOnly));
}

/// Case 15: a device configuration too short for what is in it.
#[test]
fn a_device_configuration_that_ends_too_early_is_refused() {
    let started = start_changed(Style::Qemu, |config| {
        let at = find_part(config, 4);
        config.set32(at + 12, 4);
    });
    assert_eq!(started.err(), Some(Error::Config { at: 4 }));
}

#[test]
fn a_pool_that_is_too_small_is_an_error_and_the_device_is_reset() {
    let rig = rig(Style::Qemu);
    let device: Rc<FakeVirtio> = rig.plug(DISK, Rc::new(RefCell::new(FakeBlock::new(8))));
    let started = rig.block(DISK, 4096);
    assert!(matches!(started.err(), Some(Error::Bounce(_))));
    assert_eq!(device.status(), 0);
    let counters = rig.region.counters()[0].1;
    assert_eq!((counters.leased, counters.exhausted), (0, 1));
}
