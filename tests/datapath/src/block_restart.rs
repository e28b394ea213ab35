//! Time that does not count, doorbells that were lost, and devices that are started anew.

use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use block::{BlockDevice, Error};
use clock::Clock;
use testkit::executor::block_on;
use testkit::fake_virtio::{FakeBlock, Style};

use crate::setup::{WithDisk, disk, read_twice};

const HOUR: Duration = Duration::from_secs(3600);

/// The host stops the realm with a request in flight, and the device with it.
#[test]
fn a_realm_that_was_paused_keeps_its_disk() {
    let WithDisk {
        rig, device, disk, ..
    } = disk(Style::Qemu, FakeBlock::new(8));
    device.pause(true);
    let mut turns = 0;
    let read = block_on(disk.read(0, &mut [0; 512]), || {
        turns += 1;
        match turns {
            1 => rig.clock.advance(HOUR),
            2 => assert!(disk.poll().is_some(), "it is still waited for"),
            _ => {
                device.pause(false);
                device.run();
            }
        }
    });
    assert_eq!((read, disk.failure()), (Ok(()), None));
}

#[test]
fn whoever_polls_when_told_sees_a_silent_disk_end_after_ten_seconds() {
    let WithDisk {
        rig, device, disk, ..
    } = disk(Style::Qemu, FakeBlock::new(8));
    device.pause(true);
    let mut sector = [0; 512];
    let mut read = pin!(disk.read(0, &mut sector));
    let mut context = Context::from_waker(Waker::noop());
    let begun = rig.clock.now();
    assert!(read.as_mut().poll(&mut context).is_pending());
    let mut polls = 0;
    while let Some(next) = disk.poll() {
        polls += 1;
        rig.clock.advance(next.since(rig.clock.now()));
    }
    let waited = rig.clock.now().since(begun).as_millis();
    assert_eq!((waited, polls < 20), (10_000, true));
    assert_eq!(disk.failure(), Some(virtio::Error::TimedOut));
}

/// A notification that the host withheld, or that was never due.
#[test]
fn a_request_that_waits_for_long_is_announced_once_more() {
    let WithDisk {
        rig, device, disk, ..
    } = disk(Style::Qemu, FakeBlock::new(8));
    device.lie(|l| l.deaf = 1);
    let read = block_on(disk.read(0, &mut [0; 512]), || {
        rig.clock.advance(Duration::from_secs(1));
        disk.poll();
    });
    assert_eq!((read, disk.failure()), (Ok(()), None));
    assert_eq!(device.doorbells(), 2);
    assert!(rig.clock.now().as_nanos() < 7_000_000_000);
}

/// A host that withholds every doorbell, and would have each request wait for seconds.
#[test]
fn a_disk_that_needs_its_second_doorbell_is_waited_for_once() {
    const REQUESTS: u64 = 24;
    let WithDisk {
        rig, device, disk, ..
    } = disk(Style::Qemu, FakeBlock::new(8));
    for _ in 0..REQUESTS {
        device.lie(|l| l.deaf = 1);
        let read = block_on(disk.read(0, &mut [0; 512]), || {
            disk.poll();
            // Once more, as after the interrupt of a device that heard it.
            if let Some(next) = disk.poll() {
                rig.clock.advance(next.since(rig.clock.now()));
            }
        });
        assert_eq!((read, disk.failure()), (Ok(()), None));
    }
    let waited = rig.clock.now().as_nanos() / 1_000_000;
    assert!(waited < 7100 + 100 * REQUESTS, "{waited} ms");
    assert!(device.doorbells() <= 2 * REQUESTS);
}

/// The doorbell of a request is lost that is made in the moment in which that of another was rung once more.
#[test]
fn a_request_of_the_moment_of_a_second_doorbell_has_one_of_its_own() {
    let WithDisk {
        rig, device, disk, ..
    } = disk(Style::Qemu, FakeBlock::new(8));
    let mut sectors = [[0; 512]; 2];
    let [first, second] = &mut sectors;
    let mut context = Context::from_waker(Waker::noop());
    device.lie(|l| l.deaf = 1);
    let mut first = pin!(disk.read(0, first));
    assert!(first.as_mut().poll(&mut context).is_pending());
    while device.doorbells() < 2 {
        let next = disk.poll().unwrap();
        rig.clock.advance(next.since(rig.clock.now()));
        let _ = disk.poll();
    }
    device.lie(|l| l.deaf = 1);
    let read = block_on(disk.read(1, second), || {
        if let Some(next) = disk.poll() {
            rig.clock.advance(next.since(rig.clock.now()));
        }
    });
    assert_eq!((read, disk.failure()), (Ok(()), None));
    assert_eq!(device.doorbells(), 4);
}

#[test]
fn a_device_that_stays_deaf_hears_two_doorbells_and_ends() {
    let WithDisk {
        rig, device, disk, ..
    } = disk(Style::Qemu, FakeBlock::new(8));
    device.lie(|l| l.deaf = u32::MAX);
    let read = block_on(disk.read(0, &mut [0; 512]), || {
        rig.clock.advance(Duration::from_millis(100));
        disk.poll();
    });
    assert_eq!(read, Err(Error::TimedOut));
    assert_eq!(device.doorbells(), 2);
}

