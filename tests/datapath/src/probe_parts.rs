//! Where the parts of a device are, at the edges of what their capabilities may say.

use std::cell::RefCell;
use std::rc::Rc;

use testkit::fake_pci::ConfigSpace;
use testkit::fake_virtio::{FakeBlock, Style};
use virtio::{Error, Part};

use crate::probe_lies::{find_part, start_changed};
use crate::setup::{DISK, STYLES, rig};

/// Kinds of parts.
const COMMON: u8 = 1;
const NOTIFY: u8 = 2;

/// Moves the capability of part `kind`, `len` bytes long, to `to`.
fn move_part(config: &mut ConfigSpace, kind: u8, len: usize, to: usize) {
    let from = find_part(config, kind);
    let bytes = config.bytes();
    bytes.copy_within(from..from + len.min(256 - to), to);
    let links = [0x34, 0x41, 0x4d, 0x5d, 0x6d, 0x7d];
    let link = links
        .into_iter()
        .find(|link| usize::from(bytes[*link]) == from);
    bytes[link.expect("something points to it")] = to as u8;
}

#[test]
fn the_runs_of_registers_are_where_the_parts_say() {
    for &style in STYLES {
        let rig = rig(style);
        rig.plug(DISK, Rc::new(RefCell::new(FakeBlock::new(8))));
        let transport = rig.open(DISK).unwrap();
        let (bar, parts) = match style {
            // Common, doorbells, interrupt status, and what is the disk's own.
            Style::Qemu => (
                4,
                [
                    (0, 0x1000),
                    (0x3000, 0x1000),
                    (0x1000, 0x1000),
                    (0x2000, 0x1000),
                ],
            ),
            Style::Lkvm => (1, [(0, 0x38), (0x38, 4), (0x3c, 4), (0x40, 0xc0)]),
        };
        let bar = transport.bars().address(bar).unwrap();
        let runs = parts.map(|(offset, len)| (bar + offset, len));
        assert_eq!(transport.register_runs(), runs);
    }
}

#[test]
fn a_device_without_a_driver_is_reset_and_one_that_stays_as_it_was_is_an_error() {
    for (never_resets, outcome) in [(false, Ok(())), (true, Err(Error::ResetTimedOut))] {
        let rig = rig(Style::Qemu);
        let device = rig.plug(DISK, Rc::new(RefCell::new(FakeBlock::new(8))));
        device.needs_reset();
        let before = device.resets();
        device.lie(|lies| lies.never_resets = never_resets);
        assert_eq!(rig.open(DISK).unwrap().quiesce(), outcome);
        assert_eq!(device.resets(), before + u64::from(!never_resets));
    }
}

/// Case 23: the multiplier lies behind what other parts have.
#[test]
fn a_part_for_doorbells_without_a_multiplier_is_not_used() {
    for len in [0, 12, 16, 19, 20, 255] {
        let started = start_changed(Style::Qemu, |config| {
            let at = find_part(config, NOTIFY);
            config.bytes()[at + 2] = len;
        });
        let missing = (len < 20).then_some(Error::MissingPart(Part::Notify));
        assert_eq!(started.err(), missing, "{len} bytes");
    }
}

/// Case 23: nothing is read behind the configuration space.
#[test]
fn a_part_may_end_with_the_configuration_space_and_not_behind() {
    let parts = [
        (COMMON, Part::Common, 16, 0xf0),
        (NOTIFY, Part::Notify, 20, 0xec),
    ];
    for (kind, part, len, last) in parts {
        for (to, missing) in [(last, None), (last + 4, Some(Error::MissingPart(part)))] {
            let started = start_changed(Style::Qemu, |config| move_part(config, kind, len, to));
            assert_eq!(started.err(), missing, "at {to:#x}");
        }
    }
}

/// Case 23: a device may offer several, and the first that can be is used.
#[test]
fn a_part_in_a_bar_that_does_not_exist_leaves_the_next_to_be_used() {
    let started = start_changed(Style::Qemu, |config| {
        let first = find_part(config, COMMON);
        let next: Vec<_> = config.bytes()[first + 2..first + 16].to_vec();
        config.capability(0x09, &next);
        config.bytes()[first + 4] = 6;
    });
    assert_eq!(started.err(), None);
}
