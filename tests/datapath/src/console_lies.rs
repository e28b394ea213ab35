//! A console that lies. The cases are those of docs/hostile-host.md, «lying fakes».

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use embedded_io_async::{Read, Write};
use testkit::executor::{block_on, serve};
use testkit::fake_virtio::console::{event, message};
use testkit::fake_virtio::{FakeConsole, Style, Used};
use virtio::{Error, Port, StreamError};

use crate::console_device::{SLOT, WithConsole, console, wanted};
use crate::setup::rig_of;

/// A console with one port, which is open.
pub(crate) fn with_port() -> (WithConsole, virtio::Port) {
    let machine = console(Style::Qemu, FakeConsole::with_ports(&["port"]));
    let port = machine.open("port").unwrap();
    (machine, port)
}

/// Lets the device send `messages`.
pub(crate) fn send(machine: &WithConsole, messages: &[Vec<u8>]) {
    machine
        .fake
        .borrow_mut()
        .messages
        .extend(messages.iter().cloned());
    (0..3).for_each(|_| machine.turn());
}

/// C1, C2: a completion of something else, or of more than was lent, ends the device and every port.
#[test]
fn a_wrong_completion_of_input_ends_the_device() {
    type Lie = fn(Used) -> Used;
    let cases: [(Lie, Error); 3] = [
        (|used| Used { id: 77, ..used }, Error::UsedId { id: 77 }),
        (
            |used| Used { len: 1025, ..used },
            Error::UsedLength {
                len: 1025,
                limit: 1024,
            },
        ),
        (
            |used| Used {
                len: u32::MAX,
                ..used
            },
            Error::UsedLength {
                len: u32::MAX,
                limit: 1024,
            },
        ),
    ];
    for (lie, error) in cases {
        let (machine, mut port) = with_port();
        machine.fake.borrow_mut().say(1, b"x");
        machine
            .device
            .lie(|l| l.completions = Some(Box::new(move |used| vec![lie(used)])));
        let read = machine.read(&mut port, 8);
        assert_eq!(read, Err(StreamError::Device(error)));
        assert_eq!(machine.device.status(), 0);
        let written = machine.write(&mut port, b"y");
        assert_eq!(written, Err(StreamError::Device(error)));
        assert_eq!(machine.console.print(b"z"), Err(error));
        assert_eq!(machine.console.take_failure(), Some(error));
        assert_eq!(machine.console.take_failure(), None);
    }
}

/// C3: a used index that went further than anything that was lent.
#[test]
fn a_used_index_beyond_what_was_lent_ends_the_device() {
    let (machine, mut port) = with_port();
    machine
        .device
        .lie(|l| l.index = Some(Box::new(|honest| honest.wrapping_add(100))));
    machine.fake.borrow_mut().say(1, b"x");
    let read = machine.read(&mut port, 8);
    assert!(matches!(
        read,
        Err(StreamError::Device(Error::UsedIndex { .. }))
    ));
}

/// C4: what was sent comes back longer than it was, or twice.
#[test]
fn a_wrong_completion_of_output_ends_the_device() {
    let (machine, mut port) = with_port();
    machine
        .device
        .lie(|l| l.completions = Some(Box::new(|used| vec![Used { len: 6, ..used }])));
    let mut write = || machine.write(&mut port, b"12345");
    let failed = (0..9).find_map(|_| write().err());
    let error = Error::UsedLength { len: 6, limit: 5 };
    assert_eq!(failed, Some(StreamError::Device(error)));

    let (machine, mut port) = with_port();
    machine
        .device
        .lie(|l| l.completions = Some(Box::new(|used| vec![used, used])));
    let mut write = || machine.write(&mut port, b"12345");
    let failed = (0..9).find_map(|_| write().err());
    assert!(matches!(failed, Some(StreamError::Device(_))), "{failed:?}");
    let failure = machine.console.failure().map(StreamError::Device);
    assert_eq!(failure, failed);
}

/// C5: messages about ports that are not there, or beyond what was agreed on.
#[test]
fn messages_about_strange_ports_are_counted_and_nothing_else() {
    let (machine, mut port) = with_port();
    let strange = [2, 8, 31, 255, u32::MAX].map(|number| message(number, event::PORT_ADD, 1, &[]));
    send(&machine, &strange);
    assert_eq!(machine.console.counters().ignored, 5);
    assert_eq!(machine.console.ports(), ["hvc0", "port"]);
    assert_eq!(machine.write(&mut port, b"still"), Ok(()));
}

