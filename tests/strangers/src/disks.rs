//! The fake disk under a driver that is not ours.

use std::cell::RefCell;
use std::rc::Rc;

use testkit::fake_virtio::{FakeBlock, Style};
use virtio_drivers::device::blk::VirtIOBlk;

use crate::hal::FakeHal;
use crate::machine::Machine;
use crate::transport::StrangeTransport;

const SECTOR: usize = 512;

type Disk = VirtIOBlk<FakeHal, StrangeTransport>;

fn disk(style: Style, fake: FakeBlock) -> (Machine, Rc<RefCell<FakeBlock>>, Disk) {
    let fake = Rc::new(RefCell::new(fake));
    let machine = Machine::new(style, Rc::<RefCell<FakeBlock>>::clone(&fake));
    let disk = Disk::new(machine.transport()).expect("a disk that starts");
    (machine, fake, disk)
}

#[test]
fn the_fake_disk_gives_a_strange_driver_what_it_holds() {
    for style in [Style::Qemu, Style::Lkvm] {
        let (machine, fake, mut disk) = disk(style, FakeBlock::new(64));
        assert_eq!((disk.capacity(), disk.readonly()), (64, false));
        for sector in (0..64).step_by(4) {
            let mut read = [0; 4 * SECTOR];
            disk.read_blocks(sector, &mut read).expect("a read");
            let content = &fake.borrow().content;
            assert_eq!(
                read,
                content[sector * SECTOR..][..4 * SECTOR],
                "{style:?} {sector}"
            );
        }
        assert_eq!(machine.device.faults(), 0);
        assert_eq!(machine.pci.died(), None);
    }
}

#[test]
fn the_fake_disk_keeps_what_a_strange_driver_writes() {
    for style in [Style::Qemu, Style::Lkvm] {
        let (machine, fake, mut disk) = disk(style, FakeBlock::new(64));
        // More often than the queue has entries.
        for round in 0..100_usize {
            disk.write_blocks(round % 64, &[round as u8; SECTOR])
                .expect("a write");
        }
        disk.flush().expect("a flush");
        assert_eq!(fake.borrow().flushes, 1);
        assert_eq!(fake.borrow().content[..SECTOR], [64; SECTOR]);
        assert_eq!(fake.borrow().content[63 * SECTOR..], [63; SECTOR]);
        assert_eq!(machine.device.faults(), 0);
    }
}

#[test]
fn a_read_beyond_the_fake_disk_is_an_error_for_a_strange_driver_too() {
    let (_machine, _fake, mut disk) = disk(Style::Qemu, FakeBlock::new(8));
    assert!(disk.read_blocks(8, &mut [0; SECTOR]).is_err());
    let (_machine, _fake, read_only) =
        super::disks::disk(Style::Qemu, FakeBlock::new(8).read_only());
    assert!(read_only.readonly());
}
