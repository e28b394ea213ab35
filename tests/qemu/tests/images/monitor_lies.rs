//! An RMM that answers badly: the realm says so in one line and ends. It never hangs.

use qemu_tests::{Boot, Verdict};

fn lied_to(option: &str) -> Boot {
    Boot::realm("hello")
        .monitor(&[option])
        .with(&["--timeout", "30s"])
}

#[test]
fn a_refused_change_of_state_ends_the_realm() {
    lied_to("reject=always").fails_with("reject");
}

#[test]
fn one_refused_change_is_enough() {
    lied_to("reject=1").fails_with("reject");
}

#[test]
fn a_change_of_state_that_does_not_move_ends_the_realm() {
    lied_to("progress=zero").fails_with("changed no state");
}

#[test]
fn a_change_of_state_in_single_pages_is_carried_on() {
    let outcome = Boot::realm("hello").monitor(&["progress=page"]).run_ok();
    let calls = &outcome.report.expect("a realm has a report").rsi_calls;
    assert!(qemu_tests::total(calls) > 1000, "{calls}");
}

#[test]
fn a_newer_minor_version_is_good() {
    let _outcome = lied_to("rsi=1.1").run_ok();
}

#[test]
fn a_tree_of_an_ordinary_machine_does_not_talk_the_realm_out_of_being_one() {
    let outcome = lied_to("psci=hvc").run_ok();
    assert!(outcome.console.find(" in a realm: ").is_some());
}

#[test]
fn another_major_version_ends_the_realm() {
    lied_to("rsi=2.0").fails_with("RSI 2.0");
}

/// The width says where the console is. Without one to believe there is nobody to tell: the realm
/// powers off, and `airlock` tells.
fn ends_in_silence(option: &str) {
    let outcome = lied_to(option).run();
    assert!(
        matches!(outcome.verdict, Verdict::NoVerdict(_)),
        "{}",
        outcome.verdict
    );
    assert_eq!(
        outcome
            .report
            .expect("it powers off by itself")
            .shared_pages,
        0
    );
}

#[test]
fn an_ipa_width_of_nothing_ends_the_realm() {
    ends_in_silence("ipa=0");
}

#[test]
fn an_ipa_width_too_small_for_the_image_ends_the_realm() {
    ends_in_silence("ipa=20");
}

#[test]
fn an_ipa_width_beyond_the_architecture_ends_the_realm() {
    ends_in_silence("ipa=60");
}
