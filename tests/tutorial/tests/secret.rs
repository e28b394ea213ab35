//! The secret: the test plays a key broker that gives none.

use airlock::testing::Machine;
use airlock::{Network, TcpBuffers};
use embedded_io_async::{Read, Write};
use std::time::Duration;

/// Answers the first request as a broker does that does not know the key.
async fn refuse(broker: &Network) {
    let mut socket = broker.tcp_socket(TcpBuffers::default()).unwrap();
    let patience = Duration::from_secs(60);
    socket.accept(8088, patience).await.unwrap();
    let mut request = [0; 4096];
    let len = socket.read(&mut request).await.unwrap();
    assert!(request[..len].starts_with(b"POST /keys/v1/key/skywalker"));
    let answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    socket.write_all(answer.as_bytes()).await.unwrap();
    socket.close().await.ok();
}

#[test]
fn without_a_key_there_is_no_service() {
    let machine = Machine::with_disk("keybroker.url=http://10.0.2.2:8088", vec![0; 512]);
    let broker = machine.peer("10.0.2.2/24");
    let (verdict, ()) = machine.run_with(notes::run(machine.realm()), refuse(&broker));
    let reason = verdict.unwrap_err().to_string();
    assert!(reason.contains("404"), "{reason}");
}

#[test]
fn who_names_no_broker_is_told_how() {
    let machine = Machine::with_disk("", vec![0; 512]);
    let verdict = machine.run(notes::run(machine.realm()));
    let reason = verdict.unwrap_err().to_string();
    assert_eq!(reason, "give the boot argument keybroker.url=");
}
