//! When a disk wants to be looked at again, and what is found then.

use std::task::Poll;
use std::time::Duration;

use block::{BlockDevice, Error};
use testkit::executor::{Call, block_on};
use testkit::fake_virtio::{FakeBlock, Style};
use testkit::rig::Rig;
use virtio::Block;

use crate::setup::{WithDisk, disk, do_one};

/// Reads that the device has not done.
fn reads(disk: &Block, count: u64) -> Vec<Call<'_, Result<(), Error>>> {
    let read = |sector| Call::new(async move { disk.read(sector, &mut [0; 512]).await });
    let mut calls: Vec<_> = (0..count).map(read).collect();
    for call in &mut calls {
        assert!(call.poll().is_pending());
    }
    calls
}

/// Looks at a disk each second for `seconds`.
fn look(rig: &Rig, disk: &Block, seconds: u32) {
    for _ in 0..seconds {
        rig.clock.advance(Duration::from_secs(1));
        disk.poll();
    }
}

/// It is one of many, of which the others have more time.
#[test]
fn a_request_that_is_done_when_its_deadline_is_seen_is_done() {
    let WithDisk {
        rig, device, disk, ..
    } = disk(Style::Qemu, FakeBlock::new(64));
    device.pause(true);
    let mut first = reads(&disk, 1);
    look(&rig, &disk, 5);
    let _others = reads(&disk, 8);
    look(&rig, &disk, 4);
    do_one(&device);
    look(&rig, &disk, 1);
    assert_eq!((first[0].woken(), disk.failure()), (1, None));
    assert_eq!(first[0].poll(), Poll::Ready(Ok(())));
}

#[test]
fn a_disk_that_hears_its_doorbells_has_one_for_a_request_that_takes_seconds() {
    let WithDisk {
        rig, device, disk, ..
    } = disk(Style::Qemu, FakeBlock::new(8));
    assert_eq!(block_on(disk.read(0, &mut [0; 512]), || ()), Ok(()));
    device.pause(true);
    let mut slow = reads(&disk, 1);
    look(&rig, &disk, 4);
    do_one(&device);
    assert_eq!(slow[0].poll(), Poll::Ready(Ok(())));
    assert_eq!(device.doorbells(), 2);
}

/// From a few requests in flight on, one completion waits for others, and not for long.
#[test]
fn a_completion_that_comes_alone_waits_a_moment_for_others_and_no_longer() {
    let WithDisk {
        rig, device, disk, ..
    } = disk(Style::Qemu, FakeBlock::new(64));
    device.pause(true);
    let calls = reads(&disk, 12);
    let woken = || calls.iter().map(Call::woken).sum::<u64>();
    disk.poll();
    do_one(&device);
    let now = rig.clock_now();
    let next = disk.poll().unwrap();
    assert_eq!(woken(), 0, "others may come");
    assert!((400..=500).contains(&next.since(now).as_micros()));
    rig.clock.advance_until(next);
    let later = disk.poll().unwrap();
    assert_eq!(woken(), 1, "whoever looks when told finds it over");
    assert!(later > next);
}

/// What tasks did with the completions before is no time that completions waited: it counts from what they ask for next.
#[test]
fn a_moment_begins_anew_when_tasks_ask_for_more_but_not_for_ever() {
    let WithDisk {
        rig, device, disk, ..
    } = disk(Style::Qemu, FakeBlock::new(64));
    device.pause(true);
    let mut calls = reads(&disk, 12);
    disk.poll();
    let begun = rig.clock_now();
    do_one(&device);
    device.pause(true);
    let woken = |calls: &[Call<'_, _>]| calls.iter().map(Call::woken).sum::<u64>();
    while woken(&calls) == 0 {
        calls.extend(reads(&disk, 1));
        rig.clock.advance(Duration::from_micros(300));
        disk.poll();
    }
    let waited = rig.clock_now().since(begun).as_micros();
    assert!((1900..=2400).contains(&waited), "{waited} us");
}

/// Nothing is waited for with a request that is alone: its completion is taken whenever it comes.
#[test]
fn a_request_that_is_alone_is_looked_for_after_two_seconds_and_not_before() {
    let WithDisk {
        rig, device, disk, ..
    } = disk(Style::Qemu, FakeBlock::new(8));
    assert_eq!(block_on(disk.read(0, &mut [0; 512]), || ()), Ok(()));
    device.pause(true);
    let _alone = reads(&disk, 1);
    let now = rig.clock_now();
    let next = disk.poll().unwrap();
    assert_eq!(next.since(now).as_millis(), 2000);
}

#[test]
fn a_disk_with_nothing_to_do_is_looked_at_when_it_announces_a_change() {
    let WithDisk { device, disk, .. } = disk(Style::Qemu, FakeBlock::new(8));
    device.lie(|lies| lies.index = Some(Box::new(|index| index + 1)));
    device.run();
    assert_eq!((disk.poll(), disk.failure()), (None, None), "it is idle");
    device.announce_config();
    assert!(disk.interrupt().acknowledge());
    assert_eq!(disk.poll(), None);
    let (moved, outstanding) = (1, 0);
    let lie = virtio::Error::UsedIndex { moved, outstanding };
    assert_eq!(disk.failure(), Some(lie));
}
