//! What a RIM depends on, and what is refused.

use super::*;
use crate::cli::{Arguments, Command};
use clap::Parser;
use dtoolkit::fdt::Fdt;
use dtoolkit::model::{DeviceTree, DeviceTreeProperty};
use std::path::Path;

fn options(image: &Path, line: &[&str]) -> MeasureOptions {
    let mut words = vec!["airlock", "measure", image.to_str().unwrap()];
    words.extend(line);
    match Arguments::try_parse_from(words).unwrap().command {
        Command::Measure(options) => *options,
        other => panic!("{other:?}"),
    }
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let mut image = vec![0; 5000];
    image[16..24].copy_from_slice(&0x10_0000_u64.to_le_bytes());
    image[56..60].copy_from_slice(b"ARMd");
    let file = folder.path().join("image");
    std::fs::write(&file, image).unwrap();
    (folder, file)
}

/// The tree of QEMU with EL2 and an SMMU: 512 MiB of which 64 are the monitor's, two processors.
const QEMUS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../kernel/devtree/tests/data/qemu-virt-el2.dtb"
);
const MONITOR: &[&str] = &[
    "--vmm", "monitor", "--memory", "448M", "--vcpus", "2", "--dtb", QEMUS,
];
const LKVM: &[&str] = &["--vmm", "lkvm", "--memory", "64M"];

#[test]
fn one_changed_byte_changes_the_rim() {
    let (_folder, file) = folder();
    let before = compute(&options(&file, MONITOR)).unwrap();
    let mut image = std::fs::read(&file).unwrap();
    image[4999] ^= 1;
    std::fs::write(&file, image).unwrap();
    let after = compute(&options(&file, MONITOR)).unwrap();
    assert_ne!(before.rim, after.rim);
    // The monitor measures the image as it lies in memory: image_size, in pages.
    assert_eq!(before.events.len(), 1 + 224 + 256 + 1 + 1);
}

/// QEMU's tree with these words on its kernel command line.
fn told(arguments: &str) -> (tempfile::TempDir, PathBuf) {
    let bytes = std::fs::read(QEMUS).unwrap();
    let mut tree = DeviceTree::from_fdt(&Fdt::new(&bytes).unwrap());
    let text = format!("{arguments}\0");
    let property = DeviceTreeProperty::new("bootargs", text.as_bytes()).unwrap();
    tree.root
        .child_mut("chosen")
        .unwrap()
        .add_property(property);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("qemus.dtb");
    std::fs::write(&file, tree.to_dtb()).unwrap();
    (folder, file)
}

#[test]
fn boot_arguments_change_rem_1_and_the_tree_in_the_rim() {
    let (_folder, image) = folder();
    let with = |arguments: &str, append| {
        let (_tree, tree) = told(arguments);
        let mut line = options(&image, &[MONITOR, &["--append", append]].concat());
        line.dtb = Some(tree);
        compute(&line).unwrap()
    };
    let (one, other) = (with("a=1", "a=1"), with("a=2", "a=2"));
    assert_ne!(one.rim, other.rim);
    assert_ne!(one.rem1, other.rem1);
    // What the monitor is told is not the guest's.
    let noise = with("monitor.content=noise -- a=1", "a=1");
    assert_eq!((noise.rim, noise.rem1), (one.rim, one.rem1));
    assert_ne!(with("monitor.psci=hvc -- a=1", "a=1").rim, one.rim);
}

#[test]
fn lkvm_needs_the_host_s_debug_registers_and_the_device_tree() {
    let (_folder, file) = folder();
    let error = |line: &[&str]| {
        let error = compute(&options(&file, line)).unwrap_err();
        error.to_string()
    };
    assert!(error(LKVM).contains("--bps"));
    let line = [LKVM, &["--bps", "5", "--wps", "3"]].concat();
    assert!(error(&line).contains("--dump-dtb"));
}

/// The tree of a realm under lkvm: 256 MiB, one processor.
const TREE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../kernel/devtree/tests/data/lkvm-realm.dtb"
);

fn with_tree(more: &[&str]) -> Result<Measurements> {
    let (_folder, file) = folder();
    let usual = ["--vmm", "lkvm", "--dtb", TREE, "--bps", "5", "--wps", "3"];
    compute(&options(&file, &[&usual, more].concat()))
}

