//! A disk that is honest.

use block::{BlockDevice, Error};
use testkit::executor::block_on;
use testkit::fake_virtio::{FakeBlock, Style};

use crate::setup::{STYLES, WithDisk, disk};

/// Bytes that need several requests.
const LONG: usize = if cfg!(miri) { 1024 } else { 200 * 1024 + 512 };

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 253) as u8).collect()
}

#[test]
fn what_is_written_is_on_the_disk_and_is_read_back() {
    for &style in STYLES {
        let WithDisk {
            device, fake, disk, ..
        } = disk(style, FakeBlock::new(LONG / 512 + 8));
        let data = pattern(LONG);
        block_on(disk.write(7, &data), || ()).unwrap();
        block_on(disk.flush(), || ()).unwrap();
        assert_eq!(fake.borrow().content[7 * 512..7 * 512 + LONG], data);
        assert_eq!(fake.borrow().flushes, 1);

        let mut back = vec![0xee; LONG];
        block_on(disk.read(7, &mut back), || ()).unwrap();
        assert!(back == data, "{style:?}: other data came back");
        assert_eq!(device.faults(), 0);
        assert_eq!(disk.failure(), None);
    }
}

#[test]
#[cfg_attr(miri, ignore = "too long for Miri")]
fn neighbours_of_what_is_written_are_left_alone() {
    let WithDisk { fake, disk, .. } = disk(Style::Qemu, FakeBlock::new(16));
    let before = fake.borrow().content.clone();
    block_on(disk.write(3, &[0x77; 1024]), || ()).unwrap();
    let after = fake.borrow();
    assert_eq!(after.content[..3 * 512], before[..3 * 512]);
    assert_eq!(after.content[5 * 512..], before[5 * 512..]);
}

#[test]
#[cfg_attr(miri, ignore = "too long for Miri")]
fn every_byte_crosses_once() {
    for &style in STYLES {
        let WithDisk { rig, disk, .. } = disk(style, FakeBlock::new(1024));
        let crossed = || rig.region.counters()[0].1;
        let requests = LONG.div_ceil(64 * 1024) as u64;
        let (heads, statuses) = (17 * requests, requests);

        block_on(disk.write(0, &pattern(LONG)), || ()).unwrap();
        let written = crossed();
        assert_eq!(written.bytes_out, LONG as u64 + heads);
        assert_eq!(written.bytes_in, statuses);

        block_on(disk.read(0, &mut vec![0; LONG]), || ()).unwrap();
        let read = crossed();
        assert_eq!(read.bytes_out - written.bytes_out, heads);
        assert_eq!(read.bytes_in - written.bytes_in, LONG as u64 + statuses);
    }
}

#[test]
#[cfg_attr(miri, ignore = "too long for Miri")]
fn nothing_is_copied_out_before_a_read() {
    let WithDisk {
        rig, device, disk, ..
    } = disk(Style::Qemu, FakeBlock::new(8));
    let canary = *b"canary of the destination buffer";
    let mut into = canary.repeat(16);
    device.pause(true);
    let mut turns = 0;
    block_on(disk.read(0, &mut into), || {
        assert!(!rig.memory.contains(&canary));
        turns += 1;
        if turns == 3 {
            device.pause(false);
            device.run();
        }
    })
    .unwrap();
    assert!(!rig.memory.contains(&canary));
}

#[test]
#[cfg_attr(miri, ignore = "too long for Miri")]
fn the_requests_of_one_call_share_a_doorbell() {
    let WithDisk { device, disk, .. } = disk(Style::Qemu, FakeBlock::new(1024));
    let before = device.doorbells();
    block_on(disk.read(0, &mut vec![0; 128 * 1024]), || ()).unwrap();
    assert_eq!(disk.counters().requests, 2);
    assert_eq!(device.doorbells() - before, 1);
    assert_eq!(disk.counters().doorbells, 1);
}

#[test]
#[cfg_attr(miri, ignore = "too long for Miri")]
fn a_read_only_disk_refuses_writes_and_gives_reads() {
    let WithDisk { fake, disk, .. } = disk(Style::Qemu, FakeBlock::new(8).read_only());
    assert!(disk.read_only());
    assert_eq!(
        block_on(disk.write(0, &[0; 512]), || ()),
        Err(Error::ReadOnly)
    );
    assert_eq!(fake.borrow().log, []);
    assert_eq!(block_on(disk.read(0, &mut [0; 512]), || ()), Ok(()));
}

#[test]
#[cfg_attr(miri, ignore = "too long for Miri")]
fn a_disk_of_no_sectors_starts_and_every_access_is_out_of_range() {
    for &style in STYLES {
        let WithDisk { fake, disk, .. } = disk(style, FakeBlock::new(0));
        assert_eq!(disk.capacity(), 0);
        let refused = block_on(disk.read(0, &mut [0; 512]), || ());
        let range = Error::OutOfRange {
            sector: 0,
            count: 1,
            capacity: 0,
        };
        assert_eq!(refused, Err(range));
        assert_eq!(fake.borrow().log, []);
    }
}

#[test]
#[cfg_attr(miri, ignore = "too long for Miri")]
fn a_flush_of_a_disk_without_a_cache_asks_for_nothing() {
    let mut plain = FakeBlock::new(8);
    plain.features = 0;
    let WithDisk { fake, disk, .. } = disk(Style::Qemu, plain);
    assert_eq!(block_on(disk.flush(), || ()), Ok(()));
    assert_eq!(fake.borrow().log, []);
}

#[test]
#[cfg_attr(miri, ignore = "too long for Miri")]
fn the_rings_go_round_more_often_than_their_index_counts() {
    let WithDisk { device, disk, .. } = disk(Style::Qemu, FakeBlock::new(64));
    for i in 0..70_000_u64 {
        let mut sector = [0; 512];
        block_on(disk.read(i % 64, &mut sector), || ()).unwrap();
        assert_eq!(sector[0], (i % 64) as u8, "request {i}");
    }
    assert_eq!(device.doorbells(), 70_000);
    assert_eq!(device.faults(), 0);
}
