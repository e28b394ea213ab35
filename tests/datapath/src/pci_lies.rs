//! Configuration space that lies.

use std::rc::Rc;

use pci::{Bdf, Ecam, Error, Function, MAX_BUSES, MAX_FUNCTIONS, Pin, Placement, scan};
use testkit::fake_pci::{ConfigSpace, FakePci};

use crate::setup::{Empty, at};

fn one(config: ConfigSpace) -> FakePci {
    let pci = FakePci::default();
    pci.plug(at(1), config, Rc::new(Empty));
    pci
}

fn endpoint() -> ConfigSpace {
    ConfigSpace::endpoint(0x1af4, 0x1042, 0)
}

/// What a walk over the capabilities of a function with these bytes gives.
fn walk(change: impl FnOnce(&mut [u8; 256])) -> (Result<usize, Error>, u64) {
    let mut config = endpoint();
    config.bytes()[0x06] = 1 << 4;
    change(config.bytes());
    let pci = one(config);
    let ecam = Ecam::new(pci.ecam(0), 0, 0).unwrap();
    let function = Function::new(&ecam, scan(&ecam).functions[0]);
    let before = pci.accesses();
    let list = function.capabilities();
    (list.map(|l| l.len()), pci.accesses() - before)
}

/// Case 22.
#[test]
fn a_capability_list_that_is_damaged_is_an_error() {
    let damaged = |at| Err(Error::Capabilities { at });
    // Points to itself.
    let (list, _) = walk(|b| {
        b[0x34] = 0x40;
        b[0x41] = 0x40;
    });
    assert_eq!(list, damaged(0x40));
    // A loop of two.
    let (list, _) = walk(|b| {
        b[0x34] = 0x40;
        b[0x41] = 0x50;
        b[0x51] = 0x40;
    });
    assert_eq!(list, damaged(0x40));
    for pointer in [0x01, 0x3c, 0x41, 0x42, 0xff] {
        let (list, _) = walk(|b| b[0x34] = pointer);
        assert_eq!(list, damaged(pointer));
    }
}

/// Case 22: each read is an exit, so that nobody goes round twice.
#[test]
fn a_capability_list_that_loops_is_given_up_where_it_closes() {
    let (list, accesses) = walk(|b| {
        b[0x34] = 0x40;
        b[0x41] = 0x44;
        b[0x45] = 0x48;
        b[0x49] = 0x44;
    });
    assert_eq!(list, Err(Error::Capabilities { at: 0x44 }));
    assert_eq!(accesses, 2 + 3);
}

/// Case 22: as long as there is room for.
#[test]
fn the_longest_capability_list_ends_within_48_reads() {
    let (list, accesses) = walk(|b| {
        b[0x34] = 0x40;
        for at in (0x40..0xfc).step_by(4) {
            b[at + 1] = at as u8 + 4;
        }
    });
    assert_eq!(list, Ok(48));
    assert_eq!(accesses, 2 + 48);
}

#[test]
fn a_function_without_a_capability_list_has_none() {
    let (list, accesses) = walk(|b| {
        b[0x06] = 0;
        b[0x34] = 0x40;
    });
    assert_eq!((list, accesses), (Ok(0), 1));
}

/// Enables BAR 0 of a function with these BARs, and says what the command register is after.
fn enable(config: ConfigSpace, needs: [u64; 6]) -> (Result<Option<u64>, Error>, u16) {
    let pci = one(config);
    let ecam = Ecam::new(pci.ecam(0), 0, 0).unwrap();
    let function = Function::new(&ecam, scan(&ecam).functions[0]);
    let ram = 0x7000_0000..0x8000_0000;
    let mut placement = Placement::new(&pci.windows(), &[ram]);
    let bars = function.enable(&needs, &mut placement);
    let mut command = 0;
    pci.change(at(1), |config| command = config.command());
    assert_eq!(pci.died(), None);
    (bars.map(|b| b.address(0)), command)
}

const FIRST: [u64; 6] = [0x1000, 0, 0, 0, 0, 0];

