use super::*;

const ENDS: Ends = Ends {
    host: 80,
    guest: 1000,
};

fn said(operation: Operation, flags: u32, len: u32) -> Header {
    Header {
        source: VsockAddress { cid: 3, port: 1000 },
        target: VsockAddress { cid: 2, port: 80 },
        len,
        operation,
        flags,
        room: 100,
        taken: 0,
    }
}

/// All that there is to say, said.
fn heard(connection: &mut Connection) -> Vec<(Operation, usize)> {
    let mut all = Vec::new();
    while connection.has_news() {
        let (header, data) = connection.packet(40).unwrap();
        connection.note_said(&header);
        all.push((header.operation, data.len()));
    }
    all
}

fn open() -> Connection {
    let mut connection = Connection::of_guest(&said(Operation::Request, 0, 0));
    connection.dialed();
    assert_eq!(heard(&mut connection), [(Operation::Response, 0)]);
    connection
}

#[test]
fn a_connection_of_the_guest_is_answered_once_the_host_s_place_is_there() {
    let mut connection = Connection::of_guest(&said(Operation::Request, 0, 0));
    assert!(!connection.has_news() && connection.wants() == 0);
    connection.dialed();
    let (header, _) = connection.packet(0).unwrap();
    assert_eq!((header.source.port, header.target.port), (80, 1000));
    assert_eq!((header.source.cid, header.target.cid), (2, 3));
}

#[test]
fn a_connection_to_the_guest_is_asked_for() {
    let mut connection = Connection::to_guest(ENDS, 3);
    assert_eq!(heard(&mut connection), [(Operation::Request, 0)]);
    let data = connection.hear(&said(Operation::Data, 0, 1), &[1]);
    assert!(matches!(data, Heard::Broken(_)));
    let mut connection = Connection::to_guest(ENDS, 3);
    assert_eq!(
        connection.hear(&said(Operation::Response, 0, 0), &[]),
        Heard::Fine
    );
    assert!(connection.wants() != 0);
}

#[test]
fn the_guest_is_sent_what_it_has_room_for_and_no_more() {
    let mut connection = open();
    connection.send(&[7; 150]);
    let data = |len| (Operation::Data, len);
    let first = heard(&mut connection);
    let ask = (Operation::CreditRequest, 0);
    assert_eq!(first, [data(40), data(40), data(20), ask]);
    assert_eq!(connection.wants(), 0);
    // It is asked once, until it says something of its room.
    assert!(heard(&mut connection).is_empty());
    let update = Header {
        taken: 70,
        ..said(Operation::CreditUpdate, 0, 0)
    };
    assert_eq!(connection.hear(&update, &[]), Heard::Fine);
    assert_eq!(heard(&mut connection), [data(40), data(10)]);
    assert!(connection.wants() != 0);
}

#[test]
fn a_guest_that_took_what_was_never_sent_is_cut() {
    let mut connection = open();
    connection.send(&[7; 10]);
    heard(&mut connection);
    let lie = Header {
        taken: 11,
        ..said(Operation::CreditUpdate, 0, 0)
    };
    assert!(matches!(connection.hear(&lie, &[]), Heard::Broken(_)));
}

#[test]
fn a_guest_that_sends_more_than_the_room_is_cut() {
    let mut connection = open();
    let piece = vec![0; ROOM as usize];
    let data = said(Operation::Data, 0, ROOM);
    assert_eq!(connection.hear(&data, &piece), Heard::Fine);
    let more = connection.hear(&said(Operation::Data, 0, 1), &[0]);
    assert!(matches!(more, Heard::Broken(_)));
}

#[test]
fn the_guest_learns_of_room_once_half_of_it_is_free_again() {
    let mut connection = open();
    let half = ROOM / 2;
    connection.hear(&said(Operation::Data, 0, half), &vec![0; half as usize]);
    connection.note_taken(half as usize - 1);
    assert!(!connection.has_news());
    connection.note_taken(1);
    let (header, _) = connection.packet(0).unwrap();
    assert_eq!(
        (header.operation, header.taken),
        (Operation::CreditUpdate, half)
    );
    connection.note_said(&header);
    connection.hear(&said(Operation::CreditRequest, 0, 0), &[]);
    assert_eq!(heard(&mut connection), [(Operation::CreditUpdate, 0)]);
}

#[test]
fn the_end_of_the_host_s_bytes_is_told_after_the_last_of_them() {
    let mut connection = open();
    connection.send(&[1; 50]);
    connection.host_ended();
    let all = [
        (Operation::Data, 40),
        (Operation::Data, 10),
        (Operation::Shutdown, 0),
    ];
    assert_eq!(heard(&mut connection), all);
    assert_eq!(connection.wants(), 0);
}

#[test]
fn the_end_of_the_guest_s_bytes_comes_after_the_last_of_them() {
    let mut connection = open();
    connection.hear(&said(Operation::Data, 0, 5), &[1; 5]);
    let end = said(Operation::Shutdown, SENDS_NO_MORE, 0);
    assert_eq!(connection.hear(&end, &[]), Heard::Fine);
    assert!(!connection.host_hears_the_end());
    connection.note_taken(5);
    assert!(connection.host_hears_the_end());
    // The other direction goes on.
    connection.send(&[2; 3]);
    assert_eq!(heard(&mut connection), [(Operation::Data, 3)]);
    let late = connection.hear(&said(Operation::Data, 0, 1), &[0]);
    assert!(matches!(late, Heard::Broken(_)));
}

#[test]
fn a_guest_that_leaves_leaves_its_bytes() {
    let mut connection = open();
    connection.hear(&said(Operation::Data, 0, 5), &[1; 5]);
    let both = said(Operation::Shutdown, SENDS_NO_MORE | TAKES_NO_MORE, 0);
    assert_eq!(connection.hear(&both, &[]), Heard::Left);
    assert_eq!(connection.take_rest().len(), 5);
    assert_eq!(connection.reset().operation, Operation::Reset);
    assert_eq!(
        open().hear(&said(Operation::Reset, 0, 0), &[]),
        Heard::Reset
    );
}
