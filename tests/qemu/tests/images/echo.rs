//! A server in a realm, and a client outside of it.

use qemu_tests::Boot;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
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
    let port = free_port();
    let tcp = format!("tcp:{port}:7");
    let udp = format!("udp:{port}:7");
    let boot = Boot::realm("echo").with(&["--forward", &tcp, "--forward", &udp]);
    let realm = boot.start();
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

/// A port of this host that was free a moment ago.
fn free_port() -> u16 {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    free.local_addr().expect("its address").port()
}

/// What a client gets that asks for `path`, in the way of any HTTP client, status line first.
fn over_http(port: u16, path: &str) -> io::Result<String> {
    let url = format!("http://127.0.0.1:{port}{path}");
    let words = ["--silent", "--show-error", "--include", "--max-time", "5"];
    let curl = Command::new("curl").args(words).arg(url).output()?;
    let text = String::from_utf8_lossy(&curl.stdout).into_owned();
    match curl.status.success() {
        true => Ok(text),
        false => Err(io::Error::other(String::from_utf8_lossy(&curl.stderr))),
    }
}

#[test]
fn counters_are_served_to_an_http_client() {
    let (port, metrics) = (free_port(), free_port());
    let (echo, http) = (format!("tcp:{port}:7"), format!("tcp:{metrics}:9100"));
    let boot = Boot::realm("echo").with(&["--forward", &echo, "--forward", &http]);
    let boot = boot.with(&["--append", "echo.metrics=9100"]);
    let realm = boot.start();
    assert_eq!(until_answered(|| over_tcp(port, b"hello")), b"hello");
    let text = until_answered(|| over_http(metrics, "/metrics"));
    assert!(text.starts_with("HTTP/1.1 200 OK"), "{text}");
    for line in [
        "Content-Type: text/plain; version=0.0.4",
        "# TYPE airlock_net_frames_sent_total counter",
        "airlock_net_frames_sent_total{device=\"0000:00:01.0\"} ",
        "airlock_shared_bytes 2097152",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    let text = until_answered(|| over_http(metrics, "/"));
    assert!(text.starts_with("HTTP/1.1 404"), "{text}");
    let _stopped = over_tcp(port, b"stop\n");
    let _outcome = realm.join().unwrap();
}
