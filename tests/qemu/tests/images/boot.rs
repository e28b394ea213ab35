//! An image boots, in both worlds, and ends by itself.

use qemu_tests::{Boot, image, total};

#[test]
fn hello_boots_as_a_realm() {
    let outcome = Boot::realm("hello").run_ok();
    let report = outcome.report.expect("a realm has a report");
    assert!(
        total(&report.rsi_calls) >= 2,
        "version and configuration at least"
    );
    assert!(
        total(&report.exits) > 0,
        "a console cannot be written without an exit"
    );
}

#[test]
fn hello_boots_as_a_realm_with_everything_below_four_gigabytes() {
    let outcome = Boot::realm("hello").with(&["--width", "33"]).run_ok();
    assert!(outcome.report.is_some());
}

#[test]
fn the_same_bytes_boot_in_a_plain_machine() {
    // One file for both: `image` builds it once, and neither run changes it.
    let before = std::fs::read(image("hello")).unwrap();
    let realm = Boot::realm("hello").run_ok();
    let machine = Boot::machine("hello").run_ok();
    assert_eq!(std::fs::read(image("hello")).unwrap(), before);
    assert!(realm.report.is_some());
    assert!(
        machine.report.is_none(),
        "there is no monitor in a plain machine"
    );
}

#[test]
fn a_plain_machine_may_be_small_or_large() {
    for memory in ["5M", "4G", "9G"] {
        let boot = Boot::machine("hello").with(&["--memory", memory, "--net", "none"]);
        let _outcome = boot.run_ok();
    }
}
