//! An RMM that answers badly: the realm says so in one line and ends. It never hangs.

use qemu_tests::Boot;

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
    lied_to("progress=zero").fails_with("progress");
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
fn another_major_version_ends_the_realm() {
    lied_to("rsi=2.0").fails_with("version");
}

#[test]
fn an_ipa_width_of_nothing_ends_the_realm() {
    lied_to("ipa=0").fails_with("width");
}

#[test]
fn an_ipa_width_too_small_for_the_image_ends_the_realm() {
    lied_to("ipa=20").fails_with("width");
}

#[test]
fn an_ipa_width_beyond_the_architecture_ends_the_realm() {
    lied_to("ipa=60").fails_with("width");
}
