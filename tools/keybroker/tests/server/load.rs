//! Two hundred troublemakers beside twenty honest realms.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::thread;
use std::time::Duration;

use keybroker::{EVIDENCE_MEDIA_TYPE, Limits};

use crate::client::{SECRET, ask, connect, post, server_with, submit};
use crate::realm::{GOOD, Wrapping};

const TROUBLEMAKERS: u32 = 200;
const HONEST: usize = 20;
/// How much the process may grow meanwhile, in KiB. Threads and clients of the test are in it.
const MOST_GROWTH: u64 = 128 << 10;

#[test]
fn honest_realms_get_their_keys_beside_two_hundred_troublemakers() {
    let server = server_with(|config| {
        config.limits = Limits {
            head_time: Duration::from_millis(500),
            body_time: Duration::from_millis(500),
            connection_time: Duration::from_secs(5),
            ..Limits::default()
        };
        config.broker.most_challenges = 256;
    });
    let to = server.address();
    // The keys are made beforehand: making them is the clients' work, and long.
    let wrapping = Wrapping::new(1024);
    let used = spent_challenge(to, &wrapping);
    let before = resident();
    thread::scope(|scope| {
        for number in 0..TROUBLEMAKERS {
            let used = &used;
            scope.spawn(move || trouble(to, number, used));
        }
        let honest: Vec<_> = (0..HONEST)
            .map(|_| scope.spawn(|| honest(to, &wrapping)))
            .collect();
        for realm in honest {
            assert_eq!(realm.join().expect("an honest realm"), SECRET);
        }
    });
    let growth = resident().saturating_sub(before);
    assert!(growth < MOST_GROWTH, "{growth} KiB more than before");
    assert_eq!(honest(to, &wrapping), SECRET, "it still serves");
}

/// A challenge that was answered already, with its evidence.
fn spent_challenge(to: SocketAddr, wrapping: &Wrapping) -> (String, String) {
    let challenge = ask(to, "skywalker", wrapping, "RSA1_5");
    let evidence = GOOD.evidence(&challenge.nonce);
    assert_eq!(submit(to, &challenge, &evidence).status, 200);
    (challenge.path, evidence)
}

fn honest(to: SocketAddr, wrapping: &Wrapping) -> String {
    let challenge = ask(to, "skywalker", wrapping, "RSA-OAEP");
    let answer = submit(to, &challenge, &GOOD.evidence(&challenge.nonce));
    assert_eq!(answer.status, 200, "{answer:?}");
    wrapping.open("RSA-OAEP", &answer.bytes("data"))
}

fn trouble(to: SocketAddr, number: u32, used: &(String, String)) {
    match number % 5 {
        0 => garbage(to, number),
        1 => half_sent(to, "/keys/v1/key/skywalker", "application/json", number),
        2 => slow(to),
        3 => replay(to, used),
        _ => half_sent(to, &used.0, EVIDENCE_MEDIA_TYPE, number),
    }
}

/// Sends bytes that are not HTTP, and then goes on sending.
fn garbage(to: SocketAddr, number: u32) {
    let mut stream = connect(to);
    let mut state = number | 1;
    for _ in 0..64 {
        let bytes: Vec<u8> = (0..1024)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                state.to_le_bytes()[1]
            })
            .collect();
        if stream.write_all(&bytes).is_err() {
            return;
        }
    }
}

/// Promises a body, sends part of it, and waits for the server to lose its patience, or hangs up.
fn half_sent(to: SocketAddr, path: &str, content_type: &str, number: u32) {
    let mut stream = connect(to);
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\n\
         Content-Length: 6000\r\n\r\n{{\"pubkey\":{{\"kty\":"
    );
    stream
        .write_all(head.as_bytes())
        .expect("the start is sent");
    if number.is_multiple_of(2) {
        stream.shutdown(Shutdown::Both).expect("we hang up");
    } else {
        let mut answer = Vec::new();
        let _reset = stream.read_to_end(&mut answer);
    }
}

/// Sends a head byte by byte, until the server loses its patience.
fn slow(to: SocketAddr) {
    let mut stream = connect(to);
    for byte in b"POST /keys/v1/key/skywalker HTTP/1.1\r\nHost: x\r\nX: "
        .iter()
        .cycle()
    {
        if stream.write_all(&[*byte]).is_err() {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Submits the evidence of somebody else again, and then random evidence to random challenges.
fn replay(to: SocketAddr, (path, evidence): &(String, String)) {
    let answer = post(to, path, EVIDENCE_MEDIA_TYPE, evidence.as_bytes());
    assert_eq!(answer.status, 403, "{answer:?}");
    for id in 0..5 {
        let path = format!("/keys/v1/evidence/{id}");
        let answer = post(to, &path, EVIDENCE_MEDIA_TYPE, evidence.as_bytes());
        assert_eq!(answer.status, 403, "{answer:?}");
    }
}

/// Resident memory of this process, in KiB; 0 where there is no `/proc`.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}
