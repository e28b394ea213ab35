//! Functions that are honest, in the two styles that there are.

use std::cell::RefCell;
use std::rc::Rc;

use pci::{Bdf, Ecam, Function, Header, HostWindow, Mapper, Pin, Placement, Registers, scan};
use testkit::fake_pci::{ConfigSpace, FakePci};
use testkit::fake_virtio::{FakeBlock, FakeNet, Style};
use virtio::Kind;

use crate::setup::{CARD, DISK, Empty, STYLES, at, card_pool, disk_pool, rig};

#[test]
fn a_scan_finds_devices_by_their_ids() {
    for &style in STYLES {
        let rig = rig(style);
        let bridge = ConfigSpace::endpoint(0x1b36, 0x0008, 0x06_0000);
        rig.pci.plug(at(0), bridge, Rc::new(Empty));
        rig.plug(DISK, Rc::new(RefCell::new(FakeBlock::new(8))));
        rig.plug(CARD, Rc::new(RefCell::new(FakeNet::default())));
        let ecam = Ecam::new(rig.pci.ecam(0), 0, 255).unwrap();
        let found = scan(&ecam);
        assert_eq!(found.left_out, 0);
        let kinds: Vec<_> = found.functions.iter().map(Kind::of).collect();
        assert!(kinds.contains(&None));
        assert!(kinds.contains(&Some(Kind::Block)));
        assert!(kinds.contains(&Some(Kind::Net)));
        let card = found.functions.iter().find(|f| f.bdf == at(CARD)).unwrap();
        assert_eq!(card.class, 0x02_0000);
        assert_eq!(card.header, Header::Endpoint);
        assert_eq!(Function::new(&ecam, *card).interrupt_pin(), Some(Pin::A));
    }
}

#[test]
fn a_transitional_function_is_known_by_its_subsystem() {
    let pci = FakePci::default();
    let mut config = ConfigSpace::endpoint(0x1af4, 0x1001, 0x01_8000);
    config.set16(0x2e, 2);
    pci.plug(at(3), config, Rc::new(Empty));
    let ecam = Ecam::new(pci.ecam(0), 0, 0).unwrap();
    assert_eq!(Kind::of(&scan(&ecam).functions[0]), Some(Kind::Block));
}

#[test]
fn the_functions_of_a_device_and_what_is_behind_a_bridge_are_found() {
    let pci = FakePci::default();
    let mut multi = ConfigSpace::endpoint(1, 1, 0);
    multi.bytes()[0x0e] = 0x80;
    pci.plug(at(4), multi, Rc::new(Empty));
    let second = Bdf::new(0, 4, 5).unwrap();
    pci.plug(second, ConfigSpace::endpoint(1, 2, 0), Rc::new(Empty));
    let mut bridge = ConfigSpace::endpoint(1, 3, 0x06_0400);
    bridge.bytes()[0x0e] = 1;
    bridge.bytes()[0x19] = 2;
    pci.plug(at(5), bridge, Rc::new(Empty));
    let behind = Bdf::new(2, 0, 0).unwrap();
    pci.plug(behind, ConfigSpace::endpoint(1, 4, 0), Rc::new(Empty));
    let ecam = Ecam::new(pci.ecam(3), 0, 3).unwrap();
    let places: Vec<_> = scan(&ecam).functions.iter().map(|f| f.bdf).collect();
    assert_eq!(places, [at(4), second, at(5), behind]);
}

#[test]
fn a_window_that_begins_behind_bus_0_has_its_root_there() {
    let pci = FakePci::default();
    let config = ConfigSpace::endpoint(1, 1, 0).bar(0, 0, 0x1000, 0);
    pci.plug(at(4), config, Rc::new(Empty));
    let ecam = Ecam::new(pci.ecam(1), 3, 4).unwrap();
    let found = scan(&ecam).functions;
    let places: Vec<_> = found.iter().map(|f| f.bdf).collect();
    assert_eq!(places, [Bdf::new(3, 4, 0).unwrap()]);
    // What is on the root bus is ours to place.
    let mut placement = Placement::new(&pci.windows(), &[]);
    let bars = Function::new(&ecam, found[0]).enable(&[1, 0, 0, 0, 0, 0], &mut placement);
    assert_eq!(bars.unwrap().address(0), Some(0x5000_0000));
}

