//! Devices that the monitor is itself, honest and not.

use qemu_tests::{Boot, Outcome};

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
