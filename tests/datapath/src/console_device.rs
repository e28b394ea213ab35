//! The console and its ports, with a device that keeps to the rules.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bounce::Spacing;
use embassy_futures::join::join;
use embedded_io_async::{Read, Write};
use testkit::executor::{block_on, serve};
use testkit::fake_virtio::{FakeConsole, FakeVirtio, Style};
use testkit::rig::Rig;
use virtio::{Console, MAX_PORTS, Port, StreamError};

use crate::setup::{QUEUE, STYLES, rig_of};

pub(crate) const SLOT: u8 = 3;

/// A machine with a console.
pub(crate) struct WithConsole {
    pub(crate) rig: Rig,
    pub(crate) device: Rc<FakeVirtio>,
    pub(crate) fake: Rc<RefCell<FakeConsole>>,
    pub(crate) console: Rc<Console>,
}

impl WithConsole {
    /// Lets device and driver have their turns, and a millisecond pass.
    pub(crate) fn turn(&self) {
        self.device.run();
        self.console.poll();
        self.rig.clock.advance(Duration::from_millis(1));
    }

    pub(crate) fn open(&self, name: &str) -> Result<Port, StreamError> {
        block_on(Port::open(&self.console, name), || self.turn())
    }

    pub(crate) fn read(&self, port: &mut Port, len: usize) -> Result<Vec<u8>, StreamError> {
        let mut into = vec![0; len];
        let read = block_on(port.read(&mut into), || self.turn())?;
        into.truncate(read);
        Ok(into)
    }

    pub(crate) fn write(&self, port: &mut Port, bytes: &[u8]) -> Result<(), StreamError> {
        block_on(port.write_all(bytes), || self.turn())
    }
}

pub(crate) fn wanted() -> usize {
    <Console>::needs(Spacing::Packed).wanted
}

/// Plugs `fake` in and starts it; lkvm's ways are added in its style.
pub(crate) fn console(style: Style, fake: FakeConsole) -> WithConsole {
    console_with(style, fake, wanted())
}

pub(crate) fn console_with(style: Style, mut fake: FakeConsole, pool: usize) -> WithConsole {
    fake.counts_reads = style == Style::Lkvm;
    fake.shy = style == Style::Lkvm;
    let rig = rig_of(style, pool);
    let fake = Rc::new(RefCell::new(fake));
    let device = rig.plug(SLOT, Rc::<RefCell<FakeConsole>>::clone(&fake));
    let console = rig.console(SLOT, pool).unwrap();
    let machine = WithConsole {
        rig,
        device,
        fake,
        console,
    };
    (0..4).for_each(|_| machine.turn());
    machine
}

#[test]
fn a_console_alone_prints_and_reads() {
    for &style in STYLES {
        let machine = console(style, FakeConsole::alone());
        assert!(machine.console.await_console(Duration::ZERO));
        assert_eq!(machine.console.print(b"hello\r\n"), Ok(7));
        machine.turn();
        assert_eq!(machine.fake.borrow().heard(0), b"hello\r\n");
        let mut port = machine.open("hvc0").unwrap();
        machine.fake.borrow_mut().say(0, b"typed");
        assert_eq!(machine.read(&mut port, 3).unwrap(), b"typ");
        assert_eq!(machine.read(&mut port, 9).unwrap(), b"ed");
        assert_eq!(machine.device.faults(), 0);
    }
}

#[test]
fn many_lines_go_by_one_doorbell() {
    let machine = console(Style::Qemu, FakeConsole::alone());
    let before = machine.console.counters().doorbells;
    for _ in 0..3 {
        assert_eq!(machine.console.print(b"a line\r\n"), Ok(8));
    }
    machine.console.poll();
    assert_eq!(machine.console.counters().doorbells - before, 1);
    machine.turn();
    assert!(machine.console.has_printed());
    assert_eq!(machine.fake.borrow().heard(0).len(), 24);
}

#[test]
fn ports_are_found_by_name_and_carry_both_ways() {
    for &style in STYLES {
        let machine = console(style, FakeConsole::with_ports(&["trace", "echo"]));
        assert_eq!(machine.console.ports(), ["hvc0", "trace", "echo"]);
        machine.fake.borrow_mut().ports[2].as_mut().unwrap().echo = true;
        let mut echo = machine.open("echo").unwrap();
        let mut trace = machine.open("trace").unwrap();
        machine.write(&mut trace, b"event").unwrap();
        machine.write(&mut echo, b"there and back").unwrap();
        assert_eq!(machine.read(&mut echo, 64).unwrap(), b"there and back");
        assert_eq!(machine.fake.borrow().heard(1), b"event");
        assert_eq!(machine.device.faults(), 0);
        let counters = machine.console.counters();
        assert_eq!((counters.sent, counters.received), (19, 14));
        assert_eq!(counters.ignored, 0);
    }
}

