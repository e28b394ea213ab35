//! Claims about one connection, packet by packet.

extern crate std;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Wake;

use super::*;

const HOST: Address = Address { cid: 2, port: 9 };
const US: Address = Address { cid: 3, port: 7 };

#[derive(Default)]
struct Task(AtomicU32);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn at(seconds: u64) -> Instant {
    Instant::from_nanos(seconds * 1_000_000_000)
}

fn said(operation: Operation, flags: u32, room: u32, taken: u32) -> Header {
    Header {
        source: HOST,
        target: US,
        len: 0,
        operation,
        flags,
        room,
        taken,
    }
}

fn hear(connection: &mut Connection, header: &Header, data: &[u8]) -> bool {
    connection.hear(header, data, &mut Vec::new())
}

/// An open connection to a host with room for `room` bytes, which was told all that it is owed.
fn open(room: u32) -> Connection {
    let offer = said(Operation::Request, 0, room, 0);
    let mut connection = Connection::offered(&offer).unwrap();
    settle(&mut connection);
    connection
}

/// Says all that is owed, and lists it.
fn settle(connection: &mut Connection) -> Vec<(Operation, u32)> {
    let mut all = Vec::new();
    while let Some((operation, flags)) = connection.owed() {
        all.push((operation, flags));
        connection.note_said(operation);
    }
    all
}

fn shutdown(connection: &mut Connection, flags: u32) -> bool {
    hear(connection, &said(Operation::Shutdown, flags, 100, 0), b"")
}

#[test]
fn each_flag_of_a_shutdown_means_its_own_direction() {
    let ends = |flags: &[u32]| {
        let mut connection = open(100);
        for flag in flags {
            assert!(shutdown(&mut connection, *flag));
        }
        let reads = connection.read(&mut [0; 4]);
        assert_eq!(settle(&mut connection), [], "nobody closes it but its user");
        (reads, connection.why_closed(), connection.is_open())
    };
    let reset = Some(StreamError::Reset);
    assert_eq!(ends(&[0]), (None, None, true));
    assert_eq!(ends(&[4]), (None, None, true));
    assert_eq!(ends(&[SENDS_NO_MORE]), (Some(Ok(0)), None, true));
    assert_eq!(ends(&[TAKES_NO_MORE]), (None, reset, false));
    for both in [
        &[SENDS_NO_MORE | TAKES_NO_MORE][..],
        &[SENDS_NO_MORE, TAKES_NO_MORE],
        &[TAKES_NO_MORE, SENDS_NO_MORE],
    ] {
        assert_eq!(ends(both), (Some(Ok(0)), reset, false));
    }
}

#[test]
fn a_connection_that_its_user_left_ends_when_the_host_has_ended_both_directions() {
    let mut connection = open(100);
    connection.leave(at(0));
    let both = SENDS_NO_MORE | TAKES_NO_MORE;
    assert_eq!(settle(&mut connection), [(Operation::Shutdown, both)]);
    let data = said(Operation::Data, 0, 100, 0);
    assert!(hear(&mut connection, &data, b"on its way"));
    let ask = said(Operation::CreditRequest, 0, 100, 0);
    assert!(hear(&mut connection, &ask, b""));
    assert_eq!(settle(&mut connection), [(Operation::CreditUpdate, 0)]);
    assert!(shutdown(&mut connection, TAKES_NO_MORE));
    assert!(connection.lives());
    assert!(shutdown(&mut connection, SENDS_NO_MORE));
    assert!(!connection.lives());
    assert_eq!(settle(&mut connection), [(Operation::Reset, 0)]);
    assert!(connection.is_over());
}

#[test]
fn a_request_that_was_not_sent_is_taken_back_without_a_word() {
    for is_sent in [false, true] {
        let mut connection = Connection::asked_for(US.port, HOST, at(0));
        if is_sent {
            assert_eq!(settle(&mut connection), [(Operation::Request, 0)]);
        }
        connection.leave(at(1));
        let reset: &[_] = if is_sent {
            &[(Operation::Reset, 0)]
        } else {
            &[]
        };
        assert_eq!(settle(&mut connection), reset);
    }
}

