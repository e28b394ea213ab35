//! Counters and the trace.

use audit::Keep;
use bounce::{Counters, Direction, Error, Parts, Purpose};
use clock::{Clock, Instant};

use crate::{LOOK, NET, TOLD, pool, region};

#[test]
fn every_copy_is_counted_with_its_direction() {
    let (region, pool, _) = pool();
    let slot = pool.lease(100, 4).unwrap();
    slot.copy_out(0, &[0; 30]).unwrap();
    slot.copy_in(0, &mut [0; 7]).unwrap().opaque(LOOK);
    slot.copy_in(0, &mut [0; 5]).unwrap().opaque(LOOK);
    slot.copy_out(0, &[]).unwrap();
    slot.store_u32(0, 1).unwrap();
    slot.copy_out(99, &[0; 2]).unwrap_err();
    let expected = Counters {
        bytes_out: 30,
        bytes_in: 12,
        copies: 3,
        leases: 1,
        leased: 100,
        high_water: 100,
        size: 4096,
        exhausted: 0,
        shortage: None,
    };
    assert_eq!(pool.counters(), expected);
    assert_eq!(region.counters(), [(NET.into(), expected)]);
}

#[test]
fn the_high_water_mark_stays() {
    let (_region, pool, _) = pool();
    let slots = [pool.lease(1000, 1).unwrap(), pool.lease(500, 1).unwrap()];
    drop(slots);
    let _slot = pool.lease(10, 1).unwrap();
    let counters = pool.counters();
    assert_eq!((counters.leased, counters.high_water), (10, 1500));
    assert_eq!(counters.leases, 3);
}

#[test]
fn an_event_says_when_who_where_how_much_and_which_way() {
    let (region, _, clock) = region(1);
    let slot = region.pool(NET, 4096).unwrap().lease(64, 1).unwrap();
    region.trace().enable(Keep::Copies, 10);
    clock.advance_to(Instant::from_nanos(5000));
    slot.copy_out(3, &[0; 17]).unwrap();
    slot.copy_in(8, &mut [0; 2]).unwrap().opaque(LOOK);
    let out = region.trace().pop().unwrap();
    assert_eq!(
        (out.at, region.trace().name(out.device).as_deref()),
        (Instant::from_nanos(5000), Some(NET))
    );
    assert_eq!((out.address, out.len), (TOLD + 3, 17));
    assert_eq!(out.direction, Direction::Out);
    let back = region.trace().pop().unwrap();
    assert_eq!((back.direction, back.len), (Direction::In, 2));
    assert_eq!(region.trace().pop(), None);
    assert!(clock.now() >= back.at);
}

#[test]
fn a_full_trace_keeps_the_first_events_and_counts_the_others_as_lost() {
    let (region, pool, _) = pool();
    let slot = pool.lease(64, 1).unwrap();
    region.trace().enable(Keep::Copies, 3);
    for len in 1..=5 {
        slot.copy_out(0, &vec![0; len]).unwrap();
    }
    assert_eq!(region.trace().lost(), 2);
    assert_eq!(region.trace().pop().map(|event| event.len), Some(1));
    slot.copy_out(0, &[0; 9]).unwrap();
    let sizes: Vec<_> = std::iter::from_fn(|| region.trace().pop())
        .map(|e| e.len)
        .collect();
    assert_eq!(sizes, [2, 3, 9]);
}

#[test]
fn a_trace_that_is_off_records_nothing_and_loses_nothing() {
    let (region, pool, _) = pool();
    let slot = pool.lease(64, 1).unwrap();
    slot.copy_out(0, &[0; 9]).unwrap();
    region.trace().enable(Keep::Copies, 1);
    region.trace().enable(Keep::Copies, 0);
    slot.copy_out(0, &[0; 9]).unwrap();
    assert!(!region.trace().enabled());
    assert_eq!((region.trace().pop(), region.trace().lost()), (None, 0));
    assert_eq!(pool.counters().copies, 2, "counting goes on");
}

#[test]
fn an_event_says_what_the_slot_was_for() {
    let (region, pool, _) = pool();
    let slot = pool.lease(64, 1).unwrap();
    region.trace().enable(Keep::Runs, 10);
    slot.label(1, 300, Purpose::Frame);
    slot.copy_out(0, &[0; 12]).unwrap();
    slot.copy_out(12, &[0; 30]).unwrap();
    slot.purpose(Purpose::Data);
    slot.copy_out(42, &[0; 4]).unwrap();
    let frame = region.trace().pop().unwrap();
    assert_eq!((frame.len, frame.label.queue), (42, 1));
    assert_eq!(
        (frame.label.slot, frame.label.purpose),
        (300, Purpose::Frame)
    );
    let data = region.trace().pop().unwrap();
    assert_eq!((data.len, data.label.slot), (4, 300));
    assert_eq!(data.label.purpose, Purpose::Data);
}

#[test]
fn what_is_copied_by_parts_is_one_event_and_as_many_copies() {
    for keep in [Keep::Runs, Keep::Copies] {
        let (region, pool, _) = pool();
        let slots = [(); 2].map(|()| pool.lease(64, 1).unwrap());
        region.trace().enable(keep, 10);
        for (slot, purpose) in slots.iter().zip([Purpose::Frame, Purpose::FramePart]) {
            slot.label(0, 7, purpose);
        }
        let (mut parts, mut into) = (Parts::default(), [0; 40]);
        let [first, second] = &slots;
        let header = first.snapshot_part::<12>(0, &mut parts).unwrap();
        let _ = header.any_value(LOOK);
        let part = first.copy_in_part(12, &mut into, &mut parts);
        part.unwrap().opaque(LOOK);
        let part = second.copy_in_part(0, &mut into[..9], &mut parts);
        part.unwrap().opaque(LOOK);
        assert!(second.copy_in_part(60, &mut into, &mut parts).is_err());
        first.note(2, parts);
        let counters = pool.counters();
        assert_eq!((counters.bytes_in, counters.copies), (61, 3));
        let events = std::iter::from_fn(|| region.trace().pop());
        let told: Vec<_> = events
            .map(|e| (e.address - TOLD, e.len, e.label.purpose))
            .collect();
        match keep {
            Keep::Runs => assert_eq!(told, [(2, 61, Purpose::Frame)]),
            _ => {
                let (whole, part) = (Purpose::Frame, Purpose::FramePart);
                assert_eq!(told, [(0, 12, whole), (12, 40, whole), (64, 9, part)]);
            }
        }
    }
}

#[test]
fn each_error_of_a_pool_says_what_was_wanted_and_what_to_do() {
    let texts = [
        (
            Error::Exhausted { wanted: 9 },
            "bounce pool has no 9 free bytes; give more with bounce=SIZE",
        ),
        (
            Error::OutOfBounds { at: 8, len: 4 },
            "access of 4 bytes at offset 8 leaves the slot",
        ),
        (
            Error::Unaligned { at: 3 },
            "word at offset 3 is not aligned",
        ),
    ];
    for (error, text) in texts {
        assert_eq!(error.to_string(), text);
    }
}