#[test]
fn the_device_is_told_of_each_port_that_is_used_and_opened() {
    let machine = console(Style::Qemu, FakeConsole::with_ports(&["a", "b"]));
    let _port = machine.open("b").unwrap();
    machine.turn();
    let told = machine.fake.borrow().told.clone();
    let wanted = [
        (0, 0, 1),
        (0, 3, 1),
        (1, 3, 1),
        (2, 3, 1),
        (0, 6, 1),
        (2, 6, 1),
    ];
    assert_eq!(told, wanted);
}

#[test]
fn a_long_stream_comes_back_whole() {
    let machine = console(Style::Qemu, FakeConsole::with_ports(&["echo"]));
    machine.fake.borrow_mut().ports[1].as_mut().unwrap().echo = true;
    let (mut out, mut back) = (machine.open("echo").unwrap(), machine.open("echo").unwrap());
    let len = if cfg!(miri) { 5000 } else { 200_000 };
    let bytes: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
    let mut got = vec![0; len];
    let both = join(out.write_all(&bytes), back.read_exact(&mut got));
    let (written, read) = block_on(both, || machine.turn());
    assert!(written.is_ok() && read.is_ok());
    assert_eq!(got, bytes);
}

/// Tasks are polled when they were woken, and at no other time.
#[test]
fn who_waits_for_a_port_is_woken_when_it_goes_on() {
    let machine = console(Style::Qemu, FakeConsole::with_ports(&["one", "two"]));
    for port in [1, 2] {
        machine.fake.borrow_mut().ports[port].as_mut().unwrap().echo = true;
    }
    let len = if cfg!(miri) { 5000 } else { 50_000 };
    let talk = |name: &'static str| {
        let (mut out, mut back) = (machine.open(name).unwrap(), machine.open(name).unwrap());
        async move {
            let bytes: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
            let mut got = vec![0; len];
            let (written, read) = join(out.write_all(&bytes), back.read_exact(&mut got)).await;
            assert!(written.is_ok() && read.is_ok() && out.flush().await.is_ok());
            got == bytes
        }
    };
    let tasks = ["one", "two"].map(talk);
    assert_eq!(serve(tasks.into(), || machine.turn()), [true; 2]);
    let doorbells = machine.console.counters().doorbells;
    assert_eq!(doorbells, machine.device.doorbells());
}

#[test]
fn what_was_printed_is_out_when_the_device_has_taken_it() {
    let machine = console(Style::Qemu, FakeConsole::alone());
    machine.turn();
    assert!(machine.console.has_printed());
    machine.device.pause(true);
    assert_eq!(machine.console.print(b"line"), Ok(4));
    assert_eq!(machine.console.print(b" and more"), Ok(9));
    assert_eq!(machine.console.counters().sent, 13);
    machine.turn();
    assert!(!machine.console.has_printed());
    machine.device.pause(false);
    machine.turn();
    machine.turn();
    assert_eq!(machine.console.print(b"."), Ok(1));
    machine.turn();
    machine.turn();
    assert!(machine.console.has_printed());
}

#[test]
fn a_flush_ends_when_the_device_has_taken_everything() {
    let machine = console(Style::Qemu, FakeConsole::with_ports(&["log"]));
    let mut port = machine.open("log").unwrap();
    machine.fake.borrow_mut().takes = false;
    machine.write(&mut port, &[7; 100]).unwrap();
    let mut turns = 0;
    let flushed = block_on(port.flush(), || {
        turns += 1;
        machine.fake.borrow_mut().takes = turns > 5;
        machine.turn();
    });
    assert_eq!(flushed, Ok(()));
    assert!(turns > 5);
    assert_eq!(machine.fake.borrow().heard(1).len(), 100);
}

#[test]
fn a_port_that_the_host_closes_ends_and_goes_on_when_it_is_opened_again() {
    use testkit::fake_virtio::console::{event, message};
    let machine = console(Style::Qemu, FakeConsole::with_ports(&["in"]));
    let mut port = machine.open("in").unwrap();
    let send = |value| {
        let message = message(1, event::PORT_OPEN, value, &[]);
        machine.fake.borrow_mut().messages.push_back(message);
    };
    machine.fake.borrow_mut().say(1, b"last");
    send(0);
    assert_eq!(machine.read(&mut port, 9).unwrap(), b"last");
    assert_eq!(machine.read(&mut port, 9).unwrap(), b"");
    send(1);
    machine.fake.borrow_mut().say(1, b"again");
    (0..3).for_each(|_| machine.turn());
    assert_eq!(machine.read(&mut port, 9).unwrap(), b"again");
}