#[test]
fn lkvm_s_own_tree_gives_a_rim() {
    let arguments = ["--memory", "256M", "--append", "root=/dev/vda rw"];
    let newest = with_tree(&arguments).unwrap();
    assert_eq!(newest.events.len(), 1 + 128 + 2 + 16 + 1);
    let all = " console=ttyS0 root=/dev/vda rw ";
    let rem1 = rem_of_arguments(Algorithm::Sha256, all);
    assert_eq!(newest.rem1, Some(rem1));
    let old = with_tree(&[&arguments[..], &["--lkvm-order", "old"]].concat());
    assert_ne!(old.unwrap().rim, newest.rim);
}

#[test]
fn a_tree_of_another_machine_is_refused() {
    for (line, why) in [
        (&["--memory", "128M"][..], "268435456 bytes of memory"),
        (&["--memory", "256M", "--vcpus", "2"], "1 processors, not 2"),
        (
            &["--memory", "256M", "--append", "debug"],
            "do not end in `debug`",
        ),
        (
            &["--memory", "256M", "--initrd", TREE],
            "initial file system",
        ),
    ] {
        let error = format!("{:#}", with_tree(line).unwrap_err());
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn the_rules_and_the_hash_change_the_rim() {
    let (_folder, file) = folder();
    let rim = |more: &[&str]| {
        let line = [MONITOR, more].concat();
        compute(&options(&file, &line)).unwrap().rim
    };
    assert_ne!(rim(&[]), rim(&["--rmm", "2.0"]));
    assert_eq!(rim(&["--hash", "sha512"]).as_bytes().len(), 64);
    assert_ne!(rim(&[]), rim(&["--bps", "4"]));
}

#[test]
fn numbers_that_no_register_holds_are_refused() {
    for (option, bad) in [
        ("--bps", "40"),
        ("--wps", "16"),
        ("--pmu-counters", "32"),
        ("--sve-vl", "99"),
    ] {
        let words = ["airlock", "measure", "image", "--vmm", "monitor"];
        let words = [&words[..], &["--memory", "64M", option, bad]].concat();
        let error = Arguments::try_parse_from(words).unwrap_err().to_string();
        assert!(error.contains(option) && error.contains(bad), "{error}");
    }
}

#[test]
fn blanks_around_boot_arguments_are_trimmed_as_run_does() {
    let (_folder, file) = folder();
    let rem1 = |append| {
        let (_tree, tree) = told(append);
        let mut line = options(&file, &[MONITOR, &["--append", append]].concat());
        line.dtb = Some(tree);
        compute(&line).unwrap().rem1
    };
    assert_eq!(rem1(" a=1  b=2 "), rem1("a=1  b=2"));
    assert_ne!(rem1("a=1  b=2"), rem1("a=1 b=2"));
}

#[test]
fn a_tree_with_random_seeds_is_warned_of_by_name() {
    let (folder, file) = folder();
    let seeded = folder.path().join("seeded.dtb");
    let warned = |names: &[&str]| {
        let dtb = folder.path().join("seeded.dtb");
        std::fs::write(&dtb, tree_with_seeds(names)).unwrap();
        let line = ["--vmm", "qemu", "--memory", "64M", "--dtb"];
        let line = [&line[..], &[seeded.to_str().unwrap()]].concat();
        warnings(&options(&file, &line)).unwrap()
    };
    assert_eq!(warned(&[]), [""; 0]);
    let both = warned(&["kaslr-seed", "rng-seed"]);
    assert_eq!(both.len(), 2);
    assert!(both[0].contains("/chosen/kaslr-seed") && both[0].contains("dtb-randomness=off"));
    assert!(both[1].contains("/chosen/rng-seed"));
}

/// A tree whose `/chosen` has seeds of these names.
fn tree_with_seeds(names: &[&str]) -> Vec<u8> {
    use dtoolkit::model::{DeviceTree, DeviceTreeNode, DeviceTreeProperty};
    let mut chosen = DeviceTreeNode::new("chosen").unwrap();
    for name in names {
        chosen.add_property(DeviceTreeProperty::new(*name, [1_u8; 8]).unwrap());
    }
    let mut tree = DeviceTree::new();
    tree.root.add_child(chosen);
    tree.to_dtb()
}

#[test]
fn reference_values_have_the_form_of_the_demonstration() {
    let digest = Algorithm::Sha256.hash(b"abc");
    let json: serde_json::Value = serde_json::from_str(&reference_values(&[digest])).unwrap();
    assert_eq!(
        json["reference-values"][0],
        "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
    );
}
