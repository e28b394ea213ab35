//! What `virtio-drivers` does otherwise than our drivers, and why that is so.

use std::cell::RefCell;
use std::rc::Rc;

use testkit::fake_virtio::{FakeBlock, FakeNet, FakeRng, Style, feature};
use virtio_drivers::device::blk::VirtIOBlk;
use virtio_drivers::device::net::VirtIONetRaw;
use virtio_drivers::device::rng::VirtIORng;

use crate::entropy::ENTRIES;
use crate::hal::FakeHal;
use crate::machine::Machine;
use crate::transport::ACCESS_PLATFORM;

/// The device status in the common configuration.
const STATUS: u64 = 20;
const FEATURES_OK: u32 = 8;

/// What the driver of a disk accepts, without help.
fn accepted_by_disk() -> u64 {
    let machine = Machine::new(Style::Qemu, Rc::new(RefCell::new(FakeBlock::new(8))));
    let mut transport = machine.transport();
    transport.accepts = 0;
    let disk = VirtIOBlk::<FakeHal, _>::new(transport);
    assert!(disk.is_ok());
    machine.device.accepted()
}

/// It was made for machines whose devices reach all memory. In a realm such a device goes round the
/// shared region, so our drivers refuse one without the feature, and accept it where it is offered.
#[test]
fn it_does_not_ask_devices_to_keep_to_the_platform_s_memory() {
    assert_eq!(accepted_by_disk() & ACCESS_PLATFORM, 0);
}

/// It uses tables of their own for long requests; ours have short ones, and no table that a host could
/// be told the wrong address of. The fakes do both.
#[test]
fn it_uses_indirect_descriptors_and_ours_do_not() {
    assert_ne!(accepted_by_disk() & feature::INDIRECT, 0);
}

/// Both want the standard of 1.0 and later, and fewer doorbells.
#[test]
fn both_accept_version_1_and_event_indexes() {
    let both = feature::VERSION_1 | feature::EVENT_IDX;
    assert_eq!(accepted_by_disk() & both, both);
}

/// It believes FEATURES_OK without reading it back, as the standard demands ("3.1.1 Driver Requirements:
/// Device Initialization", step 6): it starts a device that refused its features. Ours does not.
#[test]
fn it_does_not_read_back_whether_its_features_were_accepted() {
    let machine = Machine::new(Style::Qemu, Rc::new(RefCell::new(FakeNet::default())));
    let refuse = |at, honest| {
        if at == STATUS {
            honest & !FEATURES_OK
        } else {
            honest
        }
    };
    machine
        .device
        .lie(|lies| lies.registers = Some(Box::new(refuse)));
    let card = VirtIONetRaw::<FakeHal, _, 16>::new(machine.transport());
    assert!(
        card.is_ok(),
        "it has learned to read back: good, and this test can go"
    );
}

/// It writes the size that it wants into the register and goes by it. lkvm's queues keep theirs, so driver
/// and device look for the used ring in different places. Ours takes the size that it reads.
#[test]
fn it_takes_a_queue_to_be_as_small_as_it_asks() {
    let fake = Rc::new(RefCell::new(FakeRng::default()));
    let machine = Machine::with_queues(Style::Lkvm, 2 * ENTRIES, fake);
    let source = VirtIORng::<FakeHal, _>::new(machine.transport());
    let mut source = source.expect("it starts");
    let mut right = 0;
    for first in (0..=ENTRIES as u8).map(|round| 32 * (round % 8)) {
        let mut bytes = [0xee; 32];
        let _len = source.request_entropy(&mut bytes);
        right += u32::from(bytes[..2] == [first, first + 1]);
    }
    assert_eq!(
        right,
        u32::from(ENTRIES),
        "the entry behind the last of its own is not the device's"
    );
}
