//! Memory in the order that a realm owes: what is measured, what is claimed, what is shared.

use airlock_cli::cli::{Arguments, Command};
use airlock_cli::measure::compute;
use clap::Parser;
use qemu_tests::{Boot, Verdict, image};

#[test]
fn memory_that_an_older_host_left_empty_is_claimed_before_it_is_used() {
    let _outcome = Boot::realm("hello").monitor(&["ram=image"]).run_ok();
}

#[test]
fn no_boot_argument_acts_before_it_is_measured() {
    let boot = Boot::realm("hello").monitor(&["extend=refuse"]);
    let outcome = boot.with(&["--append", "log=loud bounce=much"]).run();
    let Verdict::PayloadFailed(reason) = &outcome.verdict else {
        panic!("no failure of its own, but: {}", outcome.verdict);
    };
    assert!(reason.contains("boot arguments: "), "{reason}");
    for early in ["log: `loud`", "bounce"] {
        assert!(outcome.console.find(early).is_none(), "{early}");
    }
}

/// What `airlock measure` says about `hello` with these options.
fn rim(options: &[&str]) -> String {
    let file = image("hello");
    let words = [
        "airlock",
        "measure",
        &file.to_string_lossy(),
        "--vmm",
        "monitor",
    ];
    match Arguments::try_parse_from([&words, options].concat()).map(|all| all.command) {
        Ok(Command::Measure(options)) => compute(&options)
            .expect("it can be measured")
            .rim
            .to_string(),
        _ => panic!("these are the arguments of `measure`"),
    }
}

#[test]
fn the_rim_is_what_measure_says_for_other_machines_too() {
    let device = [
        "--device",
        "virtio-rng-pci,disable-legacy=on,iommu_platform=on",
    ];
    let two = ["--qemu-arg", "-smp", "--qemu-arg", "2"];
    for (both, run, measure) in [
        (
            &["--memory", "32M", "--append", "one=1"][..],
            &device[..],
            &[][..],
        ),
        (
            &["--memory", "130M", "--width", "33"],
            &["--net", "none"],
            &[],
        ),
        (
            &["--memory", "64M", "--cpu", "max"],
            &two,
            &["--vcpus", "2"],
        ),
        (&["--memory", "64M", "--monitor", "psci=hvc"], &[], &[]),
    ] {
        let boot = Boot::realm("hello").with(both).with(run);
        // The same image for all of them: `airlock run` would build one with a driver for that device.
        let image = image("hello");
        let outcome = boot.with(&["--image", &image.to_string_lossy()]).run_ok();
        let report = outcome.report.expect("a realm has a report");
        assert_eq!(
            report.rim,
            rim(&[both, measure].concat()),
            "{both:?} {run:?}"
        );
    }
}

#[test]
fn sixteen_disks_share_two_mib_and_the_first_card_and_disk_get_the_most() {
    let folder = tempfile::tempdir().unwrap();
    let disks: Vec<String> = (0..16)
        .map(|number| {
            let path = folder.path().join(format!("{number}.img"));
            let disk = std::fs::File::create(&path).unwrap();
            disk.set_len(16 << 20).unwrap();
            path.to_string_lossy().into_owned()
        })
        .collect();
    let words: Vec<&str> = disks.iter().flat_map(|disk| ["--disk", disk]).collect();
    let boot = Boot::realm("fetch").with(&words);
    let outcome = boot.with(&["--append", "bounce=2M"]).run_ok();
    // The first has what it would like, each other the least that it works with.
    let line = outcome.console.find("0000:00:11.0 44 KiB");
    assert!(line.is_some_and(|line| !line.contains("0000:00:02.0 44 KiB")));
    assert!(outcome.console.find(": not used: ").is_none());
}

#[test]
fn one_source_of_random_bytes_is_enough() {
    let source = "virtio-rng-pci,disable-legacy=on,iommu_platform=on";
    let boot = Boot::realm("doctor").with(&["--device", source, "--device", source]);
    let outcome = boot.run_ok();
    let told = outcome
        .console
        .find(": not used: one of its kind is enough");
    assert!(told.is_some());
}

#[test]
fn each_slot_can_have_pages_of_its_own() {
    let outcome = Boot::realm("fetch")
        .with(&["--append", "bounce=strict"])
        .run_ok();
    assert!(outcome.console.find("payload: ok").is_some());
}