/// C6: messages that are too short, too long, or of a kind that there is not.
#[test]
fn messages_without_a_meaning_are_counted_and_nothing_else() {
    let (machine, mut port) = with_port();
    let wrong = [
        vec![1],
        vec![1, 0, 0, 0, 1, 0, 1],
        message(1, 99, 1, &[]),
        message(1, event::PORT_NAME, 1, &[b'n'; 110]),
        message(1, event::PORT_NAME, 1, b"\x1b[2J"),
        message(1, event::PORT_READY, 1, &[]),
    ];
    send(&machine, &wrong);
    assert_eq!(machine.console.counters().ignored, 6);
    assert_eq!(machine.console.ports(), ["hvc0", "port"]);
    assert_eq!(machine.write(&mut port, b"still"), Ok(()));
}

/// C7: a port gets another name while it is used, or the name of another.
#[test]
fn a_port_keeps_the_name_that_it_was_found_by() {
    let machine = console(Style::Qemu, FakeConsole::with_ports(&["a", "b"]));
    let mut port = machine.open("a").unwrap();
    let names = [(1, &b"b\0"[..]), (2, b"a\0")];
    send(
        &machine,
        &names.map(|(port, name)| message(port, event::PORT_NAME, 1, name)),
    );
    assert_eq!(machine.console.ports(), ["hvc0", "a", "b"]);
    machine.write(&mut port, b"for a").unwrap();
    machine.turn();
    assert_eq!(machine.fake.borrow().heard(1), b"for a");
    assert!(machine.fake.borrow().heard(2).is_empty());
}

/// C8: a port is added again and again: its buffers are lent once, and it is answered once.
#[test]
fn a_port_that_is_added_twice_is_one() {
    let (machine, mut port) = with_port();
    let leased = machine.rig.region.counters();
    send(&machine, &vec![message(1, event::PORT_ADD, 1, &[]); 90]);
    let told = machine.fake.borrow().told.clone();
    assert_eq!(
        told.iter()
            .filter(|told| **told == (1, event::PORT_READY, 1))
            .count(),
        1
    );
    assert_eq!(machine.console.counters().ignored, 90);
    let leased_now = machine.rig.region.counters();
    assert_eq!(leased[0].1.leased, leased_now[0].1.leased);
    assert_eq!(machine.write(&mut port, b"still"), Ok(()));
}

/// C9: a port goes away under its reader, and comes back.
#[test]
fn a_port_that_goes_away_ends_its_reader_and_can_come_back() {
    let (machine, mut port) = with_port();
    send(&machine, &[message(1, event::PORT_REMOVE, 1, &[])]);
    assert_eq!(machine.read(&mut port, 8).unwrap(), b"");
    assert_eq!(machine.console.ports(), ["hvc0"]);
    send(&machine, &[message(1, event::PORT_ADD, 1, &[])]);
    machine.fake.borrow_mut().say(1, b"back");
    assert_eq!(machine.read(&mut port, 8).unwrap(), b"back");
}

/// C10: the number of ports is none, or one that no queue has.
#[test]
fn a_number_of_ports_that_makes_no_sense_is_clamped() {
    for most in [0, 1, 9, 31, 0x1_0000, u32::MAX] {
        let mut fake = FakeConsole::with_ports(&["a", "b", "c", "d", "e", "f", "g"]);
        fake.most = most;
        let machine = console(Style::Qemu, fake);
        let count = machine.console.ports().len();
        assert_eq!(count, usize::try_from(most).unwrap().clamp(1, 8), "{most}");
    }
}

/// C11: more ports than there are queues.
#[test]
fn ports_without_queues_end_the_start_in_words() {
    let mut fake = FakeConsole::with_ports(&["a"]);
    fake.most = 8;
    let rig = rig_of(Style::Qemu, wanted());
    rig.plug(SLOT, Rc::new(std::cell::RefCell::new(fake)));
    let error = rig.console(SLOT, wanted()).err();
    assert_eq!(error, Some(Error::QueueRefused { queue: 6 }));
}

/// C12: the host takes nothing. The writer hears of it after ten seconds, and again; nothing is lost when
/// the host goes on.
#[test]
fn a_host_that_takes_nothing_is_an_error_of_the_writer_in_time() {
    let (machine, mut port) = with_port();
    machine.fake.borrow_mut().takes = false;
    let before = machine.rig.clock_now();
    let written = machine.write(&mut port, &[1; 100_000]);
    assert_eq!(written, Err(StreamError::TimedOut));
    let took = machine.rig.clock_now().since(before);
    assert!((10..12).contains(&took.as_secs()), "{took:?}");
    assert_eq!(
        block_on(port.flush(), || machine.turn()),
        Err(StreamError::TimedOut)
    );
    machine.fake.borrow_mut().takes = true;
    machine.turn();
    assert_eq!(machine.write(&mut port, b"end"), Ok(()));
    machine.turn();
    assert!(machine.fake.borrow().heard(1).ends_with(b"end"));
    assert_eq!(machine.console.failure(), None);
}

