//! Images that break the rules: the monitor catches each, and lets the same work pass when it is
//! done as it should be.

use qemu_tests::{Boot, Verdict};

const ENTROPY: &[&str] = &[
    "--device",
    "virtio-rng-pci,disable-legacy=on,iommu_platform=on",
];

fn rogue(way: &str, rule: &str) -> Boot {
    Boot::rogue(&format!("{way}={rule}")).with(ENTROPY)
}

/// Breaking `rule` is caught with `text`; keeping it is not objected to.
fn is_enforced(rule: &str, text: &str) {
    rogue("break", rule).is_caught(text);
    let _outcome = rogue("keep", rule).run_ok();
}

#[test]
fn a_descriptor_with_a_protected_address_is_caught() {
    is_enforced("private-descriptor", "blocked from write");
    let outcome = rogue("break", "private-descriptor").run();
    let report = outcome.report.expect("a realm has a report");
    assert!(qemu_tests::total(&report.smmu_faults) > 0);
}

#[test]
fn a_descriptor_with_a_page_that_was_taken_back_is_caught() {
    is_enforced("stale-descriptor", "blocked from write");
}

#[test]
fn a_device_register_in_the_private_half_is_caught() {
    is_enforced("private-register", "touched in the private half");
}

#[test]
fn a_store_with_write_back_addressing_to_a_device_is_caught() {
    is_enforced("write-back", "no valid syndrome");
}

#[test]
fn code_in_the_shared_half_is_caught() {
    is_enforced("shared-code", "code in the shared half");
}

#[test]
fn the_alias_of_a_private_page_is_caught() {
    is_enforced("alias", "shared alias of private page");
}

#[test]
fn the_private_address_of_a_shared_page_is_caught() {
    is_enforced("empty", "which is not RAM");
}

#[test]
fn a_private_table_for_the_interrupt_controller_is_caught() {
    let tables = [
        "commands",
        "devices",
        "collections",
        "events",
        "lpis",
        "pending",
    ];
    for table in tables {
        is_enforced(&format!("private-{table}"), "table at");
    }
}

#[test]
fn a_device_that_is_closed_to_realms_is_caught() {
    is_enforced("closed-device", "no device for realms");
}

#[test]
fn a_realm_of_33_address_bits_is_watched_alike() {
    let narrow = |way: &str, rule: &str| rogue(way, rule).with(&["--width", "33"]);
    for rule in ["private-register", "stale-descriptor", "alias"] {
        assert!(matches!(
            narrow("break", rule).run().verdict,
            Verdict::Violations(_)
        ));
        let _outcome = narrow("keep", rule).run_ok();
    }
}

/// Without ACCESS_PLATFORM the SMMU does not hold a device, so the monitor keeps it from starting.
#[test]
fn a_device_that_would_go_round_the_smmu_never_gets_a_queue() {
    let device = &["--device", "virtio-rng-pci,disable-legacy=on"];
    let boot = |way: &str| Boot::rogue(&format!("{way}=unsafe-device dma=low")).with(device);
    let allow = &["unsafe-device=allow"];
    boot("break")
        .monitor(allow)
        .is_caught("started without ACCESS_PLATFORM");
    let _outcome = boot("keep").monitor(allow).run_ok();
    // The page stays untouched as well: the payload itself would say `failed`.
    let said = boot("break").monitor(allow).run().console;
    assert!(said.find("payload: ok").is_some());
}

/// The tests above would fail with a monitor that does not enforce: this is one.
#[test]
fn without_enforcement_the_same_images_pass_unseen() {
    for rule in ["private-register", "shared-code", "alias", "empty"] {
        // Pages keep what they held where halves are not kept apart, so nobody can say what is new.
        let boot = rogue("break", rule).unwatched();
        let _outcome = boot.monitor(&["stage2=open"]).run_ok();
    }
}

/// Without the SMMU a device writes into a private page, and only the page itself tells.
#[test]
fn without_the_smmu_a_device_reaches_private_memory() {
    let outcome = rogue("dma=low break", "private-descriptor")
        .monitor(&["smmu=off"])
        .run();
    match outcome.verdict {
        Verdict::PayloadFailed(reason) => {
            assert!(reason.contains("wrote where it may not"), "{reason}")
        }
        other => panic!("the device did not reach the page: {other}"),
    }
}

/// A rogue image with a pool for its device and one for a neighbour.
fn with_pools(way: &str, rule: &str) -> Boot {
    let pools = ["--restricted-dma", "0000:00:01.0=16K@0x46000000"];
    let neighbour = ["--restricted-dma", "0000:00:02.0=16K@0x46010000"];
    rogue(way, rule).with(&pools).with(&neighbour)
}

#[test]
fn a_device_that_is_sent_beside_its_pool_is_caught_with_both_names() {
    for (rule, beside) in [
        ("pool-neighbour", "in the pool of 0000:00:02.0"),
        ("pool-general", "beside its own pool"),
        ("pool-end", "beside its own pool"),
    ] {
        with_pools("break", rule).is_caught(beside);
        with_pools("break", rule).is_caught("device 0000:00:01.0 blocked from write");
        let _outcome = with_pools("keep", rule).run_ok();
    }
}

/// Without the SMMU nobody sees it but the page itself.
#[test]
fn without_enforcement_a_device_goes_beside_its_pool_unseen() {
    for rule in ["pool-neighbour", "pool-general", "pool-end"] {
        let boot = with_pools("dma=low break", rule).monitor(&["smmu=off"]);
        boot.fails_with("wrote where it may not");
    }
}
