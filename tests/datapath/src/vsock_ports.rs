//! Who listens at a port, and what comes to nobody.

use testkit::executor::serve;
use testkit::fake_virtio::vsock::{Packet, operation};
use testkit::fake_virtio::{FakeVsock, Style};
use virtio::{Error, StreamError, VsockListener};

use crate::vsock_device::{WithVsock, vsock};

fn quiet() -> WithVsock {
    vsock(Style::Qemu, FakeVsock::default())
}

/// Two connections to a port wait to be accepted.
fn offered_two() -> (WithVsock, VsockListener) {
    let machine = quiet();
    let listener = VsockListener::new(&machine.vsock, 7).unwrap();
    machine.fake.borrow_mut().connect(1, 7);
    machine.fake.borrow_mut().connect(2, 7);
    machine.turns(2);
    (machine, listener)
}

#[test]
fn a_connection_that_the_host_gave_up_before_it_was_accepted_is_passed_over() {
    let (machine, listener) = offered_two();
    let gone = Packet::new((2, 1), (3, 7), operation::RESET, &[]);
    machine.says(gone);
    machine.turns(2);
    let mut stream = machine.accept(&listener).unwrap();
    machine.write(&mut stream, b"hello").unwrap();
    machine.turns(2);
    assert_eq!(machine.fake.borrow().ends[1].heard, b"hello");
}

#[test]
fn connections_that_are_offered_together_are_told_apart() {
    let (machine, listener) = offered_two();
    for said in [b"one", b"two"] {
        let mut stream = machine.accept(&listener).unwrap();
        machine.write(&mut stream, said).unwrap();
        machine.turns(2);
        core::mem::forget(stream);
    }
    let heard = |end: usize| machine.fake.borrow().ends[end].heard.clone();
    assert_eq!([heard(0), heard(1)], [b"one", b"two"]);
}

#[test]
fn who_stops_listening_ends_what_was_offered_there_and_nothing_else() {
    let machine = quiet();
    let one = VsockListener::new(&machine.vsock, 7).unwrap();
    let other = VsockListener::new(&machine.vsock, 8).unwrap();
    machine.fake.borrow_mut().connect(1, 7);
    machine.fake.borrow_mut().connect(2, 8);
    machine.turns(2);
    drop(one);
    machine.turns(3);
    let ends = machine.fake.borrow().ends.clone();
    assert_eq!(ends.len(), 1);
    assert_eq!(ends[0].own, (2, 2));
    assert!(machine.accept(&other).is_ok());
}

/// Or two that know nothing of each other would answer each other for ever.
#[test]
fn a_reset_of_what_nobody_knows_is_not_answered() {
    let machine = quiet();
    let stray = Packet::new((2, 1), (3, 99), operation::RESET, &[]);
    machine.says(stray);
    machine.turns(3);
    assert!(machine.fake.borrow().heard.is_empty());
    assert_eq!(machine.vsock.counters().refused, 0);
}

/// 16 in the slots of the device, and 16 that wait for them.
#[test]
fn of_a_storm_to_nobody_32_packets_are_answered_and_the_others_are_not() {
    let machine = quiet();
    machine.fake.borrow_mut().completes = false;
    for port in 0..100 {
        let stray = Packet::new((2, port), (3, 99), operation::DATA, &[]);
        machine.says(stray);
    }
    machine.turns(20);
    machine.fake.borrow_mut().completes = true;
    machine.turns(10);
    assert_eq!(machine.fake.borrow().operations(), [operation::RESET; 32]);
    assert_eq!(machine.vsock.counters().refused, 100);
}

#[test]
fn who_waits_for_a_connection_is_told_that_the_device_was_stopped() {
    let machine = quiet();
    let listener = VsockListener::new(&machine.vsock, 7).unwrap();
    let mut rounds = 0;
    let accepted = serve(vec![listener.accept()], || {
        rounds += 1;
        if rounds == 3 {
            machine.device.needs_reset();
            machine.vsock.interrupt().note_message(0);
        }
        machine.turn();
    });
    let why = accepted.into_iter().next().unwrap().err();
    assert_eq!(why, Some(StreamError::Device(Error::NeedsReset)));
}

/// One for packets, one for events.
#[test]
fn a_device_hears_of_its_buffers_when_it_is_started() {
    assert_eq!(quiet().device.doorbells(), 2);
}
