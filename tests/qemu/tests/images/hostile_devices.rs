//! Devices that the monitor is itself, honest and not.

use std::collections::BTreeSet;

use airlock_cli::attack::{Round, rounds};
use qemu_tests::{Boot, Outcome, Verdict};

use hostile::judge::{self, Excuses, Judge};

const ADDRESS: &str = "ip=10.0.2.15/24,10.0.2.2";

/// The victim on `models` (cards, disks, sources of random bytes, consoles with ports) of the monitor's, with boot
/// arguments.
fn victim(models: &str, append: &str) -> Boot {
    Boot::realm("victim")
        .monitor(&[&format!("models={models}")])
        .with(&["--net", "none", "--append", append, "--timeout", "30s"])
}

fn judged(outcome: &Outcome) -> judge::Outcome {
    let mut judge = Judge::default();
    for line in outcome.console.lines() {
        judge.line(line);
    }
    judge.outcome(Excuses::default())
}

#[test]
fn honest_devices_of_the_monitor_serve_the_kernel_to_the_last_byte() {
    // By which way devices interrupt is no news where all send messages.
    let append = format!("{ADDRESS} log=info,runtime=debug");
    let outcome = victim("1,3,2,1", &append).run_ok();
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
    let port = outcome.console.find("victim: port");
    assert!(
        port.is_some_and(|line| line.contains("accepted=3ff ")),
        "{port:?}"
    );
    let means = outcome
        .console
        .find("interrupts: devices")
        .expect("it is told");
    assert!(
        means.contains("MSI-X 5"),
        "a card, disks, and a console: {means}"
    );
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

#[test]
fn a_console_that_lies_about_its_ports_costs_its_ports_and_nothing_else() {
    for script in [
        "ports.message@3=0x105",
        "ports.extra-message@0=0x7,ports.extra-message@2=0x99",
        "ports.used-length@0=0xffff",
    ] {
        let outcome = attacked(script, &[]);
        assert_eq!(accepted(&outcome, "disk0"), "ffffff", "{script}");
        assert_eq!(accepted(&outcome, "card"), "fff", "{script}");
    }
}

/// The timer, messages of interrupts, and a configuration that never settles: each costs time, or its device.
#[test]
fn interrupts_that_lie_cost_time_and_a_configuration_that_never_settles_its_device() {
    let script = "timer.withhold@2000=0x7d0,timer.early@2100=0,timer.storm@2200=0,disk.vector@3=0x5,\
                  disk.silence@9=0,interrupts.message@2300=0x102,interrupts.flood@2400=0x203";
    let round = last(&attacked(script, &[]));
    assert_eq!((round.outcome.as_str(), round.events), ("ok", 7), "{round}");
    let round = last(&attacked("disk1.restless@0=39", &[]));
    assert!(
        round.why.contains("disk 1") || round.why.contains("configuration"),
        "{round}"
    );
    assert!(round.traps < 200_000, "{round}");
}

/// What a lie is depends on its place and its count alone. When a tick falls does not: QEMU counts
/// instructions a little differently each time, so what lies about memory and interrupts comes between
/// others, and the last of them may come too late.
#[test]
fn a_round_of_random_lies_can_be_told_again() {
    fn told(round: &Round) -> BTreeSet<&str> {
        let by_time = ["interrupts.", "timer.", "window."];
        let lies = round.lies.split(',');
        lies.filter(|lie| by_time.iter().all(|part| !lie.starts_with(part)))
            .collect()
    }
    let round = last(&attacked("random", &["--seed", "36"]));
    let again = last(&attacked(&round.lies, &["--events", "100000"]));
    let (first, second) = (told(&round), told(&again));
    assert!(first.len() > 2 && !again.is_bad(), "{round}");
    assert_eq!(second, first, "{again}, not {round}");
}

/// Rounds of random lies, of which none may come to what must not be, and lies told in them.
fn campaign(count: usize, more: &[&str]) -> u64 {
    let rounds_of = format!("rounds={count}");
    let boot = Boot::realm("victim").with(&["--attack", "random", "--timeout", "300s"]);
    let boot = boot.with(&["--monitor", &rounds_of]).with(more);
    let outcome = boot.attacked();
    let all = rounds(&outcome.console);
    assert_eq!(all.len(), count, "{:?}", outcome.console.lines().last());
    let bad: Vec<_> = all.iter().filter(|round| round.is_bad()).collect();
    assert!(bad.is_empty(), "{bad:?}");
    all.iter().map(|round| round.events).sum()
}

#[test]
fn fifteen_rounds_of_random_lies_come_to_nothing_that_must_not_be() {
    assert!(campaign(15, &["--seed", "20261121"]) > 1500);
}

#[test]
fn ten_rounds_of_random_lies_to_a_plain_machine_come_to_nothing_that_must_not_be() {
    let plain = ["--monitor", "rsi=none", "--monitor", "stage2=open"];
    let lies = campaign(10, &[&["--seed", "20261122"], &plain[..]].concat());
    assert!(lies > 500, "{lies}");
}

#[test]
fn a_sweep_looks_once_and_lies_once_or_twice_a_round_by_devices_that_offer_little_as_well() {
    let more = ["rounds=13", "models=1,1,1,1", "tick=500", "offers=least"];
    let more: Vec<&str> = more
        .iter()
        .flat_map(|option| ["--monitor", option])
        .collect();
    let all = rounds(&attacked("sweep:40", &more).console);
    let (first, rest) = all.split_first().expect("each round is told");
    assert_eq!(
        (first.round.as_str(), first.outcome.as_str()),
        ("honest", "ok"),
        "{first}"
    );
    assert_eq!((rest.len(), first.events), (12, 0));
    for (number, round) in (40..).zip(rest) {
        assert_eq!(round.round, format!("sweep:{number}"));
        assert!(!round.is_bad() && round.events <= 3, "{round}");
    }
    // A tick more or less, and one at the very end is not.
    let told = rest.iter().filter(|round| round.events != 0).count();
    assert!(told >= 10, "{told} of 12 rounds");
}

/// Time is the clock's here, so this is about one disk only.
#[test]
fn a_processor_that_writes_to_the_rings_meanwhile_ends_devices_and_nothing_else() {
    let script: Vec<String> = (0..40)
        .map(|n| {
            format!(
                "window.race@{n}={:#x}",
                1u64 << 63 | (n % 8) << 56 | (n * 0x0100_0011)
            )
        })
        .collect();
    let one = ["--monitor", "race=yes", "--monitor", "models=0,1,0"];
    let outcome = attacked(&script.join(","), &one);
    let round = last(&outcome);
    assert!(round.events > 5, "{round}");
}

/// A campaign that cannot fail shows nothing.
#[test]
fn a_payload_that_believes_the_disk_is_found_out_and_the_lie_that_did_it_is_told() {
    let lies = "card.isr@0=0x7,disk1.content@2=0x99,disk.status@9=0x3";
    let trusting = ["--append", "victim.trust=yes"];
    let boot = Boot::realm("victim").with(&["--attack", lies, "--timeout", "120s"]);
    let outcome = boot.with(&trusting).attacked();
    let Verdict::Attacked(why) = &outcome.verdict else {
        panic!("{}", outcome.verdict)
    };
    assert!(why.contains("corruption"), "{why}");
    let round = last(&outcome);
    assert!(round.lies.contains("disk1.content@2=0x99"), "{round}");
}