#[test]
fn a_disk_that_failed_is_started_anew_on_the_memory_it_had() {
    for style in [Style::Qemu, Style::Lkvm] {
        let WithDisk {
            rig,
            device,
            fake,
            disk,
        } = disk(style, FakeBlock::new(64));
        block_on(disk.write(3, &[0x77; 512]), || ()).unwrap();
        let leased = rig.region.counters()[0].1.leased;
        device.pause(true);
        let lost = block_on(disk.read(0, &mut [0; 512]), || {
            rig.clock.advance(Duration::from_secs(1));
            disk.poll();
        });
        assert_eq!(lost, Err(Error::TimedOut));
        assert!(disk.take_failure().is_some());

        device.pause(false);
        fake.borrow_mut().content.truncate(32 * 512);
        assert_eq!(disk.restart(), Ok(()));
        assert_eq!((disk.failure(), disk.take_failure()), (None, None));
        assert_eq!(rig.region.counters()[0].1.leased, leased);
        assert_eq!(disk.capacity(), 32, "as it says now");
        for sector in 0..600 {
            let mut back = [0; 512];
            assert_eq!(block_on(disk.read(sector % 32, &mut back), || ()), Ok(()));
            let expected = if sector % 32 == 3 { 0x77 } else { sector % 32 };
            assert_eq!(u64::from(back[0]), expected);
        }
        assert_eq!(device.faults(), 0);
    }
}

#[test]
fn requests_that_a_disk_had_when_it_ended_count_as_failed() {
    let WithDisk { device, disk, .. } = disk(Style::Qemu, FakeBlock::new(8));
    for round in 1..=2 {
        device.pause(true);
        let lost = read_twice(&disk, || {
            device.needs_reset();
            disk.interrupt().acknowledge();
            disk.poll();
        });
        assert_eq!(lost, [Err(Error::Broken); 2]);
        assert_eq!(disk.counters().failed, 2 * round);
        device.pause(false);
        assert_eq!(disk.restart(), Ok(()));
        let turn = || {
            disk.poll();
        };
        assert_eq!(read_twice(&disk, turn), [Ok(()); 2]);
        assert_eq!(disk.counters().failed, 2 * round);
    }
}

#[test]
fn a_disk_is_started_anew_as_often_as_it_fails() {
    let WithDisk {
        rig, device, disk, ..
    } = disk(Style::Qemu, FakeBlock::new(64));
    for _ in 0..50 {
        device.needs_reset();
        disk.interrupt().acknowledge();
        assert_eq!(
            block_on(disk.read(0, &mut [0; 512]), || ()),
            Err(Error::Broken)
        );
        assert_eq!(disk.restart(), Ok(()));
        assert_eq!(block_on(disk.read(0, &mut [0; 512]), || ()), Ok(()));
    }
    assert!(rig.region.counters()[0].1.leased > 0);
}

/// What the device had been lent is used again only when it has confirmed a reset.
#[test]
fn a_disk_that_does_not_reset_is_not_started_anew() {
    let WithDisk {
        rig, device, disk, ..
    } = disk(Style::Qemu, FakeBlock::new(8));
    let leased = rig.region.counters()[0].1.leased;
    device.lie(|l| l.never_resets = true);
    device.needs_reset();
    disk.interrupt().acknowledge();
    let broken = block_on(disk.read(0, &mut [0; 512]), || ());
    assert_eq!(broken, Err(Error::Broken));
    assert_eq!(disk.restart(), Err(virtio::Error::ResetTimedOut));
    assert!(disk.failure().is_some());
    let broken = block_on(disk.read(0, &mut [0; 512]), || ());
    assert_eq!(broken, Err(Error::Broken));
    assert_eq!(rig.region.counters()[0].1.leased, leased);
    device.lie(|l| l.never_resets = false);
    assert_eq!(disk.restart(), Ok(()));
    assert_eq!(block_on(disk.read(0, &mut [0; 512]), || ()), Ok(()));
}

/// A device that comes back as another one.
#[test]
fn a_disk_that_offers_less_than_before_is_not_started_anew() {
    let WithDisk {
        device, fake, disk, ..
    } = disk(Style::Qemu, FakeBlock::new(8));
    device.needs_reset();
    disk.interrupt().acknowledge();
    disk.poll();
    fake.borrow_mut().features = 0;
    assert_eq!(disk.restart(), Err(virtio::Error::FeaturesChanged));
    assert_eq!(disk.failure(), Some(virtio::Error::NeedsReset));
}

#[test]
fn a_disk_that_runs_is_not_started_anew() {
    let WithDisk { device, disk, .. } = disk(Style::Qemu, FakeBlock::new(8));
    let resets = device.resets();
    assert_eq!(disk.restart(), Ok(()));
    assert_eq!(device.resets(), resets);
    assert_eq!(block_on(disk.read(0, &mut [0; 512]), || ()), Ok(()));
}
