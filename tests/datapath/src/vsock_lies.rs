//! A socket device that lies. The cases are those of docs/hostile-host.md, «lying fakes».

use embedded_io_async::Write;
use testkit::executor::block_on;
use testkit::fake_virtio::vsock::{Packet, operation};
use testkit::fake_virtio::{FakeVsock, Style, Used};
use virtio::{Error, StreamError, VsockListener, VsockStream};

use crate::vsock_device::{PORT, WithVsock, vsock};

/// A connection to a host that only listens, and its two ends.
fn connected(fake: FakeVsock) -> (WithVsock, VsockStream, (u64, u32)) {
    let machine = vsock(Style::Qemu, fake);
    let stream = machine.connect(PORT).unwrap();
    let peer = machine.fake.borrow().ends[0].peer;
    (machine, stream, peer)
}

fn listening() -> FakeVsock {
    FakeVsock {
        listens: vec![PORT],
        ..FakeVsock::default()
    }
}

/// Lets the host say `packet`, and the driver hear it.
fn send(machine: &WithVsock, packet: Packet) {
    machine.says(packet);
    machine.turns(3);
}

/// The connection has ended for its user, and the host was told; another one works.
fn ended_alone(machine: &WithVsock, stream: &mut VsockStream) {
    assert_eq!(machine.read(stream, 8), Err(StreamError::Broken));
    assert_eq!(machine.write(stream, b"x"), Err(StreamError::Broken));
    machine.turns(2);
    assert_eq!(
        machine.fake.borrow().operations().last(),
        Some(&operation::RESET)
    );
    assert_eq!(machine.vsock.failure(), None);
    assert_eq!(machine.vsock.counters().refused, 1);
    assert!(machine.connect(PORT).is_ok());
}

/// V1: more data than we said that there is room for.
#[test]
fn data_beyond_our_credit_ends_the_connection_alone() {
    let (machine, mut stream, peer) = connected(listening());
    for _ in 0..8 {
        let full = Packet::new((2, PORT), peer, operation::DATA, &[7; 4052]);
        send(&machine, full);
    }
    let one_too_many = Packet::new((2, PORT), peer, operation::DATA, &[7; 400]);
    send(&machine, one_too_many);
    let mut kept = 0;
    while let Ok(bytes) = machine.read(&mut stream, 4096) {
        kept += bytes.len();
    }
    assert_eq!(kept, 8 * 4052, "what was within the credit is read");
    ended_alone(&machine, &mut stream);
}

/// V2: the host has taken what was never sent.
#[test]
fn bytes_taken_that_were_never_sent_end_the_connection_alone() {
    for taken in [6, 0x8000_0000, u32::MAX] {
        let (machine, mut stream, peer) = connected(listening());
        machine.write(&mut stream, b"12345").unwrap();
        machine.turns(2);
        let mut lie = Packet::new((2, PORT), peer, operation::CREDIT_UPDATE, &[]);
        lie.taken = taken;
        send(&machine, lie);
        ended_alone(&machine, &mut stream);
    }
}

/// V3: it gives back what it had taken.
#[test]
fn a_count_that_goes_back_ends_the_connection_alone() {
    let (machine, mut stream, peer) = connected(listening());
    machine.write(&mut stream, b"12345").unwrap();
    machine.turns(3);
    let mut lie = Packet::new((2, PORT), peer, operation::CREDIT_UPDATE, &[]);
    lie.taken = 2;
    send(&machine, lie);
    ended_alone(&machine, &mut stream);
}

/// V4: its room shrinks below what is on its way, to nothing, or to the most that there can be.
#[test]
fn a_room_that_shrinks_or_grows_at_will_is_kept_to() {
    let (machine, mut stream, peer) = connected(listening());
    machine.fake.borrow_mut().takes = false;
    machine.write(&mut stream, &[1; 5000]).unwrap();
    for room in [4999, 0] {
        let mut less = Packet::new((2, PORT), peer, operation::CREDIT_UPDATE, &[]);
        less.room = room;
        send(&machine, less);
        assert_eq!(
            machine.write(&mut stream, b"no room"),
            Err(StreamError::TimedOut)
        );
    }
    let mut most = Packet::new((2, PORT), peer, operation::CREDIT_UPDATE, &[]);
    most.room = u32::MAX;
    send(&machine, most);
    assert_eq!(machine.write(&mut stream, &[2; 100_000]), Ok(()));
    assert_eq!(machine.vsock.counters().refused, 0);
}

