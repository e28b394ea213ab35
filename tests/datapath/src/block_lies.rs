//! A disk that lies.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use block::{BlockDevice, Error};
use testkit::executor::block_on;
use testkit::fake_virtio::{FakeBlock, Style, Used};
use virtio::Block;

use crate::setup::{DISK, WithDisk, disk, disk_pool, rig_of};

/// Case 36: a status that means failure, or nothing.
#[test]
fn a_wrong_status_is_an_error_of_that_request_alone() {
    type Status = fn(u8) -> Option<u8>;
    let cases: [(Status, Error); 5] = [
        (|_| Some(1), Error::Io),
        (|_| Some(2), Error::Unsupported),
        (|_| Some(3), Error::Io),
        (|_| Some(255), Error::Io),
        // The status is never written.
        (|_| None, Error::Io),
    ];
    for (status, error) in cases {
        let WithDisk { fake, disk, .. } = disk(Style::Qemu, FakeBlock::new(8));
        fake.borrow_mut().status = status;
        assert_eq!(block_on(disk.read(0, &mut [0; 512]), || ()), Err(error));
        assert_eq!(block_on(disk.write(0, &[0; 512]), || ()), Err(error));
        assert_eq!(block_on(disk.flush(), || ()), Err(error));
        fake.borrow_mut().status = Some;
        assert_eq!(block_on(disk.read(0, &mut [0; 512]), || ()), Ok(()));
        assert_eq!(disk.counters().failed, 3);
    }
}

/// Cases 5 and 36: fewer bytes than were asked for.
#[test]
fn short_data_is_an_error_whatever_the_status_says() {
    for len in [0, 1, 511] {
        let WithDisk { device, disk, .. } = disk(Style::Qemu, FakeBlock::new(8));
        device.lie(|l| {
            l.completions = Some(Box::new(move |used| vec![Used { len, ..used }]));
        });
        let read = block_on(disk.read(0, &mut [0; 512]), || ());
        assert_eq!(read, Err(Error::Io), "{len} bytes");
    }
}

/// A device that counts the status says one byte more than it read, and one byte less is not what lkvm says.
#[test]
fn a_read_that_is_one_byte_short_is_an_error_once_it_is_known_how_the_device_counts() {
    let WithDisk { device, disk, .. } = disk(Style::Qemu, FakeBlock::new(8));
    assert_eq!(block_on(disk.write(0, &[7; 512]), || ()), Ok(()));
    let short = |used: Used| Used {
        len: used.len - 1,
        ..used
    };
    device.lie(|l| l.completions = Some(Box::new(move |used| vec![short(used)])));
    let read = block_on(disk.read(0, &mut [0; 512]), || ());
    assert_eq!(read, Err(Error::Io));
    device.lie(|l| l.completions = None);
    assert_eq!(block_on(disk.read(0, &mut [0; 512]), || ()), Ok(()));
}

/// Case 6: success is claimed, and nothing was written. What comes is what this device was told or
/// has written itself, and zero before; never anything of our own.
#[test]
fn data_that_the_device_did_not_write_is_what_it_knows_already() {
    let WithDisk { fake, disk, .. } = disk(Style::Qemu, FakeBlock::new(1024));
    fake.borrow_mut().writes_data = false;
    let mut back = vec![0xee; 256 * 1024];
    block_on(disk.read(0, &mut back), || ()).unwrap();
    assert!(back.iter().all(|b| *b == 0), "nothing was there before");
    block_on(disk.write(0, &vec![0x5e; 128 * 1024]), || ()).unwrap();
    block_on(disk.read(0, &mut back), || ()).unwrap();
    let (told, rest) = back.split_at(128 * 1024);
    assert!(told.iter().all(|b| *b == 0x5e) && rest.iter().all(|b| *b == 0));
}

/// What a read leaves behind is gone when the memory gets another owner.
#[test]
fn a_pool_that_changes_its_owner_holds_nothing_of_the_last_one() {
    let rig = rig_of(Style::Qemu, disk_pool());
    rig.plug(DISK, Rc::new(RefCell::new(FakeBlock::new(64))));
    let pool = rig.pool(disk_pool());
    let start = || <Block>::start(rig.open(DISK).unwrap(), &pool, rig.environment);
    let disk = start().unwrap();
    let canary = *b"canary of the disk's old content";
    block_on(disk.write(0, &canary.repeat(16)), || ()).unwrap();
    assert!(rig.memory.contains(&canary), "it lies in the chunk");
    drop(disk);
    assert_eq!(pool.counters().leased, 0);
    let _disk = start().unwrap();
    assert!(!rig.memory.contains(&canary));
}

/// Case 38: what a flush claims cannot be checked here; that it is asked for can.
#[test]
fn a_flush_reaches_the_device_after_the_write() {
    let WithDisk { fake, disk, .. } = disk(Style::Lkvm, FakeBlock::new(8));
    block_on(disk.write(5, &[1; 512]), || ()).unwrap();
    block_on(disk.flush(), || ()).unwrap();
    assert_eq!(fake.borrow().log, [(1, 5), (4, 0)]);
}

/// Case 20: the capacity changes while the disk is in use.
#[test]
fn the_capacity_is_latched_when_the_disk_starts() {
    let WithDisk { fake, disk, .. } = disk(Style::Qemu, FakeBlock::new(8));
    fake.borrow_mut().capacity = Some(u64::MAX);
    assert_eq!(disk.capacity(), 8);
    let beyond = block_on(disk.read(8, &mut [0; 512]), || ());
    assert!(matches!(beyond, Err(Error::OutOfRange { .. })));
}

/// Case 20: a capacity that no address reaches.
#[test]
fn a_capacity_beyond_64_bits_of_bytes_is_clamped() {
    let mut vast = FakeBlock::new(8);
    vast.capacity = Some(u64::MAX);
    let WithDisk { disk, .. } = disk(Style::Qemu, vast);
    assert_eq!(disk.capacity(), u64::MAX / 512);
    let read = block_on(disk.read(u64::MAX / 512 - 1, &mut [0; 512]), || ());
    assert_eq!(read, Err(Error::Io));
}

/// Case 19: NEEDS_RESET, announced by the configuration interrupt.
#[test]
fn a_device_that_needs_a_reset_ends() {
    let WithDisk { device, disk, .. } = disk(Style::Qemu, FakeBlock::new(8));
    device.needs_reset();
    assert!(disk.interrupt().acknowledge());
    assert_eq!(
        block_on(disk.read(0, &mut [0; 512]), || ()),
        Err(Error::Broken)
    );
    assert_eq!(disk.failure(), Some(virtio::Error::NeedsReset));
    assert_eq!(device.status(), 0);
}

/// Case 30: interrupts that mean nothing.
#[test]
fn interrupts_without_a_cause_change_nothing() {
    let WithDisk { rig, disk, .. } = disk(Style::Qemu, FakeBlock::new(8));
    for _ in 0..1000 {
        assert!(!disk.interrupt().acknowledge());
    }
    rig.clock.advance(Duration::from_secs(3600));
    assert_eq!(disk.poll(), None);
    assert_eq!(block_on(disk.read(0, &mut [0; 512]), || ()), Ok(()));
}
