//! Who waits for a console, for its ports, or for a port that has no name yet: when they are woken, and when not.

use std::future::Future;
use std::task::Poll;
use std::time::Duration;

use embedded_io_async::{Read, Write};
use testkit::executor::{Call, serve};
use testkit::fake_clock::TICK;
use testkit::fake_virtio::console::{event, message};
use testkit::fake_virtio::{FakeConsole, Style};
use virtio::{Port, StreamError};

use crate::console_device::{WithConsole, console};
use crate::console_lies::with_port;
use crate::setup::do_one;

/// A turn of a loop that has many, and in which no time passes.
fn busy_turn(machine: &WithConsole) {
    machine.device.run();
    machine.console.poll_in_turn();
}

/// A port to which nothing more can be written: the device has all of its slots, and keeps them.
fn full(machine: &WithConsole) -> Port {
    machine.fake.borrow_mut().takes = false;
    let port = Port::find(&machine.console, "port").unwrap();
    assert_eq!(port.write_now(&[7; 20_000]), Ok(4 * 4096));
    port
}

/// Has `wait` sleep while `during` goes on; how often it was woken.
fn wakes(wait: impl Future, during: impl FnOnce()) -> u64 {
    let mut wait = Call::new(wait);
    assert!(wait.poll().is_pending());
    during();
    wait.woken()
}

#[test]
fn who_waits_is_left_asleep_while_there_is_nothing_for_it() {
    let (machine, mut port) = with_port();
    let turns = || (0..20).for_each(|_| machine.turn());
    assert_eq!(wakes(port.read(&mut [0; 9]), turns), 0);
    assert_eq!(wakes(Port::open(&machine.console, "other"), turns), 0);
    assert_eq!(wakes(full(&machine).write(b"more"), turns), 0);
}

#[test]
fn who_writes_is_woken_by_the_first_slot_that_comes_back() {
    let (machine, _) = with_port();
    let mut port = full(&machine);
    let one = || {
        machine.console.poll();
        machine.fake.borrow_mut().takes = true;
        do_one(&machine.device);
        machine.console.poll();
    };
    assert_eq!(wakes(port.write(b"more"), one), 1);
}

/// As long as somebody waits, each turn of a busy loop looks at the device.
#[test]
fn who_waits_is_woken_in_the_turn_in_which_there_is_something_for_it() {
    let (machine, mut port) = with_port();
    let turns = |happens: fn(&mut FakeConsole)| {
        busy_turn(&machine);
        busy_turn(&machine);
        happens(&mut machine.fake.borrow_mut());
        busy_turn(&machine);
    };
    let reads = wakes(port.read(&mut [0; 9]), || turns(|fake| fake.say(1, b"now")));
    assert_eq!(reads, 1);
    let seeks = wakes(Port::open(&machine.console, "other"), || {
        turns(|fake| {
            let news = message(1, event::PORT_OPEN, 1, &[]);
            fake.messages.push_back(news);
        });
    });
    assert_eq!(seeks, 1);
    let writes = wakes(full(&machine).write(b"more"), || {
        turns(|fake| fake.takes = true);
    });
    assert_eq!(writes, 1);
}

#[test]
fn a_console_that_nobody_waits_for_is_looked_at_again_when_ten_milliseconds_are_over() {
    let (machine, _port) = with_port();
    let turn = machine.rig.clock_now().after(TICK);
    busy_turn(&machine);
    let gone = message(1, event::PORT_REMOVE, 1, &[]);
    machine.fake.borrow_mut().messages.push_back(gone);
    machine
        .rig
        .clock
        .advance_until(turn.after(Duration::from_millis(10) - TICK));
    busy_turn(&machine);
    assert_eq!(machine.console.ports(), ["hvc0", "port"]);
    busy_turn(&machine);
    assert_eq!(machine.console.ports(), ["hvc0"]);
}

