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

#[test]
fn a_file_goes_to_a_disk_that_fetch_itself_asks_and_trusts_or_does_not() {
    let known = airlock_cli::trusted::measurement();
    let asked = |trust: &str| format!("fetch.trust={trust}");
    let outcome = fetch(&["--append", &asked(&format!("sha256:{known}"))]);
    let [out, back, _] = copied(&outcome, BESIDE);
    assert!(out + back < FILE / 1000, "{out} and {back} bytes");
    // Before it was trusted it bounced nothing either.
    assert_eq!(copied(&outcome, &format!("{BESIDE} (shared)")), [0; 3]);
    let outcome = fetch(&["--append", &asked("ask")]);
    let shown = format!("fetch: the disk is sha256:{known}");
    assert!(outcome.console.find(&shown).is_some());
    let [out, back, _] = copied(&outcome, BESIDE);
    assert!(out > FILE && back > FILE, "{out} and {back} bytes");
    let other = asked(&format!("sha256:{}", "0a".repeat(32)));
    let boot = Boot::realm("fetch").with(&["--trust-device", BESIDE]);
    let boot = boot.with(&["--append", &other]);
    boot.fails_with("is to be trusted");
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

/// Lies, and why the device is not trusted then, whoever decides.
const LIES: [(&str, &str); 9] = [
    ("swapped", "certificates are not what the RMM saw"),
    ("moved", "registers in BAR 4: they leave the BAR"),
    ("unsigned", "the device did not sign them"),
    ("relock", "behind our back"),
    ("late-relock", "behind our back"),
    ("stalled", "16 calls changed no state"),
    ("not-started", "the device is locked, and should be started"),
    ("unmapped", "took its registers at"),
    ("unlocked", "the device is unlocked, and should be started"),
];

/// Runs `boot` while the host tells `lie`, and sees that the device is not trusted because of `why`.
fn lied_to(boot: impl FnOnce(&[&str]) -> Boot, lie: &str, why: &str) -> Outcome {
    let outcome = boot(&["--monitor", &format!("lie={lie}")]).run();
    let line = outcome.console.find("not trusted: ");
    let line = line.unwrap_or_else(|| panic!("{lie}: trusted"));
    assert!(line.contains(why), "{lie}: {line}");
    outcome
}

#[test]
fn each_lie_ends_in_its_own_error_and_the_device_is_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = disk(&folder);
    let of_boot = [
        ("flipped", "measurements are not what the RMM saw"),
        ("short", "bytes of an object that it said has"),
        ("oversized", "an object of 1073741824 bytes"),
        ("elsewhere", "the host rejected a change of state"),
        ("overlapping", "overlaps another"),
        ("other-firmware", "is to be trusted"),
    ];
    for (lie, why) in LIES.into_iter().chain(of_boot) {
        let outcome = lied_to(|more| doctor(&disk, more), lie, why);
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

/// An image that asks a disk of the host what it is, and decides as `what` says.
fn asking(disk: &std::path::Path, what: &str, more: &[&str]) -> Boot {
    let (disk, arguments) = (disk.to_string_lossy(), format!("trust=none break={what}"));
    let words = ["--net", "none", "--disk", &disk, "--append", &arguments];
    let boot = Boot::realm("broken").with(&words);
    boot.with(&["--trust-device", ALONE]).with(more)
}

#[test]
fn a_disk_that_its_user_asks_is_refused_while_it_is_used_and_goes_on_shared_until_it_is_trusted() {
    let folder = tempfile::tempdir().expect("a folder");
    let outcome = asking(&disk(&folder), "ask-refuse", &[]).run_ok();
    for line in ["still a disk of the host", "the disk is trusted now"] {
        assert!(outcome.console.find(line).is_some(), "{line}");
    }
}

#[test]
fn a_user_who_trusts_something_else_than_the_disk_is_has_no_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let outcome = asking(&disk(&folder), "ask-mistake", &[]).run_ok();
    assert!(outcome.console.find("nobody has the disk").is_some());
}

#[test]
fn a_disk_that_cannot_prove_anything_is_not_even_brought_to_rest() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = disk(&folder).to_string_lossy().into_owned();
    let words = ["--net", "none", "--disk", &disk, "--append", "break=ask"];
    let words = Boot::realm("broken").with(&words);
    words.fails_with("it does not come to rest");
}

#[test]
fn each_lie_to_a_user_who_asks_ends_in_its_own_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = disk(&folder);
    for (lie, why) in LIES {
        let outcome = lied_to(|more| asking(&disk, "ask", more), lie, why);
        let fails = matches!(outcome.verdict, Verdict::PayloadFailed(_));
        assert!(fails, "{lie}: {}", outcome.verdict);
    }
}
