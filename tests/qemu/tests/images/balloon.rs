//! Memory that goes to the host and comes back, in whole images.

use airlock_cli::qmp::Qmp;
use qemu_tests::{Boot, Outcome};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const MIB: u64 = 1 << 20;
/// Pages of 16 MiB, which the host asks for.
const PAGES: u64 = 4096;
/// How long a guest may take to follow.
const PATIENCE: Duration = Duration::from_secs(30);

/// A machine whose host asks for 16 MiB.
fn asked(boot: Boot) -> Boot {
    boot.with(&["--balloon", "16M", "--net", "none"])
}

fn says(outcome: &Outcome, text: &str) {
    assert!(outcome.console.find(text).is_some(), "no `{text}`");
}

#[test]
fn a_realm_gives_memory_that_becomes_empty_and_has_it_back_when_it_is_short() {
    let outcome = asked(Boot::realm("balloon")).run_ok();
    says(&outcome, "balloon: the host has 16 MiB");
    says(&outcome, "8 blocks came back because memory was short");
    let report = outcome.report.expect("a realm has a report");
    assert_eq!(report.shared_pages_max, report.shared_pages + PAGES);
    assert_eq!(report.pages_taken_back, PAGES);
}

#[test]
fn a_plain_machine_does_the_same_without_an_rmm() {
    let outcome = asked(Boot::machine("balloon")).run_ok();
    says(&outcome, "8 blocks came back because memory was short");
}

/// Where QEMU listens, and a folder that goes with the test.
fn socket() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("socket");
    (folder, path)
}

/// Waits until the guest says that it has so much of its memory.
fn until_left(qmp: &mut Qmp, bytes: u64) {
    let deadline = Instant::now() + PATIENCE;
    while qmp.left().expect("QEMU answers") != bytes {
        assert!(Instant::now() < deadline, "the guest does not follow");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The host takes 16 MiB of `total`, and gives them back; then it does so again, if it is to.
fn takes_and_gives(socket: &Path, total: u64) {
    let mut qmp = Qmp::connect(socket, PATIENCE).expect("QEMU listens");
    until_left(&mut qmp, total - 16 * MIB);
    qmp.leave(total).expect("QEMU has a balloon");
}

#[test]
fn the_host_takes_memory_and_gives_it_back() {
    for (boot, total) in [
        (Boot::realm("balloon"), 128 * MIB),
        (Boot::machine("balloon"), 64 * MIB),
    ] {
        let (_folder, socket) = socket();
        let boot = asked(boot).with(&["--qmp", &socket.to_string_lossy()]);
        let boot = boot.with(&["--append", "back=host"]);
        let machine = boot.start();
        takes_and_gives(&socket, total);
        let outcome = machine.join().expect("it ends well");
        says(&outcome, "balloon: the host gave 16 MiB back");
        says(&outcome, "0 blocks came back because memory was short");
        if let Some(report) = outcome.report {
            assert_eq!(report.pages_taken_back, PAGES);
        }
    }
}

#[test]
fn a_host_gets_no_more_than_the_boot_argument_allows_and_nothing_without_it() {
    let outcome = asked(Boot::realm("balloon"))
        .with(&["--append", "balloon=5M"])
        .run_ok();
    says(&outcome, "balloon: the host has 4 MiB");
    let report = outcome.report.expect("a realm has a report");
    assert_eq!(report.pages_taken_back, 1024);
    let device = "virtio-balloon-pci,disable-legacy=on,iommu_platform=on";
    let outcome = Boot::realm("hello").with(&["--device", device]).run_ok();
    let told = outcome
        .console
        .find("balloon, this image has no driver for it");
    assert!(told.is_some());
    let boot = Boot::realm("doctor").with(&["--device", device]);
    says(
        &boot.run(),
        "balloon, no use for it here: give balloon=SIZE",
    );
}

#[test]
fn what_the_host_keeps_is_not_touched_when_the_image_ends() {
    // It ends while the host has 16 MiB: clearing memory that is out would fault, and the monitor tells.
    let boot = asked(Boot::realm("balloon")).with(&["--append", "back=never"]);
    let outcome = boot.run_ok();
    let report = outcome.report.expect("a realm has a report");
    assert_eq!(
        (report.pages_taken_back, report.shared_pages),
        (0, report.shared_pages_max)
    );
}

#[test]
fn a_block_that_the_host_does_not_give_back_is_lost_and_the_realm_goes_on() {
    let changes = |outcome: &Outcome| {
        let report = outcome.report.as_ref().expect("a realm has a report");
        report.rsi_calls["RSI_IPA_STATE_SET"].as_u64().unwrap_or(0)
    };
    let all = changes(&asked(Boot::realm("balloon")).run_ok());
    // The last eight bring blocks back.
    let first = format!("reject={}", all - 7);
    let outcome = asked(Boot::realm("balloon")).monitor(&[&first]).run_ok();
    says(&outcome, "7 blocks came back because memory was short");
    let report = outcome.report.expect("a realm has a report");
    assert_eq!(report.pages_taken_back, PAGES - 512);
}