/// V17: its room comes and goes, below what is on its way: it takes nothing, and nothing can be sent.
#[test]
fn a_room_that_comes_and_goes_is_no_reason_to_wait_on() {
    let (machine, mut stream, peer) = connected(listening());
    machine.fake.borrow_mut().takes = false;
    machine.write(&mut stream, &[1; 5000]).unwrap();
    let room = |room| {
        let mut update = Packet::new((2, PORT), peer, operation::CREDIT_UPDATE, &[]);
        update.room = room;
        update
    };
    send(&machine, room(0));
    let mut turn = 0;
    let written = block_on(stream.write(b"no room"), || {
        turn += 1;
        if turn % 1000 == 0 {
            let update = room(turn / 1000 % 2);
            machine.says(update);
        }
        machine.turn();
    });
    assert_eq!(written, Err(StreamError::TimedOut));
    assert!(turn < 12_000, "{turn} ms");
}

/// V5: packets that say to have more bytes than they have, or that are no packets.
#[test]
fn packets_without_sense_are_counted_and_nothing_else() {
    let (machine, mut stream, peer) = connected(listening());
    let mut wrong = vec![Packet::new((2, PORT), peer, operation::DATA, b"abc"); 6];
    wrong[0].len = 4;
    wrong[1].len = u32::MAX;
    wrong[2].kind = 2;
    wrong[3].operation = 0;
    wrong[4].operation = 8;
    wrong[5].target.0 = 4;
    for packet in wrong {
        send(&machine, packet);
    }
    assert_eq!(machine.vsock.counters().refused, 6);
    let data = Packet::new((2, PORT), peer, operation::DATA, b"good");
    send(&machine, data);
    assert_eq!(machine.read(&mut stream, 64).unwrap(), b"good");
}

/// V6: a packet that ends within its header.
#[test]
fn a_piece_of_a_header_is_counted_and_nothing_else() {
    let (machine, mut stream, peer) = connected(listening());
    for len in [1, 43] {
        let lie = move |used| vec![Used { len, ..used }];
        machine.device.lie(|l| l.completions = Some(Box::new(lie)));
        machine.says(Packet::new((2, PORT), peer, operation::DATA, b"x"));
        machine.device.run();
        machine.device.lie(|l| l.completions = None);
        machine.turns(2);
    }
    assert_eq!(machine.vsock.counters().refused, 2);
    assert_eq!(machine.write(&mut stream, b"still"), Ok(()));
}

/// V7: packets to nobody: each is answered as long as there is room for answers, and no more.
#[test]
fn a_storm_of_packets_to_nobody_is_answered_within_bounds() {
    let (machine, mut stream, _) = connected(listening());
    for port in 0..2000 {
        let stray = Packet::new((2, port), (3, 50_000 + port), operation::DATA, b"?");
        machine.says(stray);
    }
    machine.turns(300);
    assert_eq!(machine.vsock.counters().refused, 2000);
    assert_eq!(machine.write(&mut stream, b"still"), Ok(()));
}

/// V8: requests without end: a listener has four at most, and all connections together 32.
#[test]
fn a_storm_of_requests_takes_no_more_than_a_listener_has_places() {
    let machine = vsock(Style::Qemu, listening());
    let listener = VsockListener::new(&machine.vsock, 7).unwrap();
    for own in 0..500 {
        machine.fake.borrow_mut().connect(own, 7);
    }
    machine.turns(200);
    let granted = |machine: &WithVsock| {
        let heard = machine.fake.borrow().operations();
        heard
            .iter()
            .filter(|said| **said == operation::RESPONSE)
            .count()
    };
    assert_eq!(granted(&machine), 4);
    let mut streams: Vec<_> = (0..4).map(|_| machine.accept(&listener).unwrap()).collect();
    for round in 1..20 {
        for own in 0..4 {
            machine.fake.borrow_mut().connect(1000 * round + own, 7);
        }
        machine.turns(4);
        while granted(&machine) > streams.len() {
            streams.push(machine.accept(&listener).unwrap());
        }
    }
    assert_eq!(streams.len(), virtio::MAX_CONNECTIONS);
}

/// V9: a request for a connection that there is, an answer that nobody asked for, data before the answer.
#[test]
fn what_has_no_place_ends_the_connection_alone() {
    for wrong in [operation::REQUEST, operation::RESPONSE] {
        let (machine, mut stream, peer) = connected(listening());
        send(&machine, Packet::new((2, PORT), peer, wrong, &[]));
        ended_alone(&machine, &mut stream);
    }
    for early in [
        operation::DATA,
        operation::SHUTDOWN,
        operation::CREDIT_UPDATE,
    ] {
        let mut fake = listening();
        fake.lie = Some(Box::new(move |packet| {
            if packet.operation == operation::RESPONSE {
                packet.operation = early;
            }
        }));
        let machine = vsock(Style::Qemu, fake);
        assert_eq!(machine.connect(PORT).err(), Some(StreamError::Broken));
    }
}

