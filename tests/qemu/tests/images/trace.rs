//! What a realm tells of its crossings, against what QEMU saw.

use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::thread;

use airlock_cli::trace::{check::Findings, log::Log};
use audit::Decoder;
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
    assert!(log.own.events > 0, "the trace's own copies are counted");
}

/// The same by TCP, with frames of its own that must not tell of themselves without end.
#[test]
fn a_trace_by_tcp_leaves_its_own_frames_out() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let host = thread::spawn(move || {
        let mut told = Vec::new();
        listener.accept().unwrap().0.read_to_end(&mut told).unwrap();
        told
    });
    let append = format!("trace=stream:tcp://10.0.2.2:{port}");
    let _ok = Boot::realm("fetch").with(&["--append", &append]).run_ok();
    let (mut log, mut decoder) = (Log::default(), Decoder::new());
    decoder.push(&host.join().unwrap());
    log.take_all(&mut decoder).unwrap();
    assert!(log.complete && log.lost == 0, "{} lost", log.lost);
    assert!(log.frames().len() > 3000, "{}", log.frames().len());
    let told: u64 = log.events.iter().map(|event| u64::from(event.len)).sum();
    let pools = &log.samples.last().unwrap().pools;
    let counted: u64 = pools
        .iter()
        .map(|pool| pool.bytes_out + pool.bytes_in)
        .sum();
    assert_eq!(
        told + log.own.bytes,
        counted,
        "every byte is told or its own"
    );
}

#[test]
fn the_main_job_is_told_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let (_, found) = traced(&Boot::realm("keybroker"), folder.path());
    assert_eq!(found.wrong, Vec::<String>::new());
    assert!(found.frames > 10, "{found:?}");
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
