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
fn a_device_whose_driver_is_not_in_the_image_is_left_alone_and_named_with_the_feature_that_it_takes()
 {
    let image = image("hello");
    let source = "virtio-rng-pci,disable-legacy=on,iommu_platform=on";
    let boot = Boot::realm("hello").with(&["--image", &image.to_string_lossy()]);
    let outcome = boot.with(&["--device", source]).run_ok();
    for (what, feature) in [
        ("network card", "net"),
        ("source of random bytes", "entropy"),
    ] {
        let line = format!(
            "{what}, this image has no driver for it: build its payload with the feature `{feature}`"
        );
        assert!(
            outcome.console.find(&line).is_some(),
            "`{line}` is not there"
        );
    }
    let report = outcome.report.expect("a realm has a report");
    assert_eq!(report.regions.get("pci_memory").map_or(0, total), 0);
}

#[test]
fn a_disk_that_an_image_without_evidence_is_told_to_trust_does_not_become_one_of_the_host() {
    let image = image("fetch");
    let image = image.to_string_lossy();
    let trust = ["--trust-device", "0000:00:02.0", "--image", &image];
    let boot = Boot::realm("fetch").with(&trust);
    boot.fails_with("there is no disk");
}

#[test]
fn a_plain_machine_may_be_small_or_large() {
    for memory in ["5M", "4G", "9G"] {
        let boot = Boot::machine("hello").with(&["--memory", memory, "--net", "none"]);
        let _outcome = boot.run_ok();
    }
}