/// Of the turns of a loop that is busy with something else, few look at a console that nobody waits for.
#[test]
fn a_console_that_nobody_waits_for_is_looked_at_now_and_then_and_any_other_in_each_turn() {
    use testkit::fake_virtio::console::{event, message};
    let machine = console(Style::Qemu, FakeConsole::with_ports(&["in"]));
    let turn = || {
        machine.device.run();
        machine.console.poll_in_turn();
    };
    let mut port = machine.open("in").unwrap();
    (0..3).for_each(|_| turn());
    let gone = message(1, event::PORT_REMOVE, 1, &[]);
    machine.fake.borrow_mut().messages.push_back(gone);
    machine.rig.clock.advance(Duration::from_millis(9));
    (0..3).for_each(|_| turn());
    assert_eq!(machine.console.ports(), ["hvc0", "in"]);
    machine.rig.clock.advance(Duration::from_millis(1));
    turn();
    assert_eq!(machine.console.ports(), ["hvc0"]);
    // Somebody who waits does so for no time.
    let mut into = [0; 9];
    let back = [event::PORT_ADD, event::PORT_OPEN].map(|event| message(1, event, 1, &[]));
    machine.fake.borrow_mut().messages.extend(back);
    machine.turn();
    let mut said = false;
    let read = block_on(port.read(&mut into), || {
        turn();
        if !core::mem::replace(&mut said, true) {
            machine.fake.borrow_mut().say(1, b"now");
        }
    });
    assert_eq!(read, Ok(3));
}

#[test]
fn what_is_written_without_waiting_is_as_much_as_there_is_room_for() {
    let machine = console(Style::Qemu, FakeConsole::with_ports(&["log"]));
    assert!(Port::find(&machine.console, "nobody").is_none());
    let port = Port::find(&machine.console, "log").unwrap();
    machine.fake.borrow_mut().takes = false;
    assert_eq!(port.write_now(&[1; 20_000]), Ok(4 * 4096));
    assert_eq!(port.write_now(&[1; 20_000]), Ok(0));
    machine.fake.borrow_mut().takes = true;
    machine.turn();
    assert_eq!(port.write_now(b"more"), Ok(4));
}

/// A named port without anybody at its other end: what is written waits for somebody.
#[test]
fn what_is_written_before_somebody_listens_is_not_lost() {
    use testkit::fake_virtio::console::{event, message};
    let mut fake = FakeConsole::with_ports(&["late"]);
    fake.ports[1].as_mut().unwrap().open = false;
    let machine = console(Style::Qemu, fake);
    let mut port = machine.open("late").unwrap();
    let mut turns = 0;
    let written = block_on(port.write_all(b"first words"), || {
        turns += 1;
        if turns == 100 {
            let message = message(1, event::PORT_OPEN, 1, &[]);
            machine.fake.borrow_mut().messages.push_back(message);
        }
        machine.turn();
    });
    assert_eq!(written, Ok(()));
    machine.turn();
    assert_eq!(machine.fake.borrow().heard(1), b"first words");
}

#[test]
fn a_small_pool_has_fewer_ports_and_the_smallest_has_the_console_alone() {
    let names = ["a", "b", "c", "d", "e", "f", "g"];
    let all = console(Style::Qemu, FakeConsole::with_ports(&names));
    assert_eq!(all.console.ports().len(), usize::from(MAX_PORTS));
    let some = console_with(Style::Qemu, FakeConsole::with_ports(&names), 100 << 10);
    assert!((2..8).contains(&some.console.ports().len()));
    assert!(some.open("a").is_ok());
    let least = <Console>::needs(Spacing::Packed).least;
    let one = console_with(Style::Qemu, FakeConsole::with_ports(&names), least);
    assert_eq!(one.console.ports(), ["hvc0"]);
    assert!(one.fake.borrow().told.is_empty());
}

/// A machine in lkvm's style keeps its queues of 256 entries; there are ports as long as there is room.
#[test]
fn queues_that_cannot_be_shortened_take_more_of_the_pool() {
    let names = ["a", "b", "c", "d", "e", "f", "g"];
    let machine = console(Style::Lkvm, FakeConsole::with_ports(&names));
    assert_eq!(machine.device.queue(0).size, QUEUE);
    assert!(machine.console.ports().len() > 2);
    assert_eq!(
        console(Style::Qemu, FakeConsole::with_ports(&["a"]))
            .device
            .queue(0)
            .size,
        4
    );
}

/// A console alone is there for its few exits: to make a queue short takes two.
#[test]
fn queues_of_a_console_alone_are_as_long_as_the_device_has_them() {
    let alone = console(Style::Qemu, FakeConsole::alone());
    assert!((0..2).all(|queue| alone.device.queue(queue).size == QUEUE));
    let ports = console(Style::Qemu, FakeConsole::with_ports(&["trace"]));
    assert!((0..4).all(|queue| ports.device.queue(queue).size < QUEUE));
}
