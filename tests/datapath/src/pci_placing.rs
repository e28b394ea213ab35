//! Where BARs go, and what becomes of the command register meanwhile.

use std::rc::Rc;

use pci::{Bars, Ecam, Error, Function, HostWindow, Placement, scan};
use testkit::fake_pci::{ConfigSpace, FakeEcam, FakePci};

use crate::setup::{Empty, at};

/// Bits of the command register: ports, memory, bus master, no wire, and two that are nobody's business here.
const IO: u16 = 1;
const MEMORY: u16 = 2;
const MASTER: u16 = 4;
const NO_WIRE: u16 = 0x400;
const OTHERS: u16 = 0x140;

/// What our window begins with.
const WINDOW: u64 = 0x5000_0000;

fn endpoint() -> ConfigSpace {
    ConfigSpace::endpoint(1, 1, 0)
}

/// A bridge with these functions, the first of them as device 1, and its configuration window.
fn bridge<const N: usize>(functions: [ConfigSpace; N]) -> (FakePci, Ecam<FakeEcam>) {
    let pci = FakePci::default();
    for (device, config) in (1..).zip(functions) {
        pci.plug(at(device), config, Rc::new(Empty));
    }
    let ecam = Ecam::new(pci.ecam(0), 0, 0).unwrap();
    (pci, ecam)
}

fn enable(
    ecam: &Ecam<FakeEcam>,
    placement: &mut Placement,
    device: u8,
    needs: [u64; 6],
) -> Result<Bars, Error> {
    let found = scan(ecam).functions;
    let identity = found.iter().find(|found| found.bdf == at(device)).unwrap();
    Function::new(ecam, *identity).enable(&needs, placement)
}

fn command(pci: &FakePci, device: u8) -> u16 {
    let mut command = 0;
    pci.change(at(device), |config| command = config.command());
    command
}

#[test]
fn a_function_that_is_started_decodes_memory_and_keeps_what_is_not_ours() {
    for found in [0, IO, NO_WIRE, OTHERS, IO | NO_WIRE | OTHERS] {
        for decoding in [0, MEMORY, MEMORY | MASTER] {
            let address = if decoding == 0 { 0 } else { WINDOW };
            let mut config = endpoint().bar(0, 0, 0x1000, address);
            config.set16(4, found | decoding);
            let (pci, ecam) = bridge([config]);
            let mut placement = Placement::new(&pci.windows(), &[]);
            let bars = enable(&ecam, &mut placement, 1, [1, 0, 0, 0, 0, 0]).unwrap();
            assert_eq!(bars.address(0), Some(WINDOW));
            let on = found & !NO_WIRE | MEMORY | MASTER;
            assert_eq!(command(&pci, 1), on, "found {found:#x} | {decoding}");
        }
    }
}

#[test]
fn nothing_decodes_while_bars_are_written_and_what_is_not_ours_is_kept() {
    for found in [0, IO, MASTER, IO | NO_WIRE | OTHERS] {
        let mut config = endpoint().bar(0, 0, 0x1000, 0).bar(1, 1, 0x20, 0);
        config.set16(4, found);
        let (pci, ecam) = bridge([config]);
        let mut placement = Placement::new(&pci.windows(), &[]);
        enable(&ecam, &mut placement, 1, [1, 0, 0, 0, 0, 0]).unwrap();
        pci.change(at(1), |config| {
            let seen = config.commands_at_bars();
            assert!(!seen.is_empty());
            assert!(seen.iter().all(|seen| *seen == found & !IO), "{seen:x?}");
        });
    }
}

#[test]
fn a_function_that_cannot_be_started_is_left_as_it_was_found() {
    for found in [0, IO, NO_WIRE | OTHERS, IO | MASTER] {
        let mut config = endpoint().bar(0, 0, 0x1000, 0);
        config.set16(4, found);
        let (pci, ecam) = bridge([config]);
        let mut placement = Placement::new(&[], &[]);
        let refused = enable(&ecam, &mut placement, 1, [1, 0, 0, 0, 0, 0]);
        assert_eq!(refused, Err(Error::NoRoom { size: 0x1000 }));
        assert_eq!(command(&pci, 1), found);
    }
}