#[test]
fn bars_without_addresses_are_placed_apart_and_bars_with_are_kept() {
    for &style in STYLES {
        let rig = rig(style);
        rig.plug(CARD, Rc::new(RefCell::new(FakeNet::default())));
        rig.plug(DISK, Rc::new(RefCell::new(FakeBlock::new(8))));
        let _card = rig.net(CARD, card_pool()).unwrap();
        let _disk = rig.block(DISK, disk_pool()).unwrap();
        assert_eq!(rig.pci.died(), None);
        let mut bars = Vec::new();
        for slot in [CARD, DISK] {
            rig.pci.change(at(slot), |config| {
                let enabled = config.command();
                assert_eq!(enabled & 6, 6, "memory and bus master");
                assert_eq!(enabled & 1, u16::from(style == Style::Lkvm));
                let bytes = config.bytes();
                let bar =
                    |i: usize| u32::from_le_bytes(*bytes[0x10 + 4 * i..].first_chunk().unwrap());
                bars.push(match style {
                    Style::Qemu => [bar(1), bar(4) & !0xf],
                    Style::Lkvm => [bar(1), bar(2)],
                });
            });
        }
        match style {
            // Each on a page of its own, larger ones on multiples of their size.
            Style::Qemu => assert_eq!(
                bars,
                [[0x5000_0000, 0x5000_4000], [0x5000_1000, 0x5000_8000]]
            ),
            Style::Lkvm => assert_eq!(
                bars,
                [[0x5000_0800, 0x5000_0c00], [0x5000_1000, 0x5000_1400]]
            ),
        }
    }
}

#[test]
fn starting_a_device_takes_few_exits() {
    for &style in STYLES {
        let rig = rig(style);
        rig.plug(CARD, Rc::new(RefCell::new(FakeNet::default())));
        let _card = rig.net(CARD, card_pool()).unwrap();
        assert!(rig.pci.accesses() <= 131, "{} accesses", rig.pci.accesses());
    }
}

#[test]
fn a_bar_goes_where_nothing_else_is() {
    let pci = FakePci::default();
    let config = |size| ConfigSpace::endpoint(1, 1, 0).bar(0, 0, size, 0);
    pci.plug(at(1), config(0x1000), Rc::new(Empty));
    pci.plug(at(2), config(0x10_0000), Rc::new(Empty));
    let assigned = ConfigSpace::endpoint(1, 1, 0)
        .bar(0, 0, 0x100, 0x5000_2f00)
        .decoding();
    pci.plug(at(3), assigned, Rc::new(Empty));
    let ecam = Ecam::new(pci.ecam(0), 0, 0).unwrap();
    let found = scan(&ecam).functions;
    let reserved = [0x5000_0000..0x5000_1000, 0x5010_0000..0x5010_0001];
    let mut placement = Placement::new(&pci.windows(), &reserved);
    placement.note_assigned(&ecam, &found);
    let mut place = |slot: usize, need| {
        let function = Function::new(&ecam, found[slot]);
        let bars = function.enable(&[need, 0, 0, 0, 0, 0], &mut placement);
        bars.unwrap().address(0).unwrap()
    };
    assert_eq!(place(0, 1), 0x5000_1000);
    assert_eq!(place(1, 1), 0x5020_0000);
    assert_eq!(place(2, 0x100), 0x5000_2f00);
}

#[test]
fn a_window_is_translated_and_a_32_bit_bar_stays_below_4_gib() {
    let pci = FakePci::default();
    let narrow = ConfigSpace::endpoint(1, 1, 0).bar(0, 0, 0x1000, 0);
    pci.plug(at(1), narrow, Rc::new(Empty));
    let wide = ConfigSpace::endpoint(1, 1, 0).bar(2, 0b100, 0x1000, 0);
    pci.plug(at(2), wide, Rc::new(Empty));
    let ecam = Ecam::new(pci.ecam(0), 0, 0).unwrap();
    let found = scan(&ecam).functions;
    let high = HostWindow {
        bus: 1 << 32,
        cpu: 0x80_0000_0000,
        size: 0x1_0000,
    };
    let mut placement = Placement::new(&[high], &[]);
    let narrow = Function::new(&ecam, found[0]).enable(&[1, 0, 0, 0, 0, 0], &mut placement);
    assert_eq!(narrow, Err(pci::Error::NoRoom { size: 0x1000 }));
    let wide = Function::new(&ecam, found[1]).enable(&[0, 0, 1, 0, 0, 0], &mut placement);
    assert_eq!(wide.unwrap().address(2), Some(0x80_0000_0000));
    pci.change(at(2), |config| {
        assert_eq!(config.bytes()[0x18..0x20], [4, 0, 0, 0, 1, 0, 0, 0]);
    });
}

#[test]
fn msi_x_that_is_on_is_turned_off() {
    let pci = FakePci::default();
    let mut config = ConfigSpace::endpoint(1, 1, 0);
    let capability = config.capability(0x11, &[3, 0x80, 0, 0]);
    pci.plug(at(1), config, Rc::new(Empty));
    let ecam = Ecam::new(pci.ecam(0), 0, 0).unwrap();
    let function = Function::new(&ecam, scan(&ecam).functions[0]);
    function.disable_msi_x(&function.capabilities().unwrap());
    pci.change(at(1), |config| {
        assert_eq!(config.bytes()[capability + 3], 0)
    });
}

#[test]
fn a_run_of_registers_is_empty_when_it_has_no_bytes() {
    let pci = FakePci::default();
    for (len, is_empty) in [(0, true), (1, false), (0x1000, false)] {
        assert_eq!(pci.map(0x5000_0000, len).unwrap().is_empty(), is_empty);
    }
}