/// Case 24.
#[test]
fn a_bar_of_a_bad_size_or_kind_is_refused_and_nothing_is_turned_on() {
    let mask = |masks: [u32; 6]| endpoint().masks(masks);
    let holes = mask([0xf0ff_f000, 0, 0, 0, 0, 0]);
    let size = 0x0f00_1000;
    let uneven = Error::BarSize {
        bar: 0,
        size: (!0xf0ff_f000_u32 as u64) + 1,
    };
    assert_eq!(uneven, Error::BarSize { bar: 0, size });
    let cases = [
        (endpoint(), Error::BarSize { bar: 0, size: 0 }),
        (holes, uneven),
        (
            endpoint().bar(0, 0, 0x100, 0),
            Error::BarSize {
                bar: 0,
                size: 0x100,
            },
        ),
        (
            endpoint().bar(0, 0, 0x8000_0000, 0),
            Error::NoRoom { size: 0x8000_0000 },
        ),
        (
            endpoint().bar(0, 0b100, 1 << 62, 0),
            Error::NoRoom { size: 1 << 62 },
        ),
        (endpoint().bar(0, 1, 0x1000, 0), Error::BarKind { bar: 0 }),
        (
            endpoint().bar(0, 0b110, 0x1000, 0),
            Error::BarKind { bar: 0 },
        ),
        (
            endpoint().bar(0, 0b010, 0x1000, 0),
            Error::BarKind { bar: 0 },
        ),
    ];
    for (config, error) in cases {
        assert_eq!(enable(config, FIRST), (Err(error), 0));
    }
}

/// Case 24: a 64-bit BAR without its other half.
#[test]
fn half_of_a_64_bit_bar_is_refused() {
    let mut last = endpoint();
    last.set32(0x10 + 4 * 5, 0b100);
    let (refused, command) = enable(last, [0, 0, 0, 0, 0, 0x1000]);
    assert_eq!((refused, command), (Err(Error::BarKind { bar: 5 }), 0));
    let (refused, _) = enable(endpoint().bar(0, 0b100, 0x1000, 0), [0, 0x1000, 0, 0, 0, 0]);
    assert_eq!(refused, Err(Error::BarKind { bar: 1 }));
    // The upper half cannot be written, so that its size is no power of two.
    let stuck = endpoint()
        .bar(0, 0b100, 0x1000, 0)
        .masks([0xffff_f000, 0, 0, 0, 0, 0]);
    let (refused, _) = enable(stuck, FIRST);
    assert!(matches!(refused, Err(Error::BarSize { bar: 0, .. })));
}

/// Case 25: what was written is read back, or the device would be driven where it is not.
#[test]
fn a_bar_that_takes_no_address_is_refused() {
    for flags in [0, 0b100] {
        let stubborn = endpoint().bar(0, flags, 0x1000, 0).stubborn();
        let refused = (Err(Error::BarStuck { bar: 0 }), 0);
        assert_eq!(enable(stubborn, FIRST), refused);
    }
}

/// Case 25: addresses that a VMM gave, or that the host calls so.
#[test]
fn a_bar_that_overlaps_memory_or_lies_outside_the_windows_is_refused() {
    let len = 0x1000;
    for address in [0x1000, 0x4000_0000, 0x4fff_f000, 0x8000_0000, 0xffff_f000] {
        let bar = || endpoint().bar(0, 0, len, address);
        for config in [bar().decoding(), bar()] {
            let (refused, command) = enable(config, FIRST);
            assert_eq!(refused, Err(Error::OutsideWindows { address, len }));
            assert_eq!(command & 4, 0, "no bus mastering");
        }
    }
    let over_the_end = endpoint().bar(0, 0, 0x100, 0x7fff_ff00).decoding();
    let outside = Error::OutsideWindows {
        address: 0x7fff_ff00,
        len,
    };
    assert_eq!(enable(over_the_end, FIRST).0, Err(outside));
    let ram = endpoint().bar(0, 0, 0x1000, 0x7000_0000).decoding();
    let overlap = Error::Overlap {
        address: 0x7000_0000,
        len,
    };
    assert_eq!(enable(ram, FIRST).0, Err(overlap));
}

/// Case 25: two functions at one address.
#[test]
fn a_bar_that_overlaps_another_is_refused() {
    let pci = FakePci::default();
    for device in [1, 2] {
        let bdf = at(device);
        let config = endpoint().bar(0, 0, 0x1000, 0x5000_0000).decoding();
        pci.plug(bdf, config, Rc::new(Empty));
    }
    let ecam = Ecam::new(pci.ecam(0), 0, 0).unwrap();
    let mut placement = Placement::new(&pci.windows(), &[]);
    let mut results = scan(&ecam).functions.into_iter().map(|found| {
        Function::new(&ecam, found)
            .enable(&FIRST, &mut placement)
            .map(|b| b.address(0))
    });
    assert_eq!(results.next(), Some(Ok(Some(0x5000_0000))));
    let overlap = Error::Overlap {
        address: 0x5000_0000,
        len: 0x1000,
    };
    assert_eq!(results.next(), Some(Err(overlap)));
}

