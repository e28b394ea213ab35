//! The fake card under a driver that is not ours.

use std::cell::RefCell;
use std::rc::Rc;

use testkit::fake_virtio::{FakeNet, Style};
use virtio_drivers::device::net::{TxBuffer, VirtIONet};

use crate::hal::FakeHal;
use crate::machine::{Machine, QUEUE_SIZE};
use crate::transport::StrangeTransport;

type Card = VirtIONet<FakeHal, StrangeTransport, { QUEUE_SIZE as usize }>;

/// Frames: more than the queues have entries.
const FRAMES: usize = 100;

fn card(style: Style, change: impl FnOnce(&mut FakeNet)) -> (Machine, Rc<RefCell<FakeNet>>, Card) {
    let fake = Rc::new(RefCell::new(FakeNet::default()));
    change(&mut fake.borrow_mut());
    let machine = Machine::new(style, Rc::<RefCell<FakeNet>>::clone(&fake));
    let card = Card::new(machine.transport(), 2048).expect("a card that starts");
    (machine, fake, card)
}

fn frame(number: usize) -> Vec<u8> {
    (0..60 + 13 * number)
        .map(|at| (at + number) as u8)
        .collect()
}

#[test]
fn the_fake_card_sends_what_a_strange_driver_gives_it() {
    for style in [Style::Qemu, Style::Lkvm] {
        let (machine, fake, mut card) = card(style, |_| ());
        assert_eq!(card.mac_address(), fake.borrow().mac);
        for number in 0..FRAMES {
            card.send(TxBuffer::from(&frame(number))).expect("a send");
        }
        let sent: Vec<_> = (0..FRAMES).map(frame).collect();
        assert_eq!(fake.borrow().sent, sent, "{style:?}");
        assert_eq!(machine.device.faults(), 0);
        assert_eq!(machine.pci.died(), None);
    }
}

#[test]
fn a_strange_driver_receives_what_the_fake_card_delivers() {
    for style in [Style::Qemu, Style::Lkvm] {
        let (machine, fake, mut card) = card(style, |_| ());
        for number in 0..FRAMES {
            fake.borrow_mut().incoming.push_back(frame(number));
            machine.device.run();
            let buffer = card.receive().expect("a frame");
            assert_eq!(buffer.packet(), frame(number), "{style:?} {number}");
            card.recycle_rx_buffer(buffer).expect("room");
        }
        assert!(!card.can_recv());
        assert_eq!(machine.device.faults(), 0);
    }
}

#[test]
fn frames_that_come_while_the_driver_is_away_are_kept_in_order() {
    let (machine, fake, mut card) = card(Style::Qemu, |fake| fake.echo = true);
    for number in 0..usize::from(QUEUE_SIZE) {
        card.send(TxBuffer::from(&frame(number))).expect("a send");
    }
    machine.device.run();
    for number in 0..usize::from(QUEUE_SIZE) {
        let buffer = card.receive().expect("a frame");
        assert_eq!(buffer.packet(), frame(number));
        card.recycle_rx_buffer(buffer).expect("room");
    }
    assert_eq!(fake.borrow().sent.len(), usize::from(QUEUE_SIZE));
}