/// V10: data after it said that it sends nothing more.
#[test]
fn data_after_the_end_ends_the_connection_alone() {
    let (machine, mut stream, peer) = connected(listening());
    let mut end = Packet::new((2, PORT), peer, operation::SHUTDOWN, &[]);
    end.flags = 2;
    send(&machine, end);
    assert_eq!(machine.read(&mut stream, 8).unwrap(), b"");
    send(
        &machine,
        Packet::new((2, PORT), peer, operation::DATA, b"more"),
    );
    assert_eq!(machine.write(&mut stream, b"x"), Err(StreamError::Broken));
    assert_eq!(
        machine.read(&mut stream, 8).unwrap(),
        b"",
        "and nothing of it is read"
    );
}

/// V11: no answer to a request.
#[test]
fn a_host_that_does_not_answer_is_an_error_after_five_seconds() {
    let mut fake = listening();
    fake.lie = Some(Box::new(|packet| packet.kind = 0));
    let machine = vsock(Style::Qemu, fake);
    let before = machine.rig.clock_now();
    assert_eq!(machine.connect(PORT).err(), Some(StreamError::TimedOut));
    let took = machine.rig.clock_now().since(before);
    assert!((5..7).contains(&took.as_secs()), "{took:?}");
}

/// V12: it takes nothing: neither its user, nor the device.
#[test]
fn a_host_that_takes_nothing_is_an_error_of_the_writer_in_time() {
    let (machine, mut stream, _) = connected(listening());
    machine.fake.borrow_mut().takes = false;
    let before = machine.rig.clock_now();
    let written = block_on(stream.write_all(&[1; 200_000]), || machine.turn());
    assert_eq!(written, Err(StreamError::TimedOut));
    let took = machine.rig.clock_now().since(before);
    assert!((10..13).contains(&took.as_secs()), "{took:?}");

    let (machine, mut stream, _) = connected(listening());
    machine.fake.borrow_mut().completes = false;
    let written = block_on(stream.write_all(&[1; 200_000]), || machine.turn());
    assert_eq!(written, Err(StreamError::TimedOut));
}

/// V13: an end that is never confirmed keeps its place for two seconds, not for ever.
#[test]
fn an_end_that_is_not_confirmed_is_over_after_two_seconds() {
    let (machine, stream, _) = connected(listening());
    machine.fake.borrow_mut().lie = Some(Box::new(|packet| packet.kind = 0));
    drop(stream);
    machine.turns(2300);
    let said = machine.fake.borrow().operations();
    assert_eq!(
        said,
        [operation::REQUEST, operation::SHUTDOWN, operation::RESET]
    );
}

/// V14: the device says that the host has forgotten everything, or something that means nothing.
#[test]
fn a_host_that_forgets_everything_ends_all_streams_and_says_who_we_are_anew() {
    let (machine, mut stream, _) = connected(listening());
    machine.fake.borrow_mut().events.push_back(vec![9, 9, 9, 9]);
    machine.fake.borrow_mut().events.push_back(vec![0]);
    machine.turns(2);
    assert_eq!(machine.vsock.counters().refused, 2);
    machine.fake.borrow_mut().cid = 77;
    // What stands behind an event is no other.
    machine
        .fake
        .borrow_mut()
        .events
        .push_back(vec![0, 0, 0, 0, 9, 9, 9, 9]);
    machine.turns(2);
    assert_eq!(machine.vsock.counters().refused, 2);
    assert_eq!(machine.read(&mut stream, 8), Err(StreamError::Reset));
    assert_eq!(machine.vsock.cid(), 77);
    assert!(machine.connect(PORT).is_ok());
}

/// V15: completions of what was not lent, or of more than that.
#[test]
fn a_wrong_completion_ends_the_device_and_every_stream() {
    type Lie = fn(Used) -> Used;
    let lies: [(Lie, Error); 2] = [
        (|used| Used { id: 99, ..used }, Error::UsedId { id: 99 }),
        (
            |used| Used { len: 4097, ..used },
            Error::UsedLength {
                len: 4097,
                limit: 4096,
            },
        ),
    ];
    for (lie, error) in lies {
        let (machine, mut stream, peer) = connected(listening());
        machine
            .device
            .lie(|l| l.completions = Some(Box::new(move |used| vec![lie(used)])));
        send(
            &machine,
            Packet::new((2, PORT), peer, operation::DATA, b"x"),
        );
        let gone = Err(StreamError::Device(error));
        assert_eq!(machine.read(&mut stream, 8), gone);
        assert_eq!(machine.connect(PORT).err(), gone.err());
        assert_eq!(machine.device.status(), 0);
        assert_eq!(machine.vsock.failure(), Some(error));
        assert_eq!(machine.vsock.take_failure(), Some(error));
        assert_eq!(machine.vsock.take_failure(), None);
        drop(stream);
    }
}