/// C13: buffers come back empty for ever: nobody is woken by that, and each look ends.
#[test]
fn empty_buffers_without_end_are_lent_again_and_nothing_else() {
    let (machine, mut port) = with_port();
    machine
        .device
        .lie(|l| l.completions = Some(Box::new(|used| vec![Used { len: 0, ..used }])));
    let mut turns = 0;
    let mut into = [0; 8];
    let read = block_on(port.read(&mut into), || {
        turns += 1;
        machine.fake.borrow_mut().say(1, b"lost");
        if turns == 500 {
            machine.device.lie(|l| l.completions = None);
        }
        machine.turn();
    });
    assert!(matches!(read, Ok(1..)));
    assert!(turns >= 500);
}

/// C14: no console ever shows up.
#[test]
fn a_console_that_does_not_show_up_is_waited_for_as_long_as_was_said() {
    let mut fake = FakeConsole::with_ports(&["port"]);
    fake.ports[0] = None;
    let machine = console(Style::Qemu, fake);
    let before = machine.rig.clock_now();
    assert!(!machine.console.await_console(Duration::from_millis(500)));
    let waited = machine.rig.clock_now().since(before);
    assert!((500..600).contains(&waited.as_millis()), "{waited:?}");
    assert_eq!(machine.console.print(b"nobody hears it"), Ok(0));
    assert_eq!(machine.open("nobody").err(), Some(StreamError::NoPort));
}

/// C15: messages as fast as they can be read: a look takes no more of them than there are buffers.
#[test]
fn a_storm_of_messages_does_not_keep_a_look_from_ending() {
    let (machine, mut port) = with_port();
    let storm = vec![message(9, event::PORT_ADD, 1, &[]); 5000];
    machine.fake.borrow_mut().messages.extend(storm);
    machine.device.run();
    machine.console.poll();
    assert!(machine.console.counters().ignored <= 32);
    assert_eq!(machine.write(&mut port, b"still"), Ok(()));
}

/// C16: it announces that it needs a reset, and does not confirm one: its memory stays leased.
#[test]
fn a_device_that_does_not_reset_keeps_its_memory_and_nobody_else_gets_it() {
    let (machine, mut port) = with_port();
    machine.device.lie(|l| l.never_resets = true);
    machine.device.needs_reset();
    machine.console.interrupt().acknowledge();
    let read = machine.read(&mut port, 8);
    assert_eq!(read, Err(StreamError::Device(Error::NeedsReset)));
    let leased = machine.rig.region.counters()[0].1.leased;
    let WithConsole { console, rig, .. } = machine;
    drop((port, console));
    assert_eq!(rig.region.counters()[0].1.leased, leased);
}

/// Whoever waits is woken, and told why.
#[test]
fn a_device_that_ends_wakes_all_who_wait_for_it() {
    let (machine, mut port) = with_port();
    let mut other = machine.open("port").unwrap();
    machine.fake.borrow_mut().takes = false;
    let read = async {
        let mut into = [0; 9];
        port.read(&mut into).await.err()
    };
    let write = async { other.write_all(&vec![1; 200_000]).await.err() };
    let missing = async { Port::open(&machine.console, "missing").await.err() };
    let turns = Cell::new(0);
    let tasks: Vec<Pin<Box<dyn Future<Output = _> + '_>>> =
        vec![Box::pin(read), Box::pin(write), Box::pin(missing)];
    let errors = serve(tasks, || {
        turns.set(turns.get() + 1);
        if turns.get() == 20 {
            machine.device.lie(|lies| {
                lies.index = Some(Box::new(|index| index.wrapping_add(7000)));
            });
        }
        if turns.get() == 21 {
            machine.fake.borrow_mut().takes = true;
            machine.fake.borrow_mut().say(1, b"x");
        }
        machine.turn();
    });
    let failure = machine.console.failure().map(StreamError::Device);
    assert!(failure.is_some());
    assert_eq!(errors, [failure; 3]);
}

/// Nobody listens: what is written waits, and is given up in time.
#[test]
fn nothing_is_written_to_a_port_at_which_nobody_listens() {
    let (machine, mut port) = with_port();
    let closed = message(1, event::PORT_OPEN, 0, &[]);
    send(&machine, &[closed]);
    let written = serve(vec![Box::pin(port.write_all(b"lost"))], || {
        machine.turn();
        machine.rig.clock.advance(Duration::from_millis(500));
    });
    assert_eq!(written, [Err(StreamError::TimedOut)]);
    assert_eq!(machine.fake.borrow().heard(1), b"");
}
