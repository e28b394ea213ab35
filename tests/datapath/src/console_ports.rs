//! Messages about ports, and the memory of a console: what is said, in how many looks, and in which room.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bounce::{Pool, Spacing};
use embedded_io_async::Write;
use testkit::executor::serve;
use testkit::fake_virtio::console::{event, message};
use testkit::fake_virtio::{FakeConsole, Style};
use testkit::rig::Rig;
use virtio::{Console, Error, MAX_PORTS, Port, StreamError};

use crate::console_device::{SLOT, WithConsole, console};
use crate::console_lies::{send, with_port};
use crate::setup::QUEUE;

/// As many as there may be besides the console.
const NAMES: [&str; MAX_PORTS as usize - 1] = ["a", "b", "c", "d", "e", "f", "g"];

/// Ends the device, and starts it anew; it hears again that the driver knows what ports are.
fn restart(machine: &WithConsole) {
    machine.device.needs_reset();
    machine.console.interrupt().acknowledge();
    machine.console.poll();
    assert_eq!(machine.console.failure(), Some(Error::NeedsReset));
    machine.fake.borrow_mut().told.clear();
    assert_eq!(machine.console.restart(), Ok(()));
    let ready = (0, event::DEVICE_READY, 1);
    assert_eq!(machine.fake.borrow().told, [ready]);
}

/// That it is used, and that somebody here listens.
fn used(port: u32) -> [(u32, u16, u16); 2] {
    [event::PORT_READY, event::PORT_OPEN].map(|event| (port, event, 1))
}

/// Of ports that nobody added, and of ports of which it was said before.
#[test]
fn messages_that_are_no_news_are_counted_and_change_nothing() {
    let mut fake = FakeConsole::with_ports(&["port", "other"]);
    fake.ports[2] = None;
    let machine = console(Style::Qemu, fake);
    let told = machine.fake.borrow().told.clone();
    let strange = [event::PORT_REMOVE, event::CONSOLE_PORT, event::PORT_OPEN]
        .map(|event| message(2, event, 1, &[]));
    send(&machine, &strange);
    send(&machine, &[message(0, event::CONSOLE_PORT, 1, &[])]);
    assert_eq!(machine.console.counters().ignored, 4);
    let remove = message(1, event::PORT_REMOVE, 1, &[]);
    send(&machine, &[remove.clone(), remove]);
    assert_eq!(machine.console.counters().ignored, 5);
    assert_eq!(machine.fake.borrow().told, told);
    let named = message(2, event::PORT_NAME, 1, b"other\0");
    send(&machine, &[message(2, event::PORT_ADD, 1, &[]), named]);
    assert_eq!(machine.console.ports(), ["hvc0", "other"]);
    let other = Port::find(&machine.console, "other").unwrap();
    assert_eq!(other.write_now(b"nobody listens"), Ok(0));
}

#[test]
fn a_port_that_comes_back_is_told_again_that_somebody_listens() {
    let (machine, _port) = with_port();
    machine.turn();
    let again = [event::PORT_REMOVE, event::PORT_ADD].map(|event| message(1, event, 1, &[]));
    machine.fake.borrow_mut().told.clear();
    send(&machine, &again);
    assert_eq!(machine.fake.borrow().told, used(1));
}

#[test]
fn all_that_is_owed_to_eight_ports_is_said_in_one_look() {
    let machine = console(Style::Qemu, FakeConsole::with_ports(&NAMES));
    let ports = NAMES.map(|name| machine.open(name).unwrap());
    (0..3).for_each(|_| machine.turn());
    restart(&machine);
    machine.device.run();
    machine.console.poll();
    let owed: Vec<_> = (0..MAX_PORTS.into()).flat_map(used).collect();
    assert_eq!(machine.fake.borrow().told[1..], owed);
    drop(ports);
}

