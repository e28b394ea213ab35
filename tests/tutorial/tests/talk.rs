//! The network: the test plays the caller.

use std::time::Duration;

use airlock::testing::{Machine, Network};
use embedded_io_async::{Read, Write};
use notes::talk;

/// Calls the realm, says `lines`, and gives what it answers.
pub async fn call(peer: &Network, lines: &str) -> String {
    // The realm has to have its address first.
    peer.sleep(Duration::from_secs(5)).await;
    let realm = "10.0.2.15:7000".parse().unwrap();
    let mut socket = peer.connect(realm).await.unwrap();
    socket.write_all(lines.as_bytes()).await.unwrap();
    let (mut answer, mut buffer) = (Vec::new(), [0; 64]);
    loop {
        match socket.read(&mut buffer).await.unwrap() {
            0 => break,
            len => answer.extend_from_slice(&buffer[..len]),
        }
    }
    socket.close().await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[test]
fn each_line_is_answered_until_one_says_stop() {
    let machine = Machine::new("");
    let peer = machine.peer("10.0.2.2/24");
    let network = machine.realm().network().unwrap();
    let service = talk::serve(&network, async |line| Ok(line.to_uppercase()));
    let caller = call(&peer, "one\r\ntwo words\nstop\n");
    let (verdict, answer) = machine.run_with(service, caller);
    assert!(verdict.is_ok());
    assert_eq!(answer, "ONE\nTWO WORDS\n");
}
