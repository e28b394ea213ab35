//! Streams to the host and from it, through our back end of vhost-user.

use airlock_cli::trace::log::Log;
use qemu_tests::{Boot, Outcome};
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Time to boot on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);
const SILENCE: Duration = Duration::from_secs(20);

/// 2 MiB, no two pages of which are alike.
fn content() -> Vec<u8> {
    (0..512 * 1024_u32).flat_map(u32::to_le_bytes).collect()
}

/// What comes back for `sent`, both directions at once.
fn echoed(stream: &UnixStream, sent: &[u8]) -> io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(SILENCE))?;
    let mut back = vec![0; sent.len()];
    thread::scope(|scope| {
        let sending = scope.spawn(|| { stream }.write_all(sent));
        { stream }.read_exact(&mut back)?;
        sending.join().expect("sending does not panic")
    })?;
    Ok(back)
}

/// Calls until the guest listens: the back end is there before it.
fn until_answered<T>(mut call: impl FnMut() -> io::Result<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match call() {
            Ok(answer) => return answer,
            Err(error) => assert!(Instant::now() < deadline, "no answer: {error}"),
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// An echo that is reached by vsock alone.
fn listening(boot: Boot, way: &str) -> JoinHandle<Outcome> {
    let boot = boot.with(&["--net", "none", "--vsock", way, "--append", "echo.vsock=7"]);
    boot.start()
}

/// What a client at `socket`, who says `hello` first, gets back.
fn client(socket: &Path, hello: &str, answer: &str) -> UnixStream {
    until_answered(|| {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(SILENCE))?;
        stream.write_all(hello.as_bytes())?;
        let mut heard = vec![0; answer.len()];
        stream.read_exact(&mut heard)?;
        match heard == answer.as_bytes() {
            true => Ok(stream),
            false => Err(io::Error::other(String::from_utf8_lossy(&heard))),
        }
    })
}

#[test]
fn a_realm_gives_back_what_the_host_sends_by_vsock() {
    let folder = tempfile::tempdir().unwrap();
    let (socket, trace) = (folder.path().join("echo"), folder.path().join("trace"));
    let boot = Boot::realm("echo").with(&["--trace", &trace.to_string_lossy()]);
    let realm = listening(boot, &format!("guest:7=unix:{}", socket.display()));
    let mut stream = client(&socket, "hello", "hello");
    let sent = content();
    let back = echoed(&stream, &sent).unwrap();
    assert!(back == sent, "something else came back");
    // A second connection while the first is there.
    drop(client(&socket, "me too", "me too"));
    stream.write_all(b"\nstop\n").unwrap();
    let mut farewell = String::new();
    stream.read_to_string(&mut farewell).unwrap();
    assert_eq!(farewell, "\nstop\n");
    let _outcome = realm.join().unwrap();
    let (log, _) = Log::read(&trace).unwrap();
    let told: u64 = log.events.iter().map(|event| u64::from(event.len)).sum();
    assert!(log.complete && told > 2 * sent.len() as u64, "{told} bytes");
}

#[test]
fn a_realm_reaches_a_place_of_the_host_by_vsock() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("place");
    let place = UnixListener::bind(&socket).unwrap();
    let way = format!("host:8088=unix:{}", socket.display());
    let boot = Boot::realm("echo").with(&["--net", "none", "--vsock", &way]);
    let realm = boot.with(&["--append", "echo.dial=8088"]).start();
    let (stream, _) = place.accept().unwrap();
    let sent = content();
    let back = echoed(&stream, &sent).unwrap();
    assert!(back == sent, "something else came back");
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let _outcome = realm.join().unwrap();
}

#[test]
fn a_key_is_released_by_vsock_without_a_network() {
    let boot = Boot::realm("keybroker").with(&["--net", "none", "--vsock"]);
    let outcome = boot.run_ok();
    for line in [
        "with URL vsock://2:8088/keys/v1/key/skywalker",
        "Attestation success",
    ] {
        assert!(
            outcome.console.find(line).is_some(),
            "`{line}` is not there"
        );
    }
}

#[test]
fn a_machine_is_called_at_any_port_by_clients_that_say_which() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("any");
    let machine = listening(Boot::machine("echo"), &format!("unix:{}", socket.display()));
    let mut stream = client(&socket, "CONNECT 7\n", "OK ");
    let mut port = [0; 11];
    stream.read_exact(&mut port).unwrap();
    assert!(port.ends_with(b"\n"), "{port:?}");
    let sent = content();
    let back = echoed(&stream, &sent).unwrap();
    assert!(back == sent, "something else came back");
    stream.write_all(b"\nstop\n").unwrap();
    let _outcome = machine.join().unwrap();
}

#[test]
fn an_address_in_use_is_named_before_the_boot() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("taken");
    let _taken = UnixListener::bind(&socket).unwrap();
    let way = format!("guest:7=unix:{}", socket.display());
    let boot = Boot::machine("echo").with(&["--vsock", &way]);
    let refused = std::panic::catch_unwind(|| boot.run()).unwrap_err();
    let text = refused.downcast_ref::<String>().expect("a sentence");
    assert!(text.contains("cannot listen at unix:"), "{text}");
}