#[test]
fn a_bar_that_decodes_and_has_no_address_is_refused() {
    let (refused, _) = enable(endpoint().bar(0, 0, 0x1000, 0).decoding(), FIRST);
    assert_eq!(refused, Err(Error::Unassigned { bar: 0 }));
}

/// Case 26.
#[test]
fn more_functions_than_expected_are_counted_and_left_out() {
    let pci = FakePci::default();
    for device in 0..32 {
        for function in 0..8 {
            let mut config = ConfigSpace::endpoint(1, 1, 0xff_ffff);
            config.bytes()[0x0e] = 0x80 | 0x05;
            let bdf = Bdf::new(0, device, function).unwrap();
            pci.plug(bdf, config, Rc::new(Empty));
        }
    }
    let ecam = Ecam::new(pci.ecam(0), 0, 0).unwrap();
    let found = scan(&ecam);
    assert_eq!(found.functions.len(), MAX_FUNCTIONS);
    assert_eq!(found.left_out, 256 - MAX_FUNCTIONS);
}

/// Case 26: bridges to themselves, to each other, upwards, and out of the window.
#[test]
fn bridges_that_loop_are_followed_once() {
    let pci = FakePci::default();
    let bridge = |bus: u8, device: u8, to: u8| {
        let mut config = ConfigSpace::endpoint(1, 1, 0x06_0400);
        config.bytes()[0x0e] = 1;
        config.bytes()[0x19] = to;
        let bdf = Bdf::new(bus, device, 0).unwrap();
        pci.plug(bdf, config, Rc::new(Empty));
    };
    for (device, to) in [(0, 0), (1, 1), (2, 1), (3, 200), (4, 255), (5, 2)] {
        bridge(0, device, to);
    }
    bridge(1, 0, 0);
    bridge(1, 1, 1);
    bridge(1, 2, 2);
    bridge(2, 0, 1);
    let ecam = Ecam::new(pci.ecam(7), 0, 255).unwrap();
    assert_eq!(ecam.last_bus(), 7);
    assert_eq!(scan(&ecam).functions.len(), 10);
    assert!(pci.accesses() < 3 * 32 + 10 * 8, "three buses, once each");
}

/// Case 26: a bridge for every bus.
#[test]
fn no_more_buses_than_ours_are_looked_at() {
    let pci = FakePci::default();
    for bus in 0..40 {
        let mut config = ConfigSpace::endpoint(1, 1, 0x06_0400);
        config.bytes()[0x0e] = 1;
        config.bytes()[0x19] = bus + 1;
        let bdf = Bdf::new(bus, 0, 0).unwrap();
        pci.plug(bdf, config, Rc::new(Empty));
    }
    let ecam = Ecam::new(pci.ecam(63), 0, 63).unwrap();
    let found = scan(&ecam);
    assert_eq!(found.functions.len(), MAX_BUSES);
    assert_eq!(found.left_out, 1);
}

/// Case 27: what is left of it here; the device tree's part is elsewhere.
#[test]
fn a_configuration_window_without_a_bus_is_refused() {
    for (len_buses, first, last) in [(0, 5, 4), (0, 1, 0)] {
        let pci = FakePci::default();
        let error = Ecam::new(pci.ecam(len_buses), first, last).err();
        assert_eq!(error, Some(Error::Window { len: 1 << 20 }));
    }
}

#[test]
fn a_pin_has_one_of_four_numbers_and_any_other_is_none() {
    let pins = [(1, Pin::A), (2, Pin::B), (3, Pin::C), (4, Pin::D)];
    let good = pins.map(|(number, pin)| (number, Some(pin)));
    for (pin, expected) in good.into_iter().chain([(0, None), (5, None), (255, None)]) {
        let mut config = endpoint();
        config.bytes()[0x3d] = pin;
        let pci = one(config);
        let ecam = Ecam::new(pci.ecam(0), 0, 0).unwrap();
        let function = Function::new(&ecam, scan(&ecam).functions[0]);
        assert_eq!(function.interrupt_pin(), expected);
    }
}
