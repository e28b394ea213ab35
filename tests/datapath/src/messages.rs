//! Interrupts by messages: which vector sends what, and what happens where there is none.

use std::cell::RefCell;
use std::rc::Rc;

use pci::Message;
use testkit::fake_virtio::{FakeBlock, FakeNet, FakeVirtio, Style};
use testkit::rig::Rig;
use virtio::{Block, Error, Net};

use crate::setup::{CARD, DISK, STYLES, at, card_pool, disk_pool, rig};

const DOORBELL: u64 = 0x1_0809_0040;

fn messages(count: u32) -> Vec<Message> {
    let message = |data| Message {
        address: DOORBELL,
        data,
    };
    (0..count).map(message).collect()
}

fn card(rig: &Rig, messages: &[Message]) -> (Rc<FakeVirtio>, Net) {
    let device = rig.plug(CARD, Rc::new(RefCell::new(FakeNet::default())));
    let transport = rig.open(CARD).unwrap();
    transport.interrupt().use_messages(messages);
    let net = Net::start(transport, &rig.pool(card_pool()), rig.environment);
    (device, net.unwrap())
}

fn disk(rig: &Rig, lies: impl FnOnce(&FakeVirtio)) -> (Rc<FakeVirtio>, Block) {
    let device = rig.plug(DISK, Rc::new(RefCell::new(FakeBlock::new(8))));
    lies(&device);
    let transport = rig.open(DISK).unwrap();
    transport.interrupt().use_messages(&messages(2));
    let block = Block::start(transport, &rig.pool(disk_pool()), rig.environment);
    (device, block.unwrap())
}

/// The control register of MSI-X.
fn control(rig: &Rig, device: u8) -> u16 {
    let mut control = 0;
    rig.pci.change(at(device), |config| {
        let bytes = config.bytes();
        control = u16::from_le_bytes([bytes[0x42], bytes[0x43]]);
    });
    control
}

#[test]
fn each_queue_sends_by_a_vector_of_its_own() {
    for &style in STYLES {
        let rig = rig(style);
        let (device, net) = card(&rig, &messages(3));
        assert_eq!([device.vector(0), device.vector(1)], [Some(1), Some(2)]);
        assert!(net.interrupt().uses_messages());
        assert_eq!(control(&rig, CARD) >> 14, 0b10, "on, and not masked");
        device.needs_reset();
        assert_eq!(device.messages(), [(DOORBELL, 0)]);
    }
}

#[test]
fn queues_beyond_the_last_vector_share_it() {
    for &style in STYLES {
        let rig = rig(style);
        let (device, _net) = card(&rig, &messages(2));
        assert_eq!([device.vector(0), device.vector(1)], [Some(1), Some(1)]);
    }
}

#[test]
fn a_device_that_is_given_no_message_uses_its_wire() {
    for &style in STYLES {
        let rig = rig(style);
        let (device, net) = card(&rig, &[]);
        assert_eq!([device.vector(0), device.vector(1)], [None, None]);
        assert!(!net.interrupt().uses_messages());
    }
}

#[test]
fn a_device_that_refuses_a_vector_uses_its_wire() {
    for &style in STYLES {
        for register in [16, 26] {
            let rig = rig(style);
            let (device, block) = disk(&rig, |device| {
                device.lie(|lies| {
                    let none = move |at, honest| if at == register { 0xffff } else { honest };
                    lies.registers = Some(Box::new(none));
                });
            });
            assert!(!block.interrupt().uses_messages(), "register {register}");
            assert_eq!(device.vector(0), None);
            assert_eq!(control(&rig, DISK) >> 15, 0, "MSI-X is off again");
        }
    }
}

#[test]
fn a_message_needs_no_register_of_the_device() {
    for &style in STYLES {
        let rig = rig(style);
        let (_device, net) = card(&rig, &messages(3));
        let before = rig.pci.accesses();
        net.interrupt().note_message(1);
        assert_eq!(rig.pci.accesses(), before);
    }
}

#[test]
fn a_table_that_leaves_its_bar_is_not_used() {
    for &style in STYLES {
        let rig = rig(style);
        let device = rig.plug(CARD, Rc::new(RefCell::new(FakeNet::default())));
        rig.pci.change(at(CARD), |config| {
            // A BAR that does not exist.
            config.bytes()[0x44] = 7;
        });
        let transport = rig.open(CARD).unwrap();
        assert_eq!(transport.interrupt().vectors(), 0);
        transport.interrupt().use_messages(&messages(3));
        let net: Net = Net::start(transport, &rig.pool(card_pool()), rig.environment).unwrap();
        assert!(!net.interrupt().uses_messages());
        assert_eq!(device.vector(0), None);
    }
}

/// The message of vector 0 says what the wire's register would: the configuration has changed.
#[test]
fn a_message_about_the_configuration_has_the_status_read() {
    for (vector, is_read) in [(0, true), (1, false), (2, false)] {
        let rig = rig(Style::Qemu);
        let (device, block) = disk(&rig, |_| ());
        assert_eq!(block.interrupt().vectors(), 4);
        device.needs_reset();
        block.interrupt().note_message(vector);
        block.poll();
        let failure = is_read.then_some(Error::NeedsReset);
        assert_eq!(block.failure(), failure, "vector {vector}");
    }
}
