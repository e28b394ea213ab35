//! A promise of our own that breaks is told in plain words, and ends the machine.

use qemu_tests::{Boot, Verdict};

fn broken(what: &str) -> Boot {
    let arguments = format!("break={what}");
    Boot::machine("broken").with(&["--append", &arguments, "--net", "none", "--timeout", "20s"])
}

#[test]
fn a_stack_that_overflows_is_called_by_its_name() {
    broken("stack").fails_with("the stack overflowed");
}

#[test]
fn a_panic_says_where_and_why() {
    broken("panic").fails_with("tests/broken/src/main.rs");
    broken("panic").fails_with("as asked");
}

#[test]
fn a_panic_and_a_fault_say_who_called() {
    for (what, line) in [
        ("panic", "panic!(\"as asked\")"),
        ("nothing", "read_nothing()"),
    ] {
        let source = include_str!("../../../broken/src/main.rs");
        let number = source.lines().position(|text| text.contains(line));
        let place = format!("tests/broken/src/main.rs:{}", number.map_or(0, |n| n + 1));
        let callers = broken(what).run().callers;
        let text: Vec<_> = callers.iter().map(ToString::to_string).collect();
        assert!(
            text.iter().any(|caller| caller.starts_with(&place)),
            "{place}: {text:#?}"
        );
        let outermost = text.last().map(String::as_str).unwrap_or_default();
        assert!(outermost.contains("kernel/arch/src/entry.rs"), "{text:#?}");
    }
}

#[test]
fn constants_cannot_be_written() {
    broken("constants").fails_with("not allowed there");
}

#[test]
fn data_cannot_be_executed() {
    broken("data").fails_with("instruction fetch");
}

#[test]
fn nothing_is_mapped_at_address_0() {
    broken("nothing").fails_with("read of 0x10: nothing is mapped there");
}

#[test]
fn an_undefined_instruction_is_told_as_one() {
    broken("instruction").fails_with("undefined instruction");
}

#[test]
fn what_breaks_on_another_processor_ends_the_machine_and_is_told() {
    let two = |what| broken(what).with(&["--cpus", "2"]);
    two("cpu-panic").fails_with("as asked, elsewhere");
    two("cpu-fault").fails_with("undefined instruction");
    two("cpu-stack").fails_with("the stack overflowed");
}

#[test]
fn a_payload_can_end_while_another_processor_takes_the_lock_all_the_time() {
    for cpus in ["2", "4"] {
        let _outcome = broken("cpu-busy").with(&["--cpus", cpus]).run_ok();
    }
}

#[test]
fn a_fault_ends_a_realm_whose_tree_names_the_wrong_call() {
    let outcome = Boot::realm("broken")
        .monitor(&["psci=hvc"])
        .with(&["--append", "break=nothing", "--net", "none"])
        .with(&["--timeout", "20s"])
        .run();
    assert!(matches!(outcome.verdict, Verdict::PayloadFailed(_)));
    assert!(outcome.report.is_some(), "it powers off by itself");
}

#[test]
fn memory_is_copied_set_compared_and_summed_right_on_the_target() {
    let outcome = broken("copies").run_ok();
    for what in ["copies", "sums"] {
        let line = outcome.console.find(&format!("{what}: "));
        assert!(
            line.is_some_and(|line| line.ends_with("cases right")),
            "{what}"
        );
    }
}

#[test]
fn a_payload_that_only_waits_is_woken_by_the_timer() {
    let _ = broken("sleep").run_ok();
}
