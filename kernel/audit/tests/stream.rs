//! A stream, from the writer to the decoder, whole, in pieces, and broken.

use audit::wire::{HEAD, Writer};
use audit::{Body, Decoder, Direction, Fault, Frame, Keep, Label, Own, PoolSample, Purpose};
use audit::{QueueSample, Trace};
use clock::Instant;

const NOW: Instant = Instant::from_nanos(77);
const ENTRY: Instant = Instant::from_nanos(5);

fn label(slot: u16) -> Label {
    Label {
        queue: 1,
        slot,
        purpose: Purpose::Data,
    }
}

/// A stream of all kinds of frames, with `count` events.
fn stream(count: u16) -> Vec<u8> {
    let trace = Trace::new();
    trace.enable(Keep::Runs, 4000);
    let device = trace.device("0000:00:01.0");
    for slot in 0..count {
        let at = (device, u64::from(slot) << 12);
        trace.record(at, 9, Direction::In, label(slot), || NOW);
    }
    trace.muted(true, || {
        trace.record((device, 0), 3, Direction::In, label(0), || NOW);
    });
    let (mut out, mut writer) = (Vec::new(), Writer::default());
    writer.events(&mut out, &trace, (NOW, ENTRY), 4000);
    let pool = PoolSample {
        device,
        bytes_out: 1,
        bytes_in: 2,
        copies: 3,
        size: 4,
        leased: 5,
        high_water: 6,
        exhausted: 7,
    };
    let queue = QueueSample {
        device,
        queue: 1,
        in_flight: 2,
        lent: 3,
        high_water: 4,
    };
    writer.sample(&mut out, &trace, NOW, &[pool], &[queue, queue]);
    writer.end(&mut out, &trace, NOW);
    out
}

fn frames(bytes: &[u8], piece: usize) -> Result<Vec<Frame>, Fault> {
    let (mut decoder, mut frames) = (Decoder::new(), Vec::new());
    for bytes in bytes.chunks(piece) {
        decoder.push(bytes);
        while let Some(frame) = decoder.next_frame()? {
            frames.push(frame);
        }
    }
    Ok(frames)
}

#[test]
fn what_was_written_is_read_however_it_is_cut() {
    let bytes = stream(3);
    let whole = frames(&bytes, bytes.len()).unwrap();
    assert_eq!(whole.len(), 4);
    for piece in [1, 7, 31, 33] {
        assert_eq!(frames(&bytes, piece).unwrap(), whole);
    }
    let Body::Devices { entry, names } = &whole[0].body else {
        panic!("{:?}", whole[0]);
    };
    assert_eq!((*entry, &names[..]), (ENTRY, &["0000:00:01.0".into()][..]));
    let Body::Events(events) = &whole[1].body else {
        panic!("{:?}", whole[1]);
    };
    assert_eq!(events.len(), 3);
    assert_eq!((events[2].label, events[2].address), (label(2), 0x2000));
    let Body::Sample {
        own, pools, queues, ..
    } = &whole[2].body
    else {
        panic!("{:?}", whole[2]);
    };
    let counted = Own {
        events: 1,
        bytes: 3,
    };
    assert_eq!((*own, pools[0].exhausted), (counted, 7));
    assert_eq!((queues.len(), queues[1].high_water), (2, 4));
    assert_eq!(whole[3].body, Body::End);
}

#[test]
fn more_events_than_a_frame_holds_wait_for_the_next() {
    let trace = Trace::new();
    trace.enable(Keep::Runs, 8000);
    for slot in 0..5000 {
        let at = (0, u64::from(slot) << 12);
        trace.record(at, 9, Direction::In, label(slot), || NOW);
    }
    let (mut out, mut writer) = (Vec::new(), Writer::default());
    while !trace.is_empty() {
        writer.events(&mut out, &trace, (NOW, ENTRY), usize::MAX);
    }
    let frames = frames(&out, 4096).unwrap();
    let counts = frames.iter().map(|frame| match &frame.body {
        Body::Events(events) => events.len(),
        other => panic!("{other:?}"),
    });
    assert_eq!(counts.collect::<Vec<_>>(), [2730, 2270]);
}

#[test]
fn a_missing_frame_is_named() {
    let bytes = stream(1);
    let second = HEAD + 8 + 13;
    let fault = frames(&bytes[second..], 4096).unwrap_err();
    let missing = Fault::Missing {
        expected: 0,
        found: 1,
    };
    assert_eq!(fault, missing);
}

#[test]
fn a_broken_frame_ends_the_stream_for_good() {
    let good = stream(1);
    let changed = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let at = 0;
    assert_eq!(frames(&changed(0, 0), 99), Err(Fault::NoFrame { at }));
    assert_eq!(
        frames(&changed(4, 9), 99),
        Err(Fault::Version { version: 9 })
    );
    let len = 0x100_0015;
    assert_eq!(frames(&changed(15, 1), 99), Err(Fault::TooLong { at, len }));
    // A name that is longer than what follows.
    let kind = 1;
    assert_eq!(
        frames(&changed(HEAD + 8, 60), 99),
        Err(Fault::Body { at, kind })
    );
    let mut decoder = Decoder::new();
    decoder.push(b"nonsense");
    assert!(decoder.next_frame().is_err());
    decoder.push(&good);
    assert_eq!(decoder.next_frame(), Err(Fault::NoFrame { at: 0 }));
    assert_eq!(decoder.rest(), 0);
}

#[test]
fn a_kind_that_is_not_known_is_skipped() {
    let mut bytes = stream(1);
    bytes[5] = 200;
    let found = frames(&bytes, 5).unwrap();
    assert_eq!(found.len(), 3);
    assert!(matches!(found[0].body, Body::Events(_)));
}

#[test]
fn names_are_printable_whatever_the_guest_calls_its_devices() {
    let trace = Trace::new();
    trace.enable(Keep::Runs, 8);
    trace.device("<b>\u{1b}[2J\"&\n");
    let (mut out, mut writer) = (Vec::new(), Writer::default());
    writer.events(&mut out, &trace, (NOW, ENTRY), 1);
    let frames = frames(&out, 4096).unwrap();
    let Body::Devices { names, .. } = &frames[0].body else {
        panic!("{frames:?}");
    };
    assert_eq!(names[..], ["?b???2J???"]);
}
