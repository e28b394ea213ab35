//! Attested key release: a realm proves to the real broker what it is, and gets its key, or does not.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::thread;
use std::time::Duration;

use airlock_cli::cli::{Arguments, Command};
use airlock_cli::measure::{Measurements, compute, rem_of_arguments};
use clap::Parser;
use keybroker::{BrokerConfig, KeyStore, Limits, Server, ServerConfig, test_platform_key};
use qemu_tests::{Boot, Verdict, image};

/// From the start of QEMU to the key in hand.
const STORY: Duration = Duration::from_secs(30);

/// What an image must measure under the monitor, when it is booted with `arguments`.
fn measured(image: &Path, arguments: &str, more: &[&str]) -> Measurements {
    let path = image.to_string_lossy();
    let words = ["airlock", "measure", &path, "--vmm", "monitor"];
    let words = [
        &words,
        &["--memory", "64M", "--append", arguments][..],
        more,
    ]
    .concat();
    match Arguments::try_parse_from(words).map(|arguments| arguments.command) {
        Ok(Command::Measure(options)) => compute(&options).expect("the image can be measured"),
        _ => panic!("these are the arguments of `measure`"),
    }
}

/// A port of the loopback where nobody listens now.
fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it has an address")
}

/// The boot arguments that name the broker at `address`.
fn arguments(address: SocketAddr) -> String {
    format!(
        "keybroker.url=http://10.0.2.2:{} keybroker.key=skywalker",
        address.port()
    )
}

/// A broker at `address` that gives its key to what was measured, and to nothing else.
fn broker(address: SocketAddr, known: &Measurements) -> Server {
    broker_with(address, known, "")
}

/// The same, with more conditions.
fn broker_with(address: SocketAddr, known: &Measurements, more: &str) -> Server {
    let rem1 = known.rem1.expect("the arguments are known");
    let keys = format!(
        "[[key]]\nname = \"skywalker\"\nsecret = \"May the force be with you.\"\n\
         policy = {{ rem1 = \"{rem1}\"{more} }}\n"
    );
    let broker = BrokerConfig {
        reference_values: vec![known.rim.as_bytes().to_vec()],
        platform_keys: vec![test_platform_key()],
        ..BrokerConfig::new(KeyStore::read(&keys).expect("the file is right"))
    };
    let config = ServerConfig {
        address,
        endpoint: None,
        broker,
        limits: Limits::default(),
    };
    Server::start(config).expect("the port is free")
}

fn realm(arguments: &str) -> Boot {
    Boot::realm("keybroker").with(&["--append", arguments, "--timeout", "60s"])
}

/// A realm of the known image, with arguments that the broker knows, on a monitor with these options.
fn release(monitor: &[&str], more: &[&str]) -> qemu_tests::Outcome {
    let address = free();
    let arguments = arguments(address);
    let known = measured(&image("keybroker"), &arguments, more);
    let _server = broker(address, &known);
    let outcome = realm(&arguments).monitor(monitor).run();
    if let Some(report) = &outcome.report {
        assert_eq!(report.rim, known.rim.to_string());
    }
    outcome
}

#[test]
fn a_realm_of_the_known_image_gets_its_key() {
    let outcome = release(&[], &[]);
    assert_eq!(outcome.verdict, Verdict::Ok, "{}", outcome.verdict);
    assert!(outcome.elapsed < STORY, "{:?}", outcome.elapsed);
}

#[test]
fn each_kind_of_token_is_accepted() {
    for (monitor, measure) in [
        (["token=907", "profile=2.0.0"], &[][..]),
        (["token=399", "profile=legacy"], &[]),
        (["token=907", "hash=sha512"], &["--hash", "sha512"]),
    ] {
        let outcome = release(&monitor, measure);
        assert_eq!(outcome.verdict, Verdict::Ok, "{monitor:?}");
    }
}

/// What `keybroker verify` says of the one token in `folder`, after `change`.
fn verify(folder: &Path, change: impl Fn(&mut Vec<u8>)) -> bool {
    let file = std::fs::read_dir(folder)
        .expect("the folder is ours")
        .next();
    let file = file
        .expect("there is a token")
        .expect("it can be seen")
        .path();
    let mut token = std::fs::read(&file).expect("it can be read");
    change(&mut token);
    let changed = folder.with_extension("cbor");
    std::fs::write(&changed, token).expect("there is room");
    let words = ["keybroker", "verify", "--allow-test-platform"].map(OsString::from);
    let words = words.into_iter().chain([changed.into_os_string()]);
    match keybroker::command::Arguments::try_parse_from(words).map(|arguments| arguments.command) {
        Ok(Some(keybroker::command::Command::Verify(options))) => {
            options.verify().expect("it is still a token")
        }
        _ => panic!("these are the arguments of `verify`"),
    }
}

