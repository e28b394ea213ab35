//! The doctor: all well on a good stack, and with a seeded fault the right row says so.

use airlock_cli::serve::Content;
use qemu_tests::gateway::{BOOT_ARGUMENTS, Gateway, Pings};
use qemu_tests::{Boot, Outcome, Verdict};
use testkit::wire::Manner;

/// A network that a card of our own choice is plugged into.
const NETWORK: [&str; 4] = ["--qemu-arg", "-netdev", "--qemu-arg", "user,id=own"];

/// The doctor with a good disk.
fn doctor(words: &[&str]) -> Outcome {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = folder.path().join("disk.img");
    airlock_cli::disk::create(&disk, 1 << 20).expect("a disk");
    Boot::realm("doctor")
        .with(&["--disk", &disk.to_string_lossy(), "--timeout", "40s"])
        .with(words)
        .run()
}

/// What the machine-readable line says of a row: its outcome, and what is likely to be wrong.
fn row(outcome: &Outcome, name: &str) -> (String, String) {
    let line = outcome
        .console
        .find("doctor: [")
        .expect("the doctor's line");
    let (_, json) = line.split_once("doctor: ").expect("its prefix");
    let rows: serde_json::Value = serde_json::from_str(json).expect("JSON");
    let rows = rows.as_array().expect("rows");
    let row = rows.iter().rfind(|row| row["name"] == name);
    let row = row.unwrap_or_else(|| panic!("no row `{name}` in {json}"));
    let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
    (text("outcome"), text("cause"))
}

/// The doctor is not well, and the row says why.
fn finds(outcome: &Outcome, name: &str, state: &str, cause: &str) {
    match &outcome.verdict {
        Verdict::PayloadFailed(_) => {}
        other => panic!("the doctor found nothing: {other}"),
    }
    let (found, likely) = row(outcome, name);
    assert_eq!(found, state);
    assert!(likely.contains(cause), "`{likely}` does not say `{cause}`");
}

#[test]
fn all_is_well_under_the_monitor() {
    let outcome = doctor(&[]);
    assert_eq!(outcome.verdict, Verdict::Ok, "{}", outcome.verdict);
    for name in [
        "RSI version",
        "RIPAS changes",
        "entropy",
        "timer",
        "address",
        "disk read",
        "shared folder",
        "vsock",
    ] {
        assert_eq!(row(&outcome, name).0, "ok", "{name}");
    }
}

#[test]
fn an_ordinary_machine_is_well_for_what_it_is() {
    let outcome = Boot::machine("doctor").run_ok();
    assert_eq!(row(&outcome, "realm").0, "remark");
    let verdict = "doctor: all is well, for an ordinary machine, which is no realm";
    assert!(outcome.console.find(verdict).is_some());
}

#[test]
fn a_router_that_answers_pings_wrongly_is_a_remark_that_names_the_checksum() {
    let content = Content::generate(1, 1);
    let pings = Pings::Answered(Manner::WrongChecksum);
    let gateway = Gateway::start(pings, &content).expect("ports on loopback");
    let words = ["--net", gateway.network(), "--append", BOOT_ARGUMENTS];
    let outcome = doctor(&words);
    assert_eq!(outcome.verdict, Verdict::Ok, "{}", outcome.verdict);
    assert_eq!(row(&outcome, "router").0, "remark");
    assert!(outcome.console.find("has a wrong checksum").is_some());
}

#[test]
fn a_cpu_without_random_numbers_is_found() {
    finds(
        &doctor(&["--cpu", "cortex-a57"]),
        "entropy",
        "missing",
        "FEAT_RNG",
    );
}

/// The doctor in a realm whose only card is `device`, which the monitor would otherwise refuse.
fn doctor_with_card(device: &str) -> Outcome {
    let words = [
        "--net",
        "none",
        "--device",
        device,
        "--monitor",
        "unsafe-device=allow",
    ];
    doctor(&[&NETWORK[..], &words].concat())
}

#[test]
fn a_card_that_speaks_only_the_legacy_protocol_is_found() {
    let device = "virtio-net-pci,netdev=own,disable-modern=on,disable-legacy=off,romfile=";
    let outcome = doctor_with_card(device);
    finds(&outcome, "network card", "wrong", "disable-legacy=on");
}

#[test]
fn a_card_that_would_go_round_the_shared_region_is_found() {
    let device = "virtio-net-pci,netdev=own,disable-legacy=on,romfile=";
    let outcome = doctor_with_card(device);
    finds(&outcome, "network card", "wrong", "iommu_platform=on");
}

#[test]
fn an_rmm_of_another_major_version_is_found() {
    finds(
        &doctor(&["--monitor", "rsi=2.0"]),
        "RSI version",
        "wrong",
        "no RSI 1.0",
    );
}

#[test]
fn a_refused_change_of_state_is_found() {
    finds(
        &doctor(&["--monitor", "reject=always"]),
        "RIPAS changes",
        "wrong",
        "refuses",
    );
}
