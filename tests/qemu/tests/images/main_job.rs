//! The main jobs: a key for a proof; and a file over the network, onto a disk, and back.

use qemu_tests::{Boot, Outcome, all_images};
use std::time::Duration;

/// What one net and one block device may share.
const SHARED: u64 = 4 << 20;
/// Bytes that an image may have.
const IMAGE: u64 = 2_000_000;
/// The same for two of them, as they are released. Whoever needs more says why (docs/decisions/065).
const BOUNDS: [(&str, u64); 2] = [("hello", 218_000), ("fetch", 420_000)];
/// Time for the whole job, after the build.
const JOB: Duration = Duration::from_secs(30);

/// `make run`, as it is. `run_ok` includes that the monitor measured what `airlock measure` says.
#[test]
fn a_key_arrives_between_lines_of_the_bounce_trace() {
    let outcome = Boot::realm("keybroker").run_ok();
    let lines = outcome.console.lines();
    let said = |text: &str| lines.iter().position(|line| line.contains(text));
    let steps = [
        "Requesting key named 'skywalker' from the keybroker server with URL http://",
        "swiotlb_bounced: dev_name: 0000:00:01.0 dev_addr=",
        "Challenge (64 bytes) = ",
        "Submitting evidence to URL http://",
        "The key returned from the keybroker is 'May the force be with you.'",
        "made the RSA key",
    ];
    let mut at = 0;
    for text in steps {
        let next = lines.iter().skip(at).position(|line| line.contains(text));
        at += next.unwrap_or_else(|| panic!("nobody said `{text}` after line {at}"));
    }
    let last_traced = lines
        .iter()
        .rposition(|line| line.contains("swiotlb_bounced"));
    assert!(
        last_traced > said("Submitting evidence"),
        "the answer came unseen"
    );
    assert!(outcome.elapsed < JOB, "{:?}", outcome.elapsed);
}

/// Runs the job. `run_ok` includes that the host found the file on the disk.
fn fetch(boot: &Boot) -> Outcome {
    boot.clone().with(&["--timeout", "60s"]).run_ok()
}

#[test]
fn a_realm_fetches_a_file_and_stores_it() {
    let outcome = fetch(&Boot::realm("fetch"));
    assert!(outcome.elapsed < JOB, "{:?}", outcome.elapsed);
    let report = outcome.report.expect("a realm has a report");
    assert!(
        report.shared_bytes() <= SHARED,
        "{} bytes are shared",
        report.shared_bytes()
    );
}

#[test]
fn a_plain_machine_does_the_same_job() {
    let outcome = fetch(&Boot::machine("fetch"));
    assert!(outcome.elapsed < JOB, "{:?}", outcome.elapsed);
}

#[test]
fn thirty_two_megabytes_are_enough() {
    let _outcome = fetch(&Boot::realm("fetch").with(&["--memory", "32M"]));
}

#[test]
fn devices_may_use_addresses_without_the_shared_bit() {
    let boot = Boot::realm("fetch")
        .monitor(&["dma=low"])
        .with(&["--append", "dma=low"]);
    let _outcome = fetch(&boot);
}

#[test]
fn pages_full_of_noise_after_a_change_of_half_do_no_harm() {
    let _outcome = fetch(&Boot::realm("fetch").monitor(&["content=noise"]));
}

/// Whether images are built otherwise than they are released: quickly, and larger.
fn are_quick_builds() -> bool {
    let settings = ["LTO", "CODEGEN_UNITS", "OPT_LEVEL"];
    let mut keys = settings
        .map(|key| format!("CARGO_PROFILE_IMAGE_{key}"))
        .into_iter();
    keys.any(|key| std::env::var_os(key).is_some())
}

#[test]
fn images_are_small() {
    for path in all_images() {
        let bytes = path.metadata().unwrap().len();
        let name = path.file_stem().unwrap_or_default();
        let bound = BOUNDS.iter().find(|(payload, _)| name == *payload);
        let bound = bound.filter(|_| !are_quick_builds());
        let most = bound.map_or(IMAGE, |(_, most)| *most);
        assert!(
            bytes <= most,
            "{} has {bytes} bytes, more than {most}",
            path.display()
        );
    }
}
