//! The virtio console, and its ports.

use qemu_tests::{Boot, Outcome, total};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// Time to boot on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

/// Accesses to a region, as the monitor counted them: each is an exit.
fn exits(outcome: &Outcome, region: &str) -> u64 {
    let report = outcome.report.as_ref().expect("a report");
    report.regions.get(region).map_or(0, total)
}

/// What the device costs, its start with all questions included, and the serial port: nothing. The machine has no other
/// device.
#[test]
fn a_boot_with_a_console_device_has_few_exits_of_the_console() {
    let boot = Boot::realm("hello").with(&["--net", "none", "--append", "console=hvc0"]);
    let outcome = boot.run_ok();
    for line in ["airlock 0.", "hello: a realm", "payload: ok"] {
        assert!(
            outcome.console.find(line).is_some(),
            "`{line}` is not there"
        );
    }
    assert_eq!(exits(&outcome, "uart"), 0);
    let device = exits(&outcome, "pci_memory");
    assert!((1..=60).contains(&device), "{device} exits");
}

#[test]
fn a_port_of_a_realm_gives_back_what_is_written_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("chat");
    let port = format!("chat=unix:{}", socket.display());
    let boot = Boot::realm("echo").with(&["--net", "none", "--port", &port]);
    let boot = boot.with(&["--append", "echo.stream=chat"]);
    let realm = boot.start();
    let sent: Vec<u8> = (0..50_000_u32).flat_map(u32::to_le_bytes).collect();
    let mut stream = connected(&socket);
    let mut sender = stream.try_clone().unwrap();
    let bytes = sent.clone();
    let sending = thread::spawn(move || sender.write_all(&bytes));
    let mut back = vec![0; sent.len()];
    stream.read_exact(&mut back).unwrap();
    sending.join().unwrap().unwrap();
    assert!(back == sent, "something else came back");
    stream.write_all(b"\nstop\n").unwrap();
    let outcome = realm.join().unwrap();
    assert!(outcome.console.find("200006 bytes").is_some());
}

/// A panic speaks by the serial port, whatever the console is.
#[test]
fn a_panic_with_a_console_device_is_told() {
    let boot =
        Boot::realm("broken").with(&["--net", "none", "--append", "break=panic console=hvc0"]);
    boot.fails_with("panic at");
}

/// QEMU listens before the realm runs.
fn connected(socket: &Path) -> UnixStream {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match UnixStream::connect(socket) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
                return stream;
            }
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        thread::sleep(Duration::from_millis(20));
    }
}
