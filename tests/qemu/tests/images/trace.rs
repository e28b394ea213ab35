//! What a realm tells of its crossings, against what QEMU saw.

use std::path::Path;

use airlock_cli::trace::{check::Findings, log::Log};
use qemu_tests::Boot;

fn traced(boot: &Boot, folder: &Path) -> (Log, Findings) {
    let file = folder.join("trace");
    let _ok = boot
        .clone()
        .with(&["--trace", &file.to_string_lossy()])
        .run_ok();
    let read = Log::read(&file).and_then(|log| Ok((log, airlock_cli::trace::check(&file)?)));
    let ((log, fault), found) = read.unwrap_or_else(|error| panic!("{error:#}"));
    assert_eq!(fault, None);
    assert!(log.complete, "the guest said that it was all");
    (log, found)
}

/// 8 MiB over the network to a disk and back: thousands of frames, and a request for each few.
#[test]
fn each_event_has_its_match_in_what_qemu_saw_and_the_other_way_round() {
    let folder = tempfile::tempdir().unwrap();
    let (log, found) = traced(&Boot::realm("fetch"), folder.path());
    assert_eq!(found.wrong, Vec::<String>::new());
    assert!(found.frames > 3000, "{found:?}");
    assert!(found.requests > 100, "{found:?}");
    assert!(log.own.events > 0, "the trace's own frames are counted");
}

/// Thousands of requests, 32 at a time.
#[test]
fn each_of_many_requests_has_its_match() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    std::fs::write(&disk, vec![0x5a; 16 << 20]).unwrap();
    let boot = Boot::realm("bench")
        .with(&["--append", "bench.jobs=read4k-32 bench.count=2000"])
        .with(&["--disk", &disk.to_string_lossy()]);
    let (_, found) = traced(&boot, folder.path());
    assert_eq!(found.wrong, Vec::<String>::new());
    assert!(found.requests >= 2000, "{found:?}");
}

/// A check that is always content shows nothing: without one event, it is not.
#[test]
fn a_trace_without_one_of_its_events_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, found) = traced(&Boot::realm("doctor"), folder.path());
    assert_eq!(found.wrong, Vec::<String>::new());
    let trace = folder.path().join("trace");
    log.events.remove(log.events.len() / 2);
    let found = airlock_cli::trace::check::check(&log, &trace).unwrap();
    assert_ne!(found.wrong, Vec::<String>::new());
}
