//! More processors: they compute while the first one has the network.

use std::collections::HashSet;

use qemu_tests::{Boot, Outcome};

/// Digests that processors told, with the number of each.
fn digests(outcome: &Outcome) -> Vec<(String, String)> {
    let lines = outcome.console.lines().iter();
    let told = lines.filter_map(|line| line.split_once("hash: processor "));
    told.map(|(_, told)| {
        let (number, rest) = told.split_once(':').expect("a number");
        let digest = rest.rsplit(' ').next().unwrap_or_default();
        (number.to_owned(), digest.to_owned())
    })
    .collect()
}

fn hashes(boot: Boot, cpus: &str) -> Vec<(String, String)> {
    let words = ["--cpus", cpus, "--append", "fetch.hash=4M"];
    // `run_ok` includes that the file came through meanwhile.
    digests(&boot.with(&words).with(&["--timeout", "90s"]).run_ok())
}

#[test]
fn other_processors_of_a_realm_hash_while_the_first_fetches() {
    let told = hashes(Boot::realm("fetch"), "4");
    let numbers: Vec<_> = told.iter().map(|(number, _)| number.as_str()).collect();
    assert_eq!(numbers, ["1", "2", "3"]);
    let (_, first) = &told[0];
    assert_eq!(first.len(), 64);
    assert!(told.iter().all(|(_, digest)| digest == first), "{told:?}");
}

#[test]
fn a_realm_has_up_to_eight_processors() {
    let told = hashes(Boot::realm("fetch"), "8");
    let numbers: Vec<_> = told.iter().map(|(number, _)| number.as_str()).collect();
    assert_eq!(numbers, ["1", "2", "3", "4", "5", "6", "7"]);
}

#[test]
fn a_plain_machine_and_one_processor_do_the_same() {
    let pair = hashes(Boot::machine("fetch"), "2");
    assert_eq!(pair.len(), 1);
    let alone = hashes(Boot::realm("fetch"), "1");
    // The same bytes, by the first processor itself.
    assert_eq!(alone.len(), 1);
    assert_eq!(alone[0].1, pair[0].1);
    assert_eq!((alone[0].0.as_str(), pair[0].0.as_str()), ("0", "1"));
}

#[test]
fn lines_that_processors_print_at_the_same_time_stay_whole() {
    let words = ["--cpus", "4", "--net", "none", "--append", "break=cpu-talk"];
    let outcome = Boot::machine("broken").with(&words).run_ok();
    let lines = outcome.console.lines().iter();
    let whole: HashSet<_> = lines.filter(|line| line.starts_with("talk: ")).collect();
    for speaker in 0..4 {
        for line in 0..500 {
            let text = format!("talk: {speaker} says {line} of 500, to the end");
            assert!(whole.contains(&text), "{text}");
        }
    }
    assert_eq!(whole.len(), 4 * 500);
}
