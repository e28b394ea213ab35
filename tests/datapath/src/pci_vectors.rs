//! The table of MSI-X, as a function says it has one.

use std::cell::RefCell;
use std::rc::Rc;

use pci::{Ecam, Function, Mapper, Message, MsiX, MsiXTable, Registers, scan};
use testkit::fake_pci::{BarModel, ConfigSpace, FakeEcam, FakePci};

use crate::setup::{Empty, at};

/// Bits of the control register: on, all vectors masked.
const ON: u16 = 0x8000;
const MASKED: u16 = 0x4000;
/// Where the BAR is, and where the table is in it.
const BAR: u64 = 0x5000_0000;
const TABLE: u64 = 0x20;

/// A BAR that notes each store: where, what, and what the control register was meanwhile.
struct Table {
    pci: FakePci,
    stores: RefCell<Vec<(u64, u32, u16)>>,
}

impl BarModel for Table {
    fn read(&self, _bar: u8, _at: u64, _size: u8) -> u32 {
        0
    }

    fn write(&self, _bar: u8, at: u64, _size: u8, value: u32) {
        let store = (at, value, control(&self.pci));
        self.stores.borrow_mut().push(store);
    }
}

fn control(pci: &FakePci) -> u16 {
    let mut control = 0;
    pci.change(at(1), |config| {
        let bytes = config.bytes();
        control = u16::from_le_bytes([bytes[0x42], bytes[0x43]]);
    });
    control
}

/// A function with this control register, and its table at `place`: a BAR and an offset.
fn function(control: u16, place: u32) -> ConfigSpace {
    let mut config = ConfigSpace::endpoint(1, 1, 0).bar(0, 0, 0x1000, BAR);
    let ([c0, c1], [p0, p1, p2, p3]) = (control.to_le_bytes(), place.to_le_bytes());
    config.capability(0x11, &[c0, c1, p0, p1, p2, p3, 0, 0, 0, 0]);
    config.decoding()
}

fn table(ecam: &Ecam<FakeEcam>) -> (Function<'_, FakeEcam>, Option<MsiXTable>) {
    let function = Function::new(ecam, scan(ecam).functions[0]);
    let table = function.msi_x_table(&function.capabilities().unwrap());
    (function, table)
}

/// MSI-X of a function whose control register was found to be `found`, and what notes the stores.
fn msi_x(found: u16) -> (MsiX, Rc<Table>) {
    let pci = FakePci::default();
    let stores = RefCell::default();
    let model = Rc::new(Table {
        pci: pci.clone(),
        stores,
    });
    pci.plug(at(1), function(found, TABLE as u32), Rc::clone(&model) as _);
    let ecam = Ecam::new(pci.ecam(0), 0, 0).unwrap();
    let (function, table) = table(&ecam);
    let bar: Rc<dyn Registers> = Rc::new(pci.map(BAR, 0x1000).unwrap());
    (function.msi_x(table.unwrap(), bar).unwrap(), model)
}

#[test]
fn entries_are_written_while_nothing_can_be_sent_and_what_is_not_ours_is_kept() {
    for ours in [0, ON, MASKED, ON | MASKED] {
        for rest in [2, 0x3802] {
            let (msi_x, table) = msi_x(rest | ours);
            assert_eq!(msi_x.vectors(), 3);
            let message = |data| Message {
                address: 0x1_0000_0040,
                data,
            };
            msi_x.enable(&[message(7), message(8), message(9), message(10)]);
            assert_eq!(control(&table.pci), rest | ON, "found {ours:#x}");
            let words = [(7, 0), (8, 16), (9, 32)].map(|(data, entry)| {
                let words = [(0, 0x40), (4, 1), (8, data), (12, 0)];
                words.map(|(at, word)| (TABLE + entry + at, word, rest | ON | MASKED))
            });
            assert_eq!(*table.stores.borrow(), words.concat());
            msi_x.disable();
            assert_eq!(control(&table.pci), rest);
        }
    }
}

#[test]
fn a_table_in_a_bar_that_does_not_exist_is_none() {
    for (place, bar) in [(0, Some(0)), (5, Some(5)), (6, None), (7, None)] {
        let pci = FakePci::default();
        pci.plug(at(1), function(0, place), Rc::new(Empty));
        let ecam = Ecam::new(pci.ecam(0), 0, 0).unwrap();
        assert_eq!(table(&ecam).1.map(|table| table.bar), bar);
    }
}
