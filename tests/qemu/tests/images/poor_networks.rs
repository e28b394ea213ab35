//! Networks that do less than a network should, and still are enough.

use airlock_cli::serve::Content;
use qemu_tests::gateway::{BOOT_ARGUMENTS, Gateway, Pings};
use qemu_tests::{Boot, Outcome};
use std::time::Duration;
use testkit::wire::Manner;

/// Bytes of the file: enough for some windows of TCP.
const FILE: usize = 200_000;

/// `fetch` in a plain machine behind a router that has its own way with pings.
fn fetch(pings: Pings) -> Outcome {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = folder.path().join("disk.img");
    airlock_cli::disk::create(&disk, 1 << 20).expect("a disk");
    let content = Content::generate(1, FILE);
    let gateway = Gateway::start(pings, &content).expect("ports on loopback");
    let boot = Boot::machine("fetch").with(&["--net", gateway.network()]);
    let outcome = boot
        .with(&[
            "--append",
            BOOT_ARGUMENTS,
            "--disk",
            &disk.to_string_lossy(),
        ])
        .run_ok();
    let stored = airlock_cli::disk::read_start(&disk, FILE).expect("the disk");
    assert!(
        stored[..] == content.bytes[..],
        "the disk holds another file"
    );
    outcome
}

#[test]
fn a_router_whose_echo_has_a_wrong_checksum_is_good_enough_to_fetch_a_file() {
    let outcome = fetch(Pings::Answered(Manner::WrongChecksum));
    assert!(outcome.console.find("wrong checksum").is_some());
}

#[test]
fn a_router_that_never_answers_pings_is_good_enough_to_fetch_a_file() {
    let outcome = fetch(Pings::Answered(Manner::Silent));
    assert!(outcome.console.find("does not answer a ping").is_some());
}

#[test]
fn a_router_that_answers_pings_too_late_is_good_enough_to_fetch_a_file() {
    let outcome = fetch(Pings::Late(Duration::from_millis(2500)));
    assert!(outcome.console.find("does not answer a ping").is_some());
}