#[test]
fn a_token_of_each_kind_can_be_verified_by_hand() {
    for monitor in [
        ["token=399", "profile=1.0.0"],
        ["token=907", "profile=2.0.0"],
    ] {
        let folder = tempfile::tempdir().expect("there is room");
        let path = folder.path().join("evidence");
        std::fs::create_dir(&path).expect("there is room");
        let boot = Boot::realm("keybroker").monitor(&monitor);
        let _outcome = boot
            .with(&["--dump-evidence", &path.to_string_lossy()])
            .run_ok();
        assert!(verify(&path, |_| ()), "{monitor:?}");
        // The last byte is the end of the realm token's signature.
        assert!(!verify(&path, |token| {
            token.last_mut().into_iter().for_each(|byte| *byte ^= 1);
        }));
    }
}

#[test]
fn the_wrapping_of_the_demonstration_works_too() {
    let address = free();
    let arguments = format!("{} keybroker.alg=RSA1_5", arguments(address));
    let _server = broker(address, &measured(&image("keybroker"), &arguments, &[]));
    let _outcome = realm(&arguments).run_ok();
}

#[test]
fn an_image_with_one_byte_changed_is_no_reference_value() {
    let address = free();
    let arguments = arguments(address);
    let mut bytes = std::fs::read(image("keybroker")).expect("the image was built");
    *bytes.last_mut().expect("it has bytes") ^= 1;
    let folder = tempfile::tempdir().expect("there is room");
    let changed = folder.path().join("changed.img");
    std::fs::write(&changed, bytes).expect("there is room");
    let _server = broker(address, &measured(&changed, &arguments, &[]));
    realm(&arguments).fails_with("the RIM is not a reference value");
}

#[test]
fn other_boot_arguments_are_refused_by_the_tree_in_the_rim_and_by_rem_1() {
    let address = free();
    let arguments = arguments(address);
    let booted = format!("{arguments} log=debug");
    let known = measured(&image("keybroker"), &arguments, &[]);
    let server = broker(address, &known);
    realm(&booted).fails_with("the RIM is not a reference value");
    drop(server);
    // A verifier that takes the RIM of any boot arguments still sees them in REM 1.
    let other = measured(&image("keybroker"), &booted, &[]);
    let rem1 = known.rem1;
    let _server = broker(address, &Measurements { rem1, ..other });
    realm(&booted).fails_with("REM 1 is not what the policy demands");
}

#[test]
fn rem_2_is_what_the_payload_measured() {
    let address = free();
    let arguments = format!("{} keybroker.measure=settings", arguments(address));
    let known = measured(&image("keybroker"), &arguments, &[]);
    let rem2 = rem_of_arguments(known.rim.algorithm(), "settings");
    let server = broker_with(address, &known, &format!(", rem2 = \"{rem2}\""));
    let _outcome = realm(&arguments).run_ok();
    drop(server);
    let other = rem_of_arguments(known.rim.algorithm(), "other settings");
    let _server = broker_with(address, &known, &format!(", rem2 = \"{other}\""));
    realm(&arguments).fails_with("REM 2 is not what the policy demands");
}

#[test]
fn a_platform_that_can_be_debugged_is_refused() {
    let outcome = release(&["lifecycle=0x5001"], &[]);
    let said = outcome.verdict.to_string();
    assert!(
        said.contains("lifecycle 0x5001 (recoverable-debug) is not allowed"),
        "{said}"
    );
}

#[test]
fn a_broker_that_is_not_there_is_told_in_one_line() {
    realm(&arguments(free())).fails_with("the key broker is not there");
}

#[test]
fn a_broker_that_answers_garbage_is_told_in_one_line() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 1024];
            // What the client does is its own affair; the test looks at what it says.
            let _ = stream.read(&mut request);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<garbage>");
        }
    });
    realm(&arguments(address)).fails_with("the key broker answered garbage");
}

#[test]
fn a_token_that_never_comes_costs_a_bounded_time() {
    let outcome = release(&["incomplete=forever"], &[]);
    let said = outcome.verdict.to_string();
    assert!(said.contains("the token is not done after"), "{said}");
    assert!(outcome.elapsed < STORY, "{:?}", outcome.elapsed);
}

#[test]
fn without_hardware_randomness_no_key_is_made() {
    let boot = realm(&arguments(free())).with(&["--cpu", "cortex-a57"]);
    boot.fails_with("no hardware randomness");
}

#[test]
fn a_plain_machine_has_nothing_to_attest() {
    let address = free();
    let arguments = arguments(address);
    let _server = broker(address, &measured(&image("keybroker"), &arguments, &[]));
    let boot = Boot::machine("keybroker").with(&["--append", &arguments, "--timeout", "60s"]);
    boot.fails_with("no attestation");
}
