//! Devices that the monitor is itself, honest and not.

use std::collections::BTreeSet;

use airlock_cli::attack::{Round, rounds};
use qemu_tests::{Boot, Outcome, Verdict};

use hostile::judge::{self, Judge};

const ADDRESS: &str = "ip=10.0.2.15/24,10.0.2.2";

/// The victim on `models` (cards, disks, sources of random bytes) of the monitor's.
fn victim(models: &str) -> Boot {
    Boot::realm("victim")
        .monitor(&[&format!("models={models}")])
        .with(&["--net", "none", "--append", ADDRESS, "--timeout", "30s"])
}

fn judged(outcome: &Outcome) -> judge::Outcome {
    let mut judge = Judge::default();
    for line in outcome.console.lines() {
        judge.line(line);
    }
    judge.outcome(false, false)
}

#[test]
fn honest_devices_of_the_monitor_serve_the_kernel_to_the_last_byte() {
    let outcome = victim("1,3,2").run_ok();
    assert_eq!(judged(&outcome), judge::Outcome::Ok);
    for device in ["disk0", "disk1", "disk2"] {
        let line = outcome.console.find(device).expect("each disk is told of");
        assert!(line.contains("accepted=ffffff "), "{line}");
    }
    let card = outcome
        .console
        .find("victim: card")
        .expect("so is the card");
    assert!(card.contains("accepted=fff "), "{card}");
}

/// The victim while everything lies as `script` says.
fn attacked(script: &str, more: &[&str]) -> Outcome {
    let boot = Boot::realm("victim").with(&["--attack", script, "--timeout", "120s"]);
    let outcome = boot.with(more).attacked();
    assert_eq!(outcome.verdict, Verdict::Ok, "{}", outcome.verdict);
    outcome
}

fn last(outcome: &Outcome) -> Round {
    rounds(&outcome.console).pop().expect("the round is told")
}

/// What the victim accepted of `device`, as it says it.
fn accepted<'o>(outcome: &'o Outcome, device: &str) -> &'o str {
    let start = format!("victim: {device} accepted=");
    let line = outcome
        .console
        .find(&start)
        .expect("each device is told of");
    line.trim_start_matches(&start)
        .split(' ')
        .next()
        .unwrap_or_default()
}

#[test]
fn a_disk_that_lies_is_stopped_and_the_others_go_on() {
    let outcome = attacked("disk.used-id@2=0xffffffff", &[]);
    let round = last(&outcome);
    assert!(
        round.why.contains("disk 0: the disk broke the rules"),
        "{round}"
    );
    assert_eq!(
        (accepted(&outcome, "disk0"), accepted(&outcome, "disk1")),
        ("3", "ffffff")
    );
    assert_eq!(accepted(&outcome, "card"), "fff");
}

#[test]
fn a_request_that_is_never_completed_costs_its_deadline_and_nothing_else() {
    let outcome = attacked("disk1.withhold@4=0", &[]);
    let round = last(&outcome);
    assert!(
        round.why.contains("did not answer within its deadline"),
        "{round}"
    );
    assert_eq!(
        (accepted(&outcome, "disk0"), accepted(&outcome, "disk2")),
        ("ffffff", "ffffff")
    );
}

#[test]
fn a_request_that_was_not_done_is_an_error_and_the_next_one_is_none() {
    let outcome = attacked(
        "disk.failure@2=0,disk.short@5=0x200",
        &["--append", "victim.trust=yes"],
    );
    assert_eq!(last(&outcome).events, 2);
    let steps = u64::from_str_radix(accepted(&outcome, "disk0"), 16).expect("bits");
    assert_eq!((steps.count_ones(), steps & 7), (22, 3), "{steps:x}");
}

/// What a lie is depends on its place and its count alone. When a tick falls does not: QEMU counts
/// instructions a little differently each time, so what lies about memory and interrupts comes between
/// others, and the last of them may come too late.
#[test]
fn a_round_of_random_lies_can_be_told_again() {
    let round = last(&attacked("random", &["--seed", "12"]));
    let told: BTreeSet<&str> = round.lies.split(',').collect();
    assert!(told.len() > 10, "{round}");
    let again = last(&attacked(&round.lies, &["--events", "100000"]));
    let retold: BTreeSet<&str> = again.lies.split(',').collect();
    assert!(!again.is_bad() && retold.is_subset(&told), "{again}");
    assert!(retold.len() + 3 > told.len(), "{again}, not {round}");
}

#[test]
fn fifteen_rounds_of_random_lies_come_to_nothing_that_must_not_be() {
    let more = ["--seed", "20261121", "--monitor", "rounds=15"];
    let outcome = attacked("random", &more);
    let all = rounds(&outcome.console);
    assert_eq!(all.len(), 15);
    let bad: Vec<_> = all.iter().filter(|round| round.is_bad()).collect();
    assert!(bad.is_empty(), "{bad:?}");
    assert!(all.iter().map(|round| round.events).sum::<u64>() > 1500);
}
