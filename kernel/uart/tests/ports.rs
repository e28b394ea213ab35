//! Ports that say something of their buffers, and take note of what is written and how.

use devtree::Uart;
use pci::Registers;
use std::cell::RefCell;
use uart::{DEPTH, Serial};
use untrusted::Untrusted;

/// Registers that all read as one value; writes as `(offset, bytes, value)`.
struct Port {
    says: u32,
    reads: RefCell<Vec<(u64, u8)>>,
    writes: RefCell<Vec<(u64, u8, u32)>>,
}

impl Port {
    fn new(says: u32) -> Self {
        Self {
            says,
            reads: RefCell::default(),
            writes: RefCell::default(),
        }
    }

    fn read(&self, at: u64, bytes: u8) -> u32 {
        self.reads.borrow_mut().push((at, bytes));
        self.says
    }
}

impl Registers for &Port {
    fn len(&self) -> u64 {
        0x1000
    }
    fn read8(&self, at: u64) -> Untrusted<u8> {
        Untrusted::from_host(self.read(at, 1).to_le_bytes()[0])
    }
    fn read16(&self, at: u64) -> Untrusted<u16> {
        let [low, high, ..] = self.read(at, 2).to_le_bytes();
        Untrusted::from_host(u16::from_le_bytes([low, high]))
    }
    fn read32(&self, at: u64) -> Untrusted<u32> {
        Untrusted::from_host(self.read(at, 4))
    }
    fn write8(&self, at: u64, value: u8) {
        self.writes.borrow_mut().push((at, 1, value.into()));
    }
    fn write16(&self, at: u64, value: u16) {
        self.writes.borrow_mut().push((at, 2, value.into()));
    }
    fn write32(&self, at: u64, value: u32) {
        self.writes.borrow_mut().push((at, 4, value));
    }
}

/// What a port of `kind` has room for, that says `says`, and what was read to know.
fn room(kind: Uart, says: u32) -> (u8, Vec<(u64, u8)>) {
    let port = Port::new(says);
    let room = Serial::new(kind, &port).ask_room();
    (room, port.reads.into_inner())
}

#[test]
fn room_of_a_pl011_is_none_one_or_a_whole_buffer_whatever_it_says() {
    for says in 0..=0x1ff {
        let expected = match (says & 0x80 != 0, says & 0x20 != 0) {
            (true, _) => DEPTH,
            (false, true) => 0,
            (false, false) => 1,
        };
        assert_eq!(room(Uart::Pl011, says), (expected, vec![(0x18, 4)]));
    }
}

#[test]
fn a_16550_is_asked_once_as_wide_and_as_far_apart_as_the_tree_says() {
    for (shift, width) in [(0, 1), (1, 2), (2, 4), (3, 4), (0, 8)] {
        let kind = Uart::Ns16550 { shift, width };
        let bytes = if matches!(width, 2 | 4) { width } else { 1 };
        for says in 0..=0x1ff {
            let expected = if says & 0x20 != 0 { DEPTH } else { 0 };
            assert_eq!(room(kind, says), (expected, vec![(5 << shift, bytes)]));
        }
    }
}

#[test]
fn a_16550_whose_registers_are_wide_says_nothing_by_their_other_bytes() {
    for width in [2, 4] {
        assert_eq!(room(Uart::Ns16550 { shift: 2, width }, 0xffff_ff00).0, 0);
    }
}

#[test]
fn buffers_are_turned_on_and_bytes_sent_where_the_data_register_is() {
    for (kind, expected) in [
        (Uart::Pl011, [(0x2c, 4, 0x70), (0, 4, 0x41)]),
        (
            Uart::Ns16550 { shift: 0, width: 1 },
            [(2, 1, 1), (0, 1, 0x41)],
        ),
        (
            Uart::Ns16550 { shift: 1, width: 2 },
            [(4, 2, 1), (0, 2, 0x41)],
        ),
        (
            Uart::Ns16550 { shift: 2, width: 4 },
            [(8, 4, 1), (0, 4, 0x41)],
        ),
    ] {
        let port = Port::new(0);
        let serial = Serial::new(kind, &port);
        serial.enable_buffer();
        serial.send(b'A');
        assert_eq!(port.writes.into_inner(), expected);
    }
}
