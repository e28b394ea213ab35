//! The leak oracle: six planted leaks are found by name, and the same work done right is not objected to.
//! That nothing of what is shipped leaks, every other test here says: they all run with it.

use qemu_tests::{Boot, Verdict};

const ENTROPY: &[&str] = &[
    "--device",
    "virtio-rng-pci,disable-legacy=on,iommu_platform=on",
];
/// «leak-key», of which the image may send no byte.
const KEY: &str = "secret=release:6c65616b2d6b6579";

fn leak(way: &str, name: &str) -> Boot {
    let boot = Boot::rogue(&format!("{way}=leak-{name}")).with(ENTROPY);
    boot.monitor(&[KEY])
}

/// The leak is found with `text`, its page and its device; without the mistake nothing is.
fn is_found(name: &str, text: &str) {
    match leak("break", name).run().verdict {
        Verdict::Violations(list) => {
            let said = |line: &String| {
                let words = [text, " in shared page 0x4", ", of device 0000:00:01.0"];
                words.iter().all(|word| line.contains(word))
            };
            assert!(list.iter().any(said), "{list:?}");
        }
        other => panic!("{name}: nothing was found: {other}"),
    }
    let outcome = leak("keep", name).run_ok();
    assert!(outcome.console.find("monitor: oracle: ").is_some());
}

#[test]
fn a_slot_that_is_not_cleared_is_found() {
    is_found("slot", "leak: 24 bytes that were not cleared");
}

#[test]
fn padding_is_found_with_the_place_that_it_comes_from() {
    is_found("padding", "leak: stale private memory of 0x443");
}

#[test]
fn a_length_that_is_too_long_is_found() {
    is_found("length", "leak: 8 bytes behind the 24 that were told");
}

#[test]
fn an_old_ring_is_found() {
    is_found("ring", "leak: 8 bytes of an old ring");
}

#[test]
fn a_stale_heap_is_found_with_the_place_that_it_comes_from() {
    is_found("heap", "leak: stale private memory of 0x443");
}

#[test]
fn a_secret_is_found_by_its_name() {
    is_found("key", "leak: the secret `release`");
}

/// It is the oracle that finds them.
#[test]
fn without_the_oracle_the_same_images_pass_unseen() {
    for name in ["slot", "heap"] {
        let _outcome = leak("break", name).unwatched().run_ok();
    }
}