/// Room is a word, which can be taken back: bytes that were taken, or sent, are a step forward.
#[test]
fn a_writer_waits_anew_when_the_host_takes_bytes_and_else_does_not() {
    for (room, taken, is_news) in [
        (10, 0, false),
        (9, 0, false),
        (11, 0, false),
        (10, 4, true),
        (5, 4, true),
    ] {
        let mut connection = open(10);
        connection.note_sent(10);
        connection.wait_to_write(Waker::noop(), at(0));
        for second in 1..=12 {
            if second == 8 {
                assert!(hear(
                    &mut connection,
                    &said(Operation::CreditUpdate, 0, room, taken),
                    b""
                ));
                connection.wait_to_write(Waker::noop(), at(8));
            }
            let is_late = connection.take_timeout(at(second));
            let expected = !is_news && at(second).since(at(0)) == WRITING;
            assert_eq!(
                is_late, expected,
                "room {room}, taken {taken}, second {second}"
            );
            if is_late {
                break;
            }
        }
    }
}

#[test]
fn a_host_with_no_room_is_asked_once_and_again_when_it_had_some() {
    let mut connection = open(10);
    connection.note_sent(10);
    let ask = [(Operation::CreditRequest, 0)];
    for expected in [&ask[..], &[]] {
        connection.wait_to_write(Waker::noop(), at(0));
        assert_eq!(settle(&mut connection), expected);
    }
    assert!(hear(
        &mut connection,
        &said(Operation::CreditUpdate, 0, 10, 0),
        b""
    ));
    connection.wait_to_write(Waker::noop(), at(1));
    assert_eq!(settle(&mut connection), [], "it has none still");
    assert!(hear(
        &mut connection,
        &said(Operation::CreditUpdate, 0, 10, 10),
        b""
    ));
    assert_eq!(connection.may_send(), 10);
    connection.note_sent(10);
    connection.wait_to_write(Waker::noop(), at(2));
    assert_eq!(settle(&mut connection), ask);
}

#[test]
fn a_user_that_left_waits_for_the_host_no_longer_because_it_goes_on_taking() {
    let mut connection = open(10);
    connection.note_sent(10);
    connection.leave(at(0));
    let mut woken = Vec::new();
    assert_eq!(connection.look(at(1), &mut woken), Some(at(2)));
    assert!(hear(
        &mut connection,
        &said(Operation::CreditUpdate, 0, 20, 5),
        b""
    ));
    assert!(connection.lives());
    assert_eq!(connection.look(at(2), &mut woken), None);
    assert!(!connection.lives());
    assert_eq!(connection.opened(), Some(Err(StreamError::TimedOut)));
}

#[test]
fn data_fills_the_room_that_the_host_was_told_of_to_the_last_byte() {
    let data = said(Operation::Data, 0, 10, 0);
    let mut connection = open(10);
    assert!(hear(&mut connection, &data, &std::vec![1; BUFFER]));
    assert!(!hear(&mut connection, &data, b"x"));
}

#[test]
fn half_of_the_room_is_worth_a_packet_and_less_is_not() {
    let half = ROOM as usize / 2;
    let data = said(Operation::Data, 0, 10, 0);
    let mut connection = open(10);
    assert!(hear(&mut connection, &data, &std::vec![1; half]));
    assert_eq!(
        connection.read(&mut std::vec![0; half - 1]),
        Some(Ok(half - 1))
    );
    assert_eq!(settle(&mut connection), []);
    assert_eq!(connection.read(&mut [0; 9]), Some(Ok(1)));
    assert_eq!(settle(&mut connection), [(Operation::CreditUpdate, 0)]);
    // What is owed stays owed when less than that is read.
    assert!(hear(
        &mut connection,
        &said(Operation::CreditRequest, 0, 10, 0),
        b""
    ));
    assert!(hear(&mut connection, &data, b"more"));
    assert_eq!(connection.read(&mut [0; 9]), Some(Ok(4)));
    assert_eq!(settle(&mut connection), [(Operation::CreditUpdate, 0)]);
}

#[test]
fn who_waits_to_read_or_write_is_woken_by_what_the_host_says() {
    let mut connection = open(10);
    let tasks: [Arc<Task>; 2] = core::array::from_fn(|_| Arc::default());
    let [reader, writer] = tasks.each_ref().map(|task| Waker::from(Arc::clone(task)));
    connection.wait_to_read(&reader);
    connection.wait_to_read(&reader);
    connection.wait_to_write(&writer, at(0));
    let mut woken = Vec::new();
    assert!(connection.hear(&said(Operation::CreditUpdate, 0, 20, 0), b"", &mut woken));
    woken.into_iter().for_each(Waker::wake);
    assert_eq!(tasks.map(|task| task.0.load(Ordering::Relaxed)), [1, 1]);
}
