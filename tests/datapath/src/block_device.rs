//! A disk that is honest.

use std::future::Future;
use std::task::{Context, Poll, Waker};

use audit::{Direction, Keep, Label, Purpose};
use block::{BlockDevice, Error};
use testkit::executor::{Call, block_on};
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
        let requests = 1;
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
fn the_trace_says_of_which_request_each_copy_was_and_what_for() {
    let WithDisk {
        rig, device, disk, ..
    } = disk(Style::Qemu, FakeBlock::new(8));
    let trace = rig.region.trace();
    trace.enable(Keep::Copies, 16);
    device.pause(true);
    let mut into = [0; 512];
    let mut read = Call::new(disk.read(0, &mut into));
    let mut write = Call::new(disk.write(1, &[7; 512]));
    assert!(read.poll().is_pending() && write.poll().is_pending());
    device.pause(false);
    device.run();
    assert_eq!(read.poll(), Poll::Ready(Ok(())));
    let copies = core::iter::from_fn(|| trace.pop()).map(|copy| {
        let Label { slot, purpose, .. } = copy.label;
        (copy.direction, slot, purpose, copy.len)
    });
    let expected = [
        (Direction::Out, 0, Purpose::Read, 17),
        (Direction::Out, 1, Purpose::Data, 512),
        (Direction::Out, 1, Purpose::Write, 17),
        (Direction::In, 0, Purpose::Read, 1),
        (Direction::In, 1, Purpose::Write, 1),
        (Direction::In, 0, Purpose::Data, 512),
    ];
    assert_eq!(copies.collect::<Vec<_>>(), expected);
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
fn a_megabyte_is_one_request_and_one_doorbell() {
    let WithDisk {
        device, fake, disk, ..
    } = disk(Style::Qemu, FakeBlock::new(2048));
    let before = device.doorbells();
    let mut into = vec![0; 1 << 20];
    block_on(disk.read(0, &mut into), || ()).unwrap();
    assert!(into == fake.borrow().content);
    assert_eq!(disk.counters().requests, 1);
    assert_eq!(device.doorbells() - before, 1);
    assert_eq!(disk.counters().doorbells, 1);
}

#[test]
#[cfg_attr(miri, ignore = "too long for Miri")]
fn requests_of_many_tasks_share_doorbells_and_interrupts() {
    let WithDisk { device, disk, .. } = disk(Style::Qemu, FakeBlock::new(256));
    let mut tasks: Vec<_> = (0..32)
        .map(|i| {
            let disk = &disk;
            Box::pin(async move { disk.read(i * 8, &mut [0; 4096]).await })
        })
        .collect();
    device.pause(true);
    let mut context = Context::from_waker(Waker::noop());
    for task in &mut tasks {
        assert!(task.as_mut().poll(&mut context).is_pending());
    }
    assert!(disk.poll().is_some());
    assert_eq!(device.doorbells(), 1, "the first; then the device works");
    device.pause(false);
    device.run();
    assert_eq!(device.interrupts(), 1, "when half of them are done");
    for task in &mut tasks {
        assert_eq!(task.as_mut().poll(&mut context), Poll::Ready(Ok(())));
    }
    assert_eq!(disk.poll(), None);
}

#[test]
#[cfg_attr(miri, ignore = "too long for Miri")]
fn a_device_that_takes_few_runs_gets_shorter_requests() {
    for runs in [0, 1, 2, u32::MAX] {
        let mut fake = FakeBlock::new(4096);
        fake.runs = runs;
        let WithDisk {
            device, fake, disk, ..
        } = disk(Style::Qemu, fake);
        // Holes: every second chunk is taken while the long read begins.
        device.pause(true);
        let mut context = Context::from_waker(Waker::noop());
        let mut small: Vec<_> = (0..10)
            .map(|i| {
                let disk = &disk;
                Box::pin(async move { disk.read(i, &mut [0; 512]).await })
            })
            .collect();
        for task in &mut small {
            assert!(task.as_mut().poll(&mut context).is_pending());
        }
        device.pause(false);
        device.run();
        device.pause(true);
        for task in small.iter_mut().step_by(2) {
            assert!(task.as_mut().poll(&mut context).is_ready());
        }
        let mut into = vec![0; 2 << 20];
        let read = block_on(disk.read(0, &mut into), || {
            device.pause(false);
            device.run();
            disk.poll();
        });
        assert_eq!((read, device.faults()), (Ok(()), 0), "{runs} runs");
        assert!(into == fake.borrow().content);
        for task in small.iter_mut().skip(1).step_by(2) {
            assert!(task.as_mut().poll(&mut context).is_ready());
        }
    }
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
