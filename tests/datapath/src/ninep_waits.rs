//! Messages to a folder of the host that wait: for a request, for the answer, for a host that is silent.

use std::cell::Cell;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use ninep::Transport;
use testkit::executor::{block_on, serve};
use testkit::fake_virtio::{FakeNineP, Style};
use virtio::Error;

use crate::ninep_device::{WithShare, content, share};

const TASKS: usize = 9;

#[test]
fn messages_that_are_on_their_way_together_get_their_own_answers() {
    let names: Vec<_> = (0..TASKS).map(|task| format!("f{task}")).collect();
    let mut fake = FakeNineP::new("web");
    for (task, name) in names.iter().enumerate() {
        fake = fake.with(name, &content(1000 + task));
    }
    let WithShare {
        device,
        driver,
        share,
        ..
    } = share(Style::Qemu, fake);
    let tasks = names.iter().map(|name| share.read(name, 9000)).collect();
    let turn = Cell::new(0);
    // The host answers every second time: more tasks than requests are waiting by then.
    let files = serve(tasks, || {
        turn.set(turn.get() + 1);
        device.pause(turn.get() % 2 != 0);
        device.run();
        driver.poll();
    });
    for (task, file) in files.into_iter().enumerate() {
        assert!(file == Ok(content(1000 + task)), "task {task}");
    }
}

/// Whoever looks when told sees each of these moments, and no other.
#[test]
fn a_silent_host_is_rung_once_more_halfway_and_ended_at_the_deadline() {
    let WithShare {
        rig,
        device,
        driver,
        share,
        ..
    } = share(Style::Qemu, FakeNineP::new("web").with("f", b"hi"));
    assert_eq!(driver.poll(), None, "nothing is on its way");
    device.pause(true);
    let start = rig.clock_now();
    let mut read = pin!(share.read("f", 9));
    let mut context = Context::from_waker(Waker::noop());
    assert!(read.as_mut().poll(&mut context).is_pending());
    let before = device.doorbells();
    let mut moments = Vec::new();
    while let Some(next) = driver.poll() {
        rig.clock.advance(next.since(rig.clock_now()));
        moments.push((next.since(start).as_secs(), device.doorbells() - before));
        assert!(moments.len() < 20, "{moments:?}");
    }
    assert_eq!(moments, [(2, 0), (4, 0), (5, 0), (7, 1), (9, 1), (10, 1)]);
    assert_eq!(driver.failure(), Some(Error::TimedOut));
}

/// Two that are late are one doorbell.
#[test]
fn a_doorbell_is_rung_once_more_for_all_that_are_late() {
    let files = FakeNineP::new("web").with("f", b"hi").with("g", b"ho");
    let WithShare {
        rig,
        device,
        driver,
        share,
        ..
    } = share(Style::Qemu, files);
    device.pause(true);
    let (mut f, mut g) = (pin!(share.read("f", 9)), pin!(share.read("g", 9)));
    let mut context = Context::from_waker(Waker::noop());
    assert!(f.as_mut().poll(&mut context).is_pending());
    assert!(g.as_mut().poll(&mut context).is_pending());
    let before = device.doorbells();
    for second in 1..10 {
        rig.clock.advance(Duration::from_secs(1));
        driver.poll();
        let rung = device.doorbells() - before;
        assert_eq!(rung, u64::from(second >= 5), "second {second}");
    }
    assert_eq!(driver.failure(), None);
}

/// What is asked for too much is the caller's mistake: the host is not told, and the device goes on.
#[test]
fn a_message_that_has_no_room_is_refused() {
    let WithShare {
        device,
        driver,
        share,
        ..
    } = share(Style::Qemu, FakeNineP::new("web").with("f", b"hi"));
    let most = driver.max_message();
    let messages = driver.counters().messages;
    // Statfs of a file that there is not: 11 bytes, and an answer.
    let head = || [11, 0, 0, 0, 8, 0, 0, 0xff, 0xff, 0, 0];
    let ask = |data: &[u8], room: usize| {
        let (mut head, mut reply) = (head(), vec![0; room]);
        let (first, rest) = reply.split_at_mut(room.min(7));
        let asked = driver.exchange((&mut head, data), [first, rest]);
        (block_on(asked, || ()), head)
    };
    for (data, room) in [(0, 0), (0, 6), (0, most + 1), (most - 10, 100), (most, 7)] {
        assert_eq!(ask(&vec![0; data], room).0, Err(Error::QueueFull));
    }
    assert_eq!(driver.counters().messages, messages, "nothing was sent");
    assert_eq!((driver.failure(), device.faults()), (None, 0));
    assert_eq!(block_on(share.read("f", 9), || ()).unwrap(), b"hi");
}

#[test]
fn a_message_has_the_tag_of_its_request_and_the_first_of_all_has_none() {
    let WithShare { driver, .. } = share(Style::Qemu, FakeNineP::new("web"));
    let tag = |kind: u8| {
        let mut head = [11, 0, 0, 0, kind, 0x55, 0x55, 0xff, 0xff, 0, 0];
        let mut reply = [0; 200];
        let (first, rest) = reply.split_at_mut(7);
        let _ = block_on(driver.exchange((&mut head, &[]), [first, rest]), || ());
        u16::from_le_bytes([head[5], head[6]])
    };
    assert!(tag(8) < 4);
    assert_eq!(tag(100), u16::MAX);
}
