//! Restricted pools: a device is bound to a range, and the log says which.

use qemu_tests::{Boot, Verdict};

fn fetch(pools: &[&str]) -> Boot {
    let words: Vec<&str> = pools
        .iter()
        .flat_map(|pool| ["--restricted-dma", pool])
        .collect();
    Boot::realm("fetch").with(&words)
}

#[test]
fn card_and_disk_work_in_pools_of_their_own() {
    let outcome = fetch(&["0000:00:01.0=2M", "0000:00:02.0=2M@0x46000000"]).run_ok();
    for line in [
        "pool@47e00000 at 0x47e00000-0x47ffffff: 2048 KiB shared, 0000:00:01.0",
        "pool@46000000 at 0x46000000-0x461fffff: 2048 KiB shared, 0000:00:02.0",
    ] {
        assert!(outcome.console.find(line).is_some(), "{line}");
    }
}

#[test]
fn card_and_disk_work_in_one_pool() {
    let pool = |function: &str| format!("0000:00:{function}=3M@0x46000000");
    let outcome = fetch(&[&pool("01.0"), &pool("02.0")]).run_ok();
    let line = "pool@46000000 at 0x46000000-0x462fffff: 3072 KiB shared, 0000:00:01.0";
    assert!(outcome.console.find(line).is_some());
}

#[test]
fn a_pool_that_is_too_small_is_refused_with_the_size_that_would_do() {
    let outcome = fetch(&["0000:00:02.0=4K"]).run();
    assert!(
        matches!(outcome.verdict, Verdict::PayloadFailed(_)),
        "{}",
        outcome.verdict
    );
    let line = "0000:00:02.0: not used: pool@47e00000: reg or size: a pool of 4 KiB is too small";
    assert!(outcome.console.find(line).is_some());
}
