//! A disk that the realm trusts: RMM, host and device are played by the monitor, honestly and not.

use qemu_tests::{Boot, Outcome, Verdict};
use std::path::PathBuf;

/// Where a disk is beside a card, and without one.
const BESIDE: &str = "0000:00:02.0";
const ALONE: &str = "0000:00:01.0";
/// Bytes that the file server has.
const FILE: u64 = 8 << 20;

/// `fetch` with a disk that is to be trusted, and `more`.
fn fetch(more: &[&str]) -> Outcome {
    let boot = Boot::realm("fetch").with(&["--trust-device", BESIDE]);
    boot.with(more).run_ok()
}

/// What the line about a device's copies says: bytes out, bytes in, copies.
fn copied(outcome: &Outcome, device: &str) -> [u64; 3] {
    let label = format!("boundary: {device}: ");
    let line = outcome.console.find(&label).expect("a line for the device");
    let (_, figures) = line.split_once(&label).expect("it was found by that");
    let mut numbers = figures.split(", ").map(|part| {
        let digits = part.split(' ').next().unwrap_or_default();
        digits.parse().expect("a number")
    });
    core::array::from_fn(|_| numbers.next().expect("three numbers"))
}

#[test]
fn a_file_goes_to_a_private_disk_and_back_and_none_of_its_bytes_is_copied_for_that() {
    let outcome = fetch(&[]);
    let [out, back, _] = copied(&outcome, BESIDE);
    // Heads and status bytes of some hundred requests, in private memory.
    assert!(out + back < FILE / 1000, "{out} and {back} bytes");
    assert!(outcome.console.find("its data stays private").is_some());
    // The card is not trusted, and bounces.
    let [_, received, _] = copied(&outcome, "0000:00:01.0");
    assert!(received > FILE, "{received} bytes");
}

#[test]
fn a_slow_host_and_the_older_layout_are_good_as_well() {
    let _outcome = fetch(&["--monitor", "lie=slow", "--monitor", "vdev-info=1.1"]);
    let _outcome = fetch(&["--monitor", "vdev-hash=sha384", "--width", "33"]);
}

#[test]
fn a_device_that_nobody_accepts_stays_shared_and_works() {
    let outcome = fetch(&["--append", "trust=none"]);
    let [out, back, _] = copied(&outcome, BESIDE);
    assert!(out > FILE && back > FILE, "{out} and {back} bytes");
}

/// A disk with nothing on it.
fn disk(folder: &tempfile::TempDir) -> PathBuf {
    let path = folder.path().join("disk.raw");
    std::fs::write(&path, vec![0; 1 << 20]).expect("the folder is ours");
    path
}

/// `doctor`, which looks at the disk, without a network.
fn doctor(disk: &std::path::Path, more: &[&str]) -> Boot {
    let disk = disk.to_string_lossy();
    let boot = Boot::realm("doctor").with(&["--net", "none", "--disk", &disk]);
    boot.with(&["--trust-device", ALONE]).with(more)
}

#[test]
fn each_lie_ends_in_its_own_error_and_the_device_is_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = disk(&folder);
    for (lie, why) in [
        ("swapped", "certificates are not what the RMM saw"),
        ("flipped", "measurements are not what the RMM saw"),
        ("short", "bytes of an object that it said has"),
        ("oversized", "an object of 1073741824 bytes"),
        ("moved", "registers in BAR 4: they leave the BAR"),
        ("elsewhere", "the host rejected a change of state"),
        ("overlapping", "overlaps another"),
        ("unsigned", "the device did not sign them"),
        ("other-firmware", "is to be trusted"),
        ("relock", "behind our back"),
        ("late-relock", "behind our back"),
        ("stalled", "16 calls changed no state"),
        ("not-started", "the device is locked, and should be started"),
        ("unmapped", "took its registers at"),
        ("unlocked", "the device is unlocked, and should be started"),
    ] {
        let outcome = doctor(&disk, &["--monitor", &format!("lie={lie}")]).run();
        let line = outcome.console.find("not trusted: ");
        let line = line.unwrap_or_else(|| panic!("{lie}: trusted"));
        assert!(line.contains(why), "{lie}: {line}");
        let objects = matches!(outcome.verdict, Verdict::Violations(_));
        assert!(!objects, "{lie}: {}", outcome.verdict);
    }
}

#[test]
fn the_key_broker_refuses_a_realm_that_trusts_a_device_which_it_does_not_know() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = disk(&folder).to_string_lossy().into_owned();
    let boot = Boot::realm("keybroker").with(&["--disk", &disk]);
    let boot = boot.with(&["--trust-device", BESIDE]);
    boot.fails_with("the realm trusts a device which the policy does not know");
    // It has a key for the same realm as long as that trusts nothing.
    let _outcome = boot.with(&["--append", "trust=none"]).run_ok();
}
