//! Whether a trace is true: each event has its match in what QEMU saw, and the other way round.

use std::path::Path;

use anyhow::Result;
use audit::{Direction, Purpose};

use crate::trace::log::{Log, Request};
use crate::trace::pcap::Captured;
use crate::trace::seen::{self, Asked, Frames};
use crate::verdict::Verdict;

/// What was compared, and what does not fit.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Frames that match.
    pub frames: usize,
    /// Requests of disks that match.
    pub requests: usize,
    /// Each thing that has no match.
    pub wrong: Vec<String>,
    /// What is not counted against the trace, and why.
    pub notes: Vec<String>,
}

/// How long a frame may be on its way to the guest, in microseconds.
const ON_ITS_WAY: u64 = 50_000;

/// Compares the trace with what lies beside it.
///
/// # Errors
/// A file cannot be read.
pub fn check(log: &Log, path: &Path) -> Result<Findings> {
    let mut findings = Findings::default();
    if log.lost != 0 {
        let lost = log.lost;
        findings.wrong.push(format!("{lost} events were lost"));
    }
    frames(log, &Frames::read(path)?, &mut findings);
    requests(log, &seen::requests(path)?, &mut findings);
    bytes(log, &mut findings);
    Ok(findings)
}

/// Prints findings; the verdict on them.
pub fn told(findings: &Findings) -> Verdict {
    let (frames, requests) = (findings.frames, findings.requests);
    findings
        .notes
        .iter()
        .for_each(|note| println!("trace: {note}"));
    findings
        .wrong
        .iter()
        .for_each(|wrong| println!("trace: {wrong}"));
    println!("trace: {frames} frames and {requests} requests are the same for guest and QEMU");
    match findings.wrong.len() {
        0 => Verdict::Ok,
        wrong => Verdict::HostCheckFailed(format!("the trace is not true: {wrong} findings")),
    }
}

/// Frames, in their order: as many, and as long.
fn frames(log: &Log, seen: &Frames, findings: &mut Findings) {
    let crossings = log.frames();
    for (direction, captured) in [(Direction::Out, &seen.out), (Direction::In, &seen.incoming)] {
        let ours = crossings
            .iter()
            .filter(|one| one.first.direction == direction);
        let ours: Vec<u64> = ours.map(|one| one.len).collect();
        let theirs: Vec<&Captured> = captured
            .iter()
            .filter(|frame| !seen.is_own(frame, direction))
            .collect();
        let lens: Vec<u64> = theirs.iter().map(|frame| u64::from(frame.len)).collect();
        let (name, own) = (direction.name(), captured.len() - theirs.len());
        if own != 0 {
            findings
                .notes
                .push(format!("{own} frames {name} told of the trace itself"));
        }
        // What the image sent when it had told the last of its trace, and what was on its way to it then.
        let spare = lens.len().saturating_sub(ours.len());
        let late = |frame: &&&Captured| {
            let slack = if direction == Direction::In {
                ON_ITS_WAY
            } else {
                0
            };
            seen.end.is_none_or(|end| frame.micros + slack >= end)
        };
        let late = theirs.iter().rev().take_while(late).count().min(spare);
        let came = lens.get(..lens.len() - late).unwrap_or_default();
        if late != 0 {
            let note = format!("{late} frames {name} crossed when the trace had ended");
            findings.notes.push(note);
        }
        compare(name, &ours, came, findings);
    }
}

fn compare(name: &str, ours: &[u64], theirs: &[u64], findings: &mut Findings) {
    let same = ours.iter().zip(theirs).take_while(|(a, b)| a == b).count();
    findings.frames += same;
    if same == ours.len() && same == theirs.len() {
        return;
    }
    findings.wrong.push(format!(
        "frames {name}: the guest has {}, QEMU {}; frame {same} has {:?} bytes for the guest, {:?} for QEMU",
        ours.len(),
        theirs.len(),
        ours.get(same),
        theirs.get(same)
    ));
}

/// Requests, disk by disk, in their order: the same operation on as many sectors.
fn requests(log: &Log, seen: &[(String, Vec<Asked>)], findings: &mut Findings) {
    let ours = log.requests();
    let mut devices: Vec<u8> = ours.iter().map(|request| request.head.device).collect();
    devices.sort_unstable();
    devices.dedup();
    if devices.len() != seen.len() {
        let wrong = format!(
            "{} disks for the guest, {} for QEMU",
            devices.len(),
            seen.len()
        );
        findings.wrong.push(wrong);
    }
    for (device, (_, theirs)) in devices.into_iter().zip(seen) {
        let ours = ours.iter().filter(|request| request.head.device == device);
        let ours: Vec<&Request> = ours.collect();
        let unanswered = ours.iter().filter(|request| request.done.is_none()).count();
        let flushes = ours
            .iter()
            .filter(|request| asked(request).is_none())
            .count();
        if flushes != 0 {
            let note = format!("{flushes} flushes have no data, and QEMU does not log them");
            findings.notes.push(note);
        }
        let ours: Vec<Asked> = ours.into_iter().filter_map(asked).collect();
        let same = ours.iter().zip(theirs).take_while(|(a, b)| a == b).count();
        findings.requests += same;
        if same != ours.len() || same != theirs.len() || unanswered != 0 {
            findings.wrong.push(format!(
                "{}: {} requests for the guest ({unanswered} without an answer), {} for QEMU; \
                 request {same} is {:?} for the guest, {:?} for QEMU",
                log.name(device),
                ours.len(),
                theirs.len(),
                ours.get(same),
                theirs.get(same)
            ));
        }
    }
}

fn asked(request: &Request) -> Option<Asked> {
    let sectors = request.data / 512;
    match request.head.label.purpose {
        Purpose::Read => Some(Asked::Read(sectors)),
        Purpose::Write => Some(Asked::Write(sectors)),
        _ => None,
    }
}

/// Bytes of events, and those that the guest's own counters have.
fn bytes(log: &Log, findings: &mut Findings) {
    let Some(last) = log.samples.last() else {
        findings
            .wrong
            .push("there is no sample of the counters".to_owned());
        return;
    };
    let told: u64 = log.events.iter().map(|event| u64::from(event.len)).sum();
    let pools = last.pools.iter().map(|pool| pool.bytes_out + pool.bytes_in);
    let counted: u64 = pools.sum();
    if told + log.own.bytes != counted {
        findings.wrong.push(format!(
            "events have {told} bytes, the trace itself {}, the counters {counted}",
            log.own.bytes
        ));
    }
}
