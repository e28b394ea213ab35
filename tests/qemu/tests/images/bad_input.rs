//! Bad input from outside: a clear line, a verdict that is not ok, within its deadline.

use qemu_tests::flood::Flood;
use qemu_tests::{Boot, Outcome, Verdict};

/// Within this time the payload has to give up by itself.
const DEADLINE: &str = "60s";

/// Boots it and expects that it fails in its own words; gives them.
fn reason(boot: Boot) -> String {
    let outcome: Outcome = boot.with(&["--timeout", DEADLINE]).run();
    match outcome.verdict {
        Verdict::PayloadFailed(reason) => reason.to_lowercase(),
        other => panic!("no failure of its own, but: {other}"),
    }
}

/// The reason has one of these words: they tell the user where to look.
fn names(reason: &str, words: &[&str]) {
    assert!(
        words.iter().any(|word| reason.contains(word)),
        "`{reason}` names none of {words:?}"
    );
}

#[test]
fn a_server_that_is_not_there_is_told() {
    let reason = reason(Boot::realm("fetch").with(&["--serve", "absent"]));
    names(&reason, &["connect", "refused", "reset"]);
}

#[test]
fn a_wrong_digest_is_told() {
    names(
        &reason(Boot::realm("fetch").with(&["--serve", "wrong-digest"])),
        &["digest", "sha"],
    );
}

#[test]
fn a_server_that_announces_no_digest_is_not_believed() {
    names(
        &reason(Boot::realm("fetch").with(&["--serve", "no-digest"])),
        &["digest", "sha"],
    );
}

#[test]
fn a_file_that_ends_too_early_is_told() {
    let reason = reason(Boot::realm("fetch").with(&["--serve", "short"]));
    names(&reason, &["early", "short", "ended", "closed", "reset"]);
}

#[test]
fn a_server_that_needs_hours_is_not_waited_for() {
    let reason =
        reason(Boot::realm("fetch").with(&["--serve", "slow", "--append", "fetch.deadline=10"]));
    names(&reason, &["within 10 s"]);
}

#[test]
fn a_disk_without_sectors_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("empty.img");
    std::fs::write(&disk, b"").unwrap();
    let reason = reason(Boot::realm("fetch").with(&["--disk", &disk.to_string_lossy()]));
    names(&reason, &["disk", "sector", "capacity", "block"]);
}

#[test]
fn no_disk_at_all_is_told() {
    let boot = Boot::realm("fetch").with(&["--append", "fetch.url=http://10.0.2.2:9/file"]);
    names(&reason(boot), &["disk", "block"]);
}

#[test]
fn a_cable_without_dhcp_is_told() {
    let reason = reason(Boot::realm("fetch").with(&["--net", "unplugged"]));
    names(&reason, &["dhcp", "address", "lease"]);
}

#[test]
fn a_flood_of_frames_does_not_stop_the_clock() {
    let flood = Flood::start().unwrap();
    let reason = reason(Boot::realm("fetch").with(&["--net", flood.network()]));
    names(&reason, &["dhcp", "address", "lease"]);
    assert!(
        flood.sent() > 10_000,
        "{} frames are no flood",
        flood.sent()
    );
}

#[test]
fn a_device_tree_that_is_garbage_ends_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("garbage.dtb");
    let garbage: Vec<u8> = (0..4096_u32)
        .flat_map(|n| n.wrapping_mul(0x9e37_79b9).to_be_bytes())
        .collect();
    std::fs::write(&tree, garbage).unwrap();
    let outcome = Boot::machine("hello")
        .with(&["--device-tree", &tree.to_string_lossy(), "--timeout", "20s"])
        .run();
    // The console and the power switch are in the tree: without it there is nobody to tell.
    assert!(
        !matches!(outcome.verdict, Verdict::Ok),
        "{}",
        outcome.verdict
    );
}