#[test]
fn nothing_is_placed_in_a_page_in_which_another_bar_decodes() {
    let low = WINDOW + 0x1800;
    let wide = endpoint()
        .bar(0, 1, 0x20, WINDOW)
        .bar(1, 0, 0x100, low)
        .bar(2, 0b100, 0x1000, WINDOW + 0x3000)
        .decoding();
    let asleep = endpoint().bar(0, 0, 0x1000, WINDOW + 0x4000);
    let fresh = endpoint()
        .bar(0, 0, 0x1000, 0)
        .bar(1, 0, 0x1000, 0)
        .bar(2, 0, 0x1000, 0);
    let (pci, ecam) = bridge([wide, asleep, fresh]);
    let mut placement = Placement::new(&pci.windows(), &[]);
    placement.note_assigned(&ecam, &scan(&ecam).functions);
    let bars = enable(&ecam, &mut placement, 3, [1, 1, 1, 0, 0, 0]).unwrap();
    // Ports are not memory, and what does not decode is nowhere yet; 0x1800 and 0x3000 are taken.
    let placed = [0, 1, 2].map(|bar| bars.address(bar).unwrap() - WINDOW);
    assert_eq!(placed, [0, 0x2000, 0x4000]);
    let sized: Vec<_> = bars.sized().map(|(bar, _, size)| (bar, size)).collect();
    assert_eq!(sized, [(0, 0x1000), (1, 0x1000), (2, 0x1000)]);
    assert_eq!(bars.address(3), None);
    assert_eq!(bars.address(6), None);
}

#[test]
fn a_bar_that_is_in_a_page_is_not_in_the_next_one() {
    let last = endpoint().bar(0, 0, 0x1000, WINDOW).decoding();
    let fresh = endpoint().bar(0, 0, 0x1000, 0);
    let (pci, ecam) = bridge([last, fresh]);
    let mut placement = Placement::new(&pci.windows(), &[]);
    placement.note_assigned(&ecam, &scan(&ecam).functions);
    let bars = enable(&ecam, &mut placement, 2, [1, 0, 0, 0, 0, 0]).unwrap();
    assert_eq!(bars.address(0), Some(WINDOW + 0x1000));
}

#[test]
fn windows_that_wrap_or_have_no_bytes_are_not_used_and_low_ones_come_first() {
    let high = HostWindow {
        bus: 0x6000_0000,
        cpu: 0x7000_0000,
        size: 0x2000,
    };
    let low = HostWindow {
        bus: 0x5000_0000,
        ..high
    };
    let low = HostWindow {
        cpu: 0x4000_0000,
        size: 0x1000,
        ..low
    };
    // There would be room before the end that wraps.
    let wraps = HostWindow {
        bus: u64::MAX - 0xffff,
        size: 0x2_0000,
        ..low
    };
    let wraps_for_us = HostWindow {
        bus: 0x1000,
        cpu: u64::MAX - 0xffff,
        size: 0x2_0000,
    };
    let empty = HostWindow {
        bus: 0x2000,
        size: 0,
        ..low
    };
    let fresh = || endpoint().bar(0, 0, 0x1000, 0);
    let (_, ecam) = bridge([fresh(), fresh(), fresh(), fresh()]);
    let mut placement = Placement::new(&[high, wraps, wraps_for_us, empty, low], &[]);
    let mut place = |device| {
        let bars = enable(&ecam, &mut placement, device, [1, 0, 0, 0, 0, 0]);
        bars.map(|bars| bars.address(0))
    };
    assert_eq!(place(1), Ok(Some(0x4000_0000)));
    assert_eq!(place(2), Ok(Some(0x7000_0000)));
    assert_eq!(place(3), Ok(Some(0x7000_1000)));
    assert_eq!(place(4), Err(Error::NoRoom { size: 0x1000 }));
}

#[test]
fn a_bar_of_32_bits_may_end_at_4_gib_and_not_behind() {
    let window = |size| HostWindow {
        bus: 0xffff_f000,
        cpu: 0x8000_0000,
        size,
    };
    let narrow = || endpoint().bar(0, 0, 0x1000, 0);
    let wide = endpoint().bar(0, 0b100, 0x1000, 0);
    let (_, ecam) = bridge([narrow(), narrow(), wide]);
    let mut placement = Placement::new(&[window(0x2000)], &[]);
    let needs = [1, 0, 0, 0, 0, 0];
    let first = enable(&ecam, &mut placement, 1, needs).unwrap();
    assert_eq!(first.address(0), Some(0x8000_0000));
    let second = enable(&ecam, &mut placement, 2, needs);
    assert_eq!(second, Err(Error::NoRoom { size: 0x1000 }));
    let third = enable(&ecam, &mut placement, 3, needs).unwrap();
    assert_eq!(third.address(0), Some(0x8000_1000));
}
