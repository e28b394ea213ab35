//! A server in a realm, and a client outside of it.

use qemu_tests::Boot;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

/// Time to boot on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);
/// One answer.
const ANSWER: Duration = Duration::from_secs(2);

/// Asks again until the realm listens: QEMU takes connections before it does.
fn until_answered<T>(mut ask: impl FnMut() -> io::Result<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match ask() {
            Ok(answer) => return answer,
            Err(error) if Instant::now() > deadline => panic!("no answer: {error}"),
            Err(_) => thread::sleep(Duration::from_millis(50)),
        }
    }
}

fn over_tcp(port: u16, sent: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(ANSWER))?;
    let mut answer = vec![0; sent.len()];
    let mut sender = stream.try_clone()?;
    thread::scope(|scope| {
        // Both directions at once: more than what fits into any buffer on the way.
        let sending = scope.spawn(move || sender.write_all(sent));
        stream.read_exact(&mut answer)?;
        sending.join().expect("sending does not panic")
    })?;
    Ok(answer)
}

fn over_udp(port: u16, sent: &[u8]) -> io::Result<Vec<u8>> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_read_timeout(Some(ANSWER))?;
    socket.send_to(sent, (Ipv4Addr::LOCALHOST, port))?;
    let mut answer = vec![0; 2048];
    let length = socket.recv(&mut answer)?;
    answer.truncate(length);
    Ok(answer)
}

#[test]
fn a_realm_gives_back_what_it_gets() {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let tcp = format!("tcp:{port}:7");
    let udp = format!("udp:{port}:7");
    let boot = Boot::realm("echo").with(&["--forward", &tcp, "--forward", &udp]);
    let realm = thread::spawn(move || boot.run_ok());
    let sent: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    assert_eq!(until_answered(|| over_tcp(port, b"hello")), b"hello");
    assert_eq!(until_answered(|| over_tcp(port, &sent)), sent);
    assert_eq!(
        until_answered(|| over_udp(port, b"one datagram")),
        b"one datagram"
    );
    let _stopped = over_tcp(port, b"stop\n");
    let outcome = realm.join().unwrap();
    assert!(outcome.report.is_some());
}
