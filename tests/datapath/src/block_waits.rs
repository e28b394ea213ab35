//! Requests that wait: for a slot, for the device, for nobody any more.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use block::{BlockDevice, Error};
use testkit::executor::{Call, block_on, serve};
use testkit::fake_virtio::{FakeBlock, Style};

use crate::setup::{WithDisk, disk, disk_pool};

const TASKS: usize = 40;

#[test]
fn more_tasks_than_slots_are_all_served() {
    let WithDisk {
        rig, device, disk, ..
    } = disk(Style::Lkvm, FakeBlock::new(TASKS));
    device.pause(true);
    let disk = &disk;
    let reads = (0..TASKS as u64).map(|sector| async move {
        let mut bytes = [0; 512];
        disk.read(sector, &mut bytes).await.map(|()| bytes[0])
    });
    let results = serve(reads.collect(), || {
        device.pause(false);
        device.run();
        disk.poll();
    });
    for (i, result) in results.into_iter().enumerate() {
        assert_eq!(result, Ok(i as u8));
    }
    assert!(rig.region.counters()[0].1.exhausted > 0);
}

/// The device does all that it has whenever it is told, before the next task has its turn.
#[test]
fn a_device_that_is_faster_than_its_tasks_gets_few_doorbells() {
    const TURNS: u64 = 8;
    let WithDisk { device, disk, .. } = disk(Style::Qemu, FakeBlock::new(64));
    let disk = &disk;
    let reads = |task: u64| async move {
        for _ in 0..TURNS {
            assert_eq!(disk.read(task, &mut [0; 512]).await, Ok(()));
        }
    };
    let mut tasks: Vec<_> = (0..32).map(|task| Some(Box::pin(reads(task)))).collect();
    let mut context = Context::from_waker(Waker::noop());
    while tasks.iter().any(Option::is_some) {
        for place in &mut tasks {
            let task = place.as_mut();
            if task.is_some_and(|task| task.as_mut().poll(&mut context).is_ready()) {
                *place = None;
            }
        }
        disk.poll();
    }
    let doorbells = device.doorbells();
    assert!(
        doorbells <= 4 * TURNS,
        "{doorbells} for {} requests",
        32 * TURNS
    );
}

#[test]
fn time_without_a_request_is_not_held_against_the_next_one() {
    let WithDisk {
        rig, device, disk, ..
    } = disk(Style::Qemu, FakeBlock::new(8));
    assert_eq!(block_on(disk.read(0, &mut [0; 512]), || ()), Ok(()));
    rig.clock.advance(Duration::from_millis(1900));
    assert_eq!(disk.poll(), None, "nothing is in flight");
    device.pause(true);
    let mut sector = [0; 512];
    let mut read = pin!(disk.read(1, &mut sector));
    let mut context = Context::from_waker(Waker::noop());
    assert!(read.as_mut().poll(&mut context).is_pending());
    for _ in 0..9 {
        rig.clock.advance(Duration::from_secs(1));
        disk.poll();
        assert_eq!(disk.failure(), None);
    }
    rig.clock.advance(Duration::from_secs(1));
    disk.poll();
    assert_eq!(disk.failure(), Some(virtio::Error::TimedOut));
}

#[test]
fn a_waiting_task_is_woken_by_the_completion() {
    let WithDisk { device, disk, .. } = disk(Style::Qemu, FakeBlock::new(8));
    device.pause(true);
    let mut sector = [0; 512];
    let mut read = Call::new(disk.read(1, &mut sector));
    assert!(read.poll().is_pending());
    assert!(disk.poll().is_some());
    assert_eq!(read.woken(), 0);

    device.pause(false);
    device.run();
    assert_eq!(disk.poll(), None);
    assert_eq!(read.woken(), 1);
    assert_eq!(read.poll(), Poll::Ready(Ok(())));
}

#[test]
fn the_slot_of_a_call_that_was_given_up_comes_back() {
    let WithDisk { device, disk, .. } = disk(Style::Qemu, FakeBlock::new(2048));
    device.pause(true);
    {
        let mut all = vec![0; 1 << 20];
        let mut read = pin!(disk.read(0, &mut all));
        let mut context = Context::from_waker(Waker::noop());
        assert!(read.as_mut().poll(&mut context).is_pending());
    }
    assert!(disk.poll().is_some(), "the device still has the slots");
    device.pause(false);
    device.run();
    assert_eq!(disk.poll(), None);
    assert_eq!(block_on(disk.read(0, &mut vec![0; 1 << 20]), || ()), Ok(()));
}

/// Case 9.
#[test]
fn a_completion_that_never_comes_ends_at_the_deadline() {
    let WithDisk {
        rig, device, disk, ..
    } = disk(Style::Qemu, FakeBlock::new(8));
    device.pause(true);
    let resets = device.resets();
    let result = block_on(disk.read(0, &mut [0; 512]), || {
        rig.clock.advance(Duration::from_secs(1));
        disk.poll();
    });
    assert_eq!(result, Err(Error::TimedOut));
    assert_eq!(device.resets() - resets, 1);
    assert_eq!(disk.take_failure(), Some(virtio::Error::TimedOut));
    assert_eq!(disk.take_failure(), None);
    assert_eq!(disk.failure(), Some(virtio::Error::TimedOut));

    device.pause(false);
    device.run();
    assert_eq!(disk.poll(), None);
    assert_eq!(
        block_on(disk.read(0, &mut [0; 512]), || ()),
        Err(Error::TimedOut)
    );
}

/// Case 9: a device that does not even reset keeps what it was lent, for ever.
#[test]
fn memory_goes_back_only_when_the_device_confirms_its_reset() {
    for (stubborn, left) in [(false, 0), (true, 1)] {
        let WithDisk {
            rig, device, disk, ..
        } = disk(Style::Qemu, FakeBlock::new(8));
        let leased = rig.region.counters()[0].1.leased;
        assert!(leased > 0 && leased <= disk_pool() as u64);
        device.lie(|l| l.never_resets = stubborn);
        drop(disk);
        assert_eq!(rig.region.counters()[0].1.leased, leased * left);
    }
}
