//! Payloads, or what might be ones, on a simulated machine.
use std::time::Duration;

use attest::{Challenge, MeasureError};
use block::{BlockDevice, SECTOR_SIZE};
use embedded_io_async::{Read, Write};
use net::TcpBuffers;
use realm::{Error, Realm};
use simulated::{Machine, Setup, println};

const PATIENCE: Duration = Duration::from_secs(10);

/// Gives back one line in capital letters.
async fn shout(realm: Realm) -> Result<(), Error> {
    let network = realm.network()?;
    network.wait_configured(PATIENCE).await?;
    let mut socket = network.tcp_socket(TcpBuffers::default())?;
    socket.accept(7, PATIENCE).await?;
    let mut line = [0; 64];
    let len = socket.read(&mut line).await?;
    line.make_ascii_uppercase();
    socket
        .write_all(line.get(..len).unwrap_or_default())
        .await?;
    socket.close().await?;
    println!("served {}", socket.remote_address().is_some());
    Ok(())
}

#[test]
fn a_payload_serves_a_peer_whom_the_test_plays() {
    let machine = Machine::new("");
    let peer = machine.peer("10.0.2.2/24");
    let client = async {
        // The realm has no address before the lease has come.
        peer.sleep(Duration::from_secs(5)).await;
        let mut socket = peer.connect("10.0.2.15:7".parse().unwrap()).await.unwrap();
        socket.write_all(b"hello").await.unwrap();
        let mut answer = [0; 5];
        socket.read_exact(&mut answer).await.unwrap();
        socket.close().await.unwrap();
        answer
    };
    let (verdict, answer) = machine.run_with(shout(machine.realm()), client);
    assert_eq!(verdict, Ok(()));
    assert_eq!(&answer, b"HELLO");
}

#[test]
fn an_hour_of_sleep_takes_no_time() {
    let machine = Machine::new("");
    let realm = machine.realm();
    let began = std::time::Instant::now();
    machine.run(async {
        realm.sleep(Duration::from_secs(3000)).await;
        embassy_time::Timer::after_secs(60).await;
    });
    assert!(machine.now() >= Duration::from_secs(3060));
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn what_is_written_is_on_the_disk_and_its_failure_is_an_error() {
    let machine = Machine::with_disk("", vec![0; 8 * SECTOR_SIZE]);
    let disk = machine.realm().disk().unwrap();
    assert_eq!(disk.capacity(), 8);
    let stored = machine.run(async {
        disk.write(3, &[7; SECTOR_SIZE]).await?;
        disk.flush().await
    });
    assert_eq!(stored, Ok(()));
    let content = machine.disk(0).content();
    assert!(content.chunks(SECTOR_SIZE).nth(3) == Some(&[7; SECTOR_SIZE]));
    assert_eq!(machine.disk(0).flushes(), 1);
    machine.disk(0).fail(true);
    let mut sector = [0; SECTOR_SIZE];
    assert!(machine.run(disk.read(3, &mut sector)).is_err());
    assert_eq!(machine.realm().counters().devices.len(), 1);
}

#[test]
fn boot_arguments_are_measured_and_what_the_payload_measures_is_in_the_log() {
    let machine = Machine::new("mine.name=Ada");
    let realm = machine.realm();
    assert_eq!(realm.args().get("mine.name"), Some("Ada"));
    let before = realm.measurements().unwrap();
    assert_ne!(before.rems[0].to_string(), before.rems[1].to_string());
    realm.measure(2, b"decided").unwrap();
    let after = realm.measurements().unwrap();
    assert_ne!(before.rems[1].to_string(), after.rems[1].to_string());
    assert!(realm.event_log().to_json().contains("boot arguments"));
    let token = realm.attest(&Challenge::new([1; 64])).unwrap();
    assert_eq!(token.as_bytes(), b"a token that nobody signed");
}

#[test]
fn an_ordinary_machine_has_no_measurements_and_one_without_entropy_no_random_numbers() {
    let machine = Machine::with(Setup {
        realm: false,
        entropy: false,
        network: false,
        ..Setup::default()
    });
    let realm = machine.realm();
    assert_eq!(realm.measurements().err(), Some(MeasureError::NotSupported));
    assert_eq!(realm.random(&mut [0; 8]), Err(Error::NoEntropy));
    assert_eq!(realm.network().err(), Some(Error::NoNetwork));
    assert_eq!(realm.disk().err(), Some(Error::NoDisk));
}

#[test]
fn work_for_other_processors_is_done_by_the_only_one() {
    let machine = Machine::new("");
    let realm = machine.realm();
    let sum = machine.run(async move { realm.cpus().spawn(async { (1..=10).sum::<u32>() }).await });
    assert_eq!(sum, 55);
}

#[test]
#[should_panic = "nothing is to come"]
fn a_payload_that_waits_for_nothing_is_told_so() {
    let machine = Machine::with(Setup {
        network: false,
        ..Setup::default()
    });
    machine.run(std::future::pending::<()>());
}