#[test]
fn slots_for_messages_are_used_again_and_again() {
    let (machine, _port) = with_port();
    machine.turn();
    machine.fake.borrow_mut().told.clear();
    for _ in 0..50 {
        let again = [event::PORT_REMOVE, event::PORT_ADD].map(|event| message(1, event, 1, &[]));
        send(&machine, &again);
    }
    assert_eq!(machine.fake.borrow().told, used(1).repeat(50));
}

/// C18: a port is not named again after a restart. Readers see the end, and writers have ten seconds as ever.
#[test]
fn who_writes_to_a_port_that_did_not_come_back_is_told_in_time() {
    let (machine, mut port) = with_port();
    machine.fake.borrow_mut().ports[1] = None;
    restart(&machine);
    (0..3).for_each(|_| machine.turn());
    assert_eq!(machine.console.ports(), ["hvc0"]);
    assert_eq!(machine.read(&mut port, 9).unwrap(), b"");
    let before = machine.rig.clock_now();
    let written = serve(vec![port.write(b"lost")], || {
        machine.turn();
        machine.rig.clock.advance(Duration::from_millis(500));
    });
    assert_eq!(written, [Err(StreamError::TimedOut)]);
    let took = machine.rig.clock_now().since(before);
    assert!((10..12).contains(&took.as_secs()), "{took:?}");
}

#[test]
fn a_name_is_taken_whole_or_not_at_all() {
    for (len, taken) in [(63, true), (64, true), (65, false), (80, false)] {
        let name = "n".repeat(len);
        let machine = console(Style::Qemu, FakeConsole::with_ports(&[&name]));
        let (all, console) = (vec!["hvc0", &name], vec!["hvc0"]);
        let named = if taken { all } else { console };
        assert_eq!(machine.console.ports(), named, "{len} bytes");
    }
}

/// Bytes that a port has to have: four buffers of 1 KiB, four of 4 KiB, two rings, and what may lie before each of
/// the four.
const PORT: usize = 4 * 1024 + 4 * 4096 + 2 * 128 + 4 * 64;

/// A pool of `len` bytes of which `left` are left, and whether a device with ports of these `names` has all of them
/// in it. QEMU's queues are as short as we want them.
fn pool_with(spacing: Spacing, len: usize, left: usize, names: &[&str]) -> (Pool, usize) {
    let len = len.next_multiple_of(4096);
    let rig = Rig::with_memory(Style::Qemu, QUEUE, len).spaced(spacing);
    let fake = Rc::new(RefCell::new(FakeConsole::with_ports(names)));
    let device = rig.plug(SLOT, fake);
    let pool = rig.pool(len);
    let _others = (left != len).then(|| pool.lease(len - left, 1).unwrap());
    let transport = rig.open(SLOT).unwrap();
    let console = <Console>::start(transport, &pool, rig.environment).unwrap();
    for _ in 0..4 {
        device.run();
        console.poll();
    }
    let ports = console.ports().len();
    (pool, ports)
}

#[test]
fn what_is_wanted_is_room_for_eight_ports_and_not_for_one_more() {
    for spacing in [Spacing::Packed, Spacing::Strict] {
        let wanted = <Console>::needs(spacing).wanted;
        let len = wanted.next_multiple_of(4096);
        let (pool, ports) = pool_with(spacing, len, len, &NAMES);
        assert_eq!(ports, usize::from(MAX_PORTS));
        let leased = usize::try_from(pool.counters().high_water).unwrap();
        assert!(
            (leased..leased + PORT).contains(&wanted),
            "{wanted} of {leased}"
        );
    }
}

#[test]
fn a_port_is_there_if_there_is_room_for_it_to_the_byte() {
    let len = 96 << 10;
    let (pool, _) = pool_with(Spacing::Packed, len, len, &NAMES[..1]);
    let leased = usize::try_from(pool.counters().high_water).unwrap();
    for (spare, there) in [(PORT, 3), (PORT - 1, 2)] {
        let (_, ports) = pool_with(Spacing::Packed, len, leased + spare, &NAMES);
        assert_eq!(ports, there);
    }
}