#[test]
fn a_console_is_waited_for_neither_when_it_is_there_nor_when_its_device_has_failed() {
    let (there, _port) = with_port();
    let mut fake = FakeConsole::with_ports(&["port"]);
    fake.ports[0] = None;
    let failed = console(Style::Qemu, fake);
    failed.device.needs_reset();
    failed.console.interrupt().acknowledge();
    for (machine, found) in [(there, true), (failed, false)] {
        let before = machine.rig.clock_now();
        let awaited = machine.console.await_console(Duration::from_secs(1));
        assert_eq!(awaited, found);
        let waited = machine.rig.clock_now().since(before);
        assert!(waited < Duration::from_millis(1), "{waited:?}");
    }
}

#[test]
fn tasks_that_seek_ports_are_woken_when_these_are_named() {
    let mut fake = FakeConsole::with_ports(&["one", "two"]);
    fake.ports[1..].fill(None);
    let machine = console(Style::Qemu, fake);
    let names = [(1, 20, &b"one\0"[..]), (2, 40, b"two\0")];
    let before = machine.rig.clock_now();
    let mut turns = 0;
    let seekers = ["one", "two"].map(|name| Port::open(&machine.console, name));
    let found = serve(seekers.into(), || {
        turns += 1;
        for (port, _, name) in names.iter().filter(|(_, turn, _)| *turn == turns) {
            let add = message(*port, event::PORT_ADD, 1, &[]);
            let name = message(*port, event::PORT_NAME, 1, name);
            machine.fake.borrow_mut().messages.extend([add, name]);
        }
        machine.turn();
    });
    assert!(found.iter().all(Result::is_ok));
    let took = machine.rig.clock_now().since(before);
    assert!(took < Duration::from_millis(60), "{took:?}");
}

#[test]
fn who_seeks_a_port_that_nobody_names_is_woken_when_two_seconds_are_over() {
    let (machine, _port) = with_port();
    let before = machine.rig.clock_now();
    let wakes = wakes(Port::open(&machine.console, "other"), || {
        let end = machine.console.poll().unwrap();
        assert_eq!(end.since(before), Duration::from_secs(2) + TICK);
        machine.rig.clock.advance_until(end);
        machine.console.poll();
    });
    assert_eq!(wakes, 1);
}

#[test]
fn who_was_told_that_there_is_no_such_port_is_not_woken_any_more() {
    let (machine, _port) = with_port();
    let mut open = Call::new(Port::open(&machine.console, "other"));
    let end = machine.rig.clock_now().after(Duration::from_secs(2) + TICK);
    assert!(open.poll().is_pending());
    let news = message(1, event::PORT_OPEN, 1, &[]);
    machine.fake.borrow_mut().messages.push_back(news);
    machine.turn();
    assert_eq!(open.woken(), 1);
    machine.rig.clock.advance_until(end);
    let Poll::Ready(Err(StreamError::NoPort)) = open.poll() else {
        panic!("its two seconds are over");
    };
    (0..3).for_each(|_| machine.turn());
    assert_eq!(open.woken(), 1);
}

/// The ten seconds of a writer begin when nothing goes on any more.
#[test]
fn time_after_which_something_went_on_does_not_count_against_a_writer() {
    let (machine, mut port) = with_port();
    let _same = full(&machine);
    let look = || {
        machine.rig.clock.advance(Duration::from_millis(500));
        machine.console.poll();
    };
    {
        let mut write = Call::new(port.write(b"first"));
        assert!(write.poll().is_pending());
        (0..18).for_each(|_| look());
        machine.fake.borrow_mut().takes = true;
        machine.device.run();
        assert_eq!(write.poll(), Poll::Ready(Ok(5)));
    }
    machine.fake.borrow_mut().takes = false;
    assert_eq!(port.write_now(&[7; 20_000]), Ok(3 * 4096));
    let before = machine.rig.clock_now();
    let written = serve(vec![port.write(b"second")], look);
    assert_eq!(written, [Err(StreamError::TimedOut)]);
    let took = machine.rig.clock_now().since(before);
    assert!((10..12).contains(&took.as_secs()), "{took:?}");
}
