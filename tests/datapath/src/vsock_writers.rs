//! Who writes to a stream when the device, or the host, has no room.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use embedded_io_async::Write;
use testkit::executor::{Call, serve};
use testkit::fake_virtio::vsock::{Packet, operation};
use testkit::fake_virtio::{FakeVsock, Style};
use virtio::VsockListener;

use crate::vsock_device::{PORT, WithVsock, vsock};

/// A host that listens, has `room` bytes, and never says that it took any.
fn keeping(room: u32) -> WithVsock {
    let fake = FakeVsock {
        listens: vec![PORT],
        takes: false,
        room,
        ..FakeVsock::default()
    };
    vsock(Style::Qemu, fake)
}

/// The device has 16 slots of 4,096 bytes, of which 44 are the header.
#[test]
fn data_that_finds_no_slot_waits_for_one_and_none_of_it_is_lost() {
    let machine = keeping(1 << 20);
    let mut stream = machine.connect(PORT).unwrap();
    machine.turns(2);
    machine.fake.borrow_mut().completes = false;
    let bytes: Vec<u8> = (0..100_000).map(|i| (i % 251) as u8).collect();
    let mut rounds = 0;
    let written = serve(vec![stream.write_all(&bytes)], || {
        rounds += 1;
        if rounds == 20 {
            let interrupts = machine.device.interrupts();
            machine.fake.borrow_mut().completes = true;
            machine.device.run();
            assert!(machine.device.interrupts() > interrupts, "it was asked for");
        }
        machine.turn();
    });
    assert!(written[0].is_ok());
    machine.turns(3);
    let fake = machine.fake.borrow();
    assert!(fake.ends[0].heard == bytes);
    let mut packets = fake.heard.iter();
    let first = packets.find(|packet| packet.operation == operation::DATA);
    assert_eq!(first.unwrap().len, 4096 - 44);
}

#[test]
fn a_slot_that_came_back_is_used_before_anybody_looks_at_the_device() {
    let machine = keeping(1 << 20);
    let mut stream = machine.connect(PORT).unwrap();
    machine.turns(2);
    machine.fake.borrow_mut().completes = false;
    let bytes = [7; 20 * (4096 - 44)];
    let mut context = Context::from_waker(Waker::noop());
    for (sent, completes) in [(16, true), (4, false)] {
        let from = &bytes[..sent * (4096 - 44)];
        let polled = pin!(stream.write(from)).poll(&mut context);
        assert_eq!(polled, Poll::Ready(Ok(from.len())));
        machine.vsock.poll();
        machine.fake.borrow_mut().completes = completes;
        machine.device.run();
    }
}

#[test]
fn room_at_the_host_wakes_who_writes_while_the_device_still_has_slots() {
    let machine = keeping(100);
    let mut stream = machine.connect(PORT).unwrap();
    machine.turns(2);
    machine.fake.borrow_mut().completes = false;
    let mut rounds = 0;
    let written = serve(vec![stream.write_all(&[7; 150])], || {
        rounds += 1;
        if rounds == 5 {
            let peer = machine.fake.borrow().ends[0].peer;
            let mut more = Packet::new((2, PORT), peer, operation::CREDIT_UPDATE, &[]);
            more.room = 200;
            machine.says(more);
        }
        machine.turn();
    });
    assert!(written[0].is_ok());
}

/// Either the host has no room, or the device has every slot.
#[test]
fn who_writes_is_left_asleep_while_there_is_no_room() {
    for (room, len, completes) in [(100, 100, true), (1 << 20, 16 * (4096 - 44), false)] {
        let machine = keeping(room);
        let mut stream = machine.connect(PORT).unwrap();
        machine.turns(2);
        machine.fake.borrow_mut().completes = completes;
        machine.write(&mut stream, &vec![7; len]).unwrap();
        let mut write = Call::new(stream.write(b"more"));
        assert!(write.poll().is_pending());
        machine.turns(20);
        assert_eq!(write.woken(), 0);
    }
}

#[test]
fn what_answers_a_request_goes_before_the_first_data() {
    let machine = vsock(Style::Qemu, FakeVsock::default());
    let listener = VsockListener::new(&machine.vsock, 7).unwrap();
    machine.turns(2);
    // Refusals of what came to nobody take every slot.
    machine.fake.borrow_mut().completes = false;
    for port in 0..16 {
        let stray = Packet::new((2, port), (3, 99), operation::DATA, &[]);
        machine.says(stray);
    }
    machine.turns(3);
    machine.fake.borrow_mut().connect(1234, 7);
    machine.turns(3);
    let mut stream = machine.accept(&listener).unwrap();
    machine.fake.borrow_mut().completes = true;
    machine.device.run();
    let mut context = Context::from_waker(Waker::noop());
    assert!(pin!(stream.write(b"data")).poll(&mut context).is_pending());
    machine.turns(3);
    machine.write(&mut stream, b"data").unwrap();
    machine.turns(3);
    let said = machine.fake.borrow().operations();
    // Who had to wait asks what room there is.
    let after = [
        operation::RESPONSE,
        operation::CREDIT_REQUEST,
        operation::DATA,
    ];
    assert_eq!(said[16..], after);
}
