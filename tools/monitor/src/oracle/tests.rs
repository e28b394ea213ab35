//! Claims about what is seen, on a page of rings and some of slots.

extern crate std;
use std::cell::{Cell, RefCell};
use std::format;
use std::string::String;
use std::vec::Vec;

use super::*;
use crate::layout::{GRANULE, GUEST_RAM};

/// Shared memory, and where its parts are.
const BASE: u64 = 0x4600_0000;
const RINGS: u64 = BASE;
const AVAILABLE: u64 = RINGS + 0x100;
const USED: u64 = RINGS + 0x200;
const SLOTS: u64 = BASE + GRANULE;
const PAGES: u64 = 4;
const STREAM: u32 = 8;

/// A driver that does what it is told, right or wrong, and an oracle.
struct Rig {
    memory: Plain,
    oracle: Oracle,
    added: u16,
    next: u16,
}

struct Plain {
    bytes: RefCell<Vec<u8>>,
    /// After so many looks at its used index the device gives back the chain of this head.
    late: Cell<Option<(usize, u8)>>,
}

impl Memory for Plain {
    fn read(&self, address: u64, bytes: &mut [u8]) -> Option<()> {
        if address == USED + 2 {
            self.look_at_device();
        }
        let start = size(address.checked_sub(BASE)?);
        bytes.copy_from_slice(self.bytes.borrow().get(start..start + bytes.len())?);
        Some(())
    }
    fn resolve(&self, told: u64) -> u64 {
        told & !(1 << 40)
    }
}

impl Plain {
    fn look_at_device(&self) {
        let Some((left, head)) = self.late.get() else {
            return;
        };
        self.late.set(left.checked_sub(1).map(|left| (left, head)));
        if left == 0 {
            self.write(USED + 4, &[head]);
            self.write(USED + 2, &[1]);
        }
    }

    fn write(&self, address: u64, bytes: &[u8]) {
        let start = size(address - BASE);
        self.bytes.borrow_mut()[start..start + bytes.len()].copy_from_slice(bytes);
    }
}

impl Rig {
    /// A queue of 8 entries in clear memory.
    fn new() -> Self {
        Self::before_start().started()
    }

    fn before_start() -> Self {
        let mut oracle = Oracle::new(Secrets::default(), |_| 0);
        oracle.share(BASE..BASE + PAGES * GRANULE);
        Self {
            memory: Plain {
                bytes: RefCell::new(std::vec![0; size(PAGES * GRANULE)]),
                late: Cell::new(None),
            },
            oracle,
            added: 0,
            next: 0,
        }
    }

    fn started(mut self) -> Self {
        let queue = Queue::new((STREAM, 1), [RINGS, AVAILABLE, USED], 8);
        self.oracle.start(queue, &self.memory);
        self
    }

    /// Adds a chain of `(address, length, whether the device writes)`.
    fn add(&mut self, runs: &[(u64, u32, bool)]) {
        let head = self.next;
        for (n, (address, len, writable)) in runs.iter().enumerate() {
            let id = self.next % 8;
            self.next = (self.next + 1) % 8;
            let more = n + 1 < runs.len();
            let flags = u64::from(more) | u64::from(*writable) << 1;
            let rest = u64::from(*len) | flags << 32 | u64::from(self.next) << 48;
            let at = RINGS + 16 * u64::from(id);
            self.memory.write(at, &(address | 1 << 40).to_le_bytes());
            self.memory.write(at + 8, &rest.to_le_bytes());
        }
        let entry = AVAILABLE + 4 + 2 * u64::from(self.added % 8);
        self.memory.write(entry, &head.to_le_bytes());
        self.added += 1;
        self.memory.write(AVAILABLE + 2, &self.added.to_le_bytes());
    }

    fn send(&mut self, slot: u64, content: &[u8], len: u32) {
        self.memory.write(slot, content);
        self.add(&[(slot, len, false)]);
    }

    /// The device gives everything back.
    fn complete(&self) {
        self.memory.write(USED + 2, &self.added.to_le_bytes());
    }

    fn look(&mut self) -> Vec<String> {
        self.oracle.look(&self.memory);
        self.told()
    }

    fn told(&mut self) -> Vec<String> {
        self.oracle
            .take()
            .iter()
            .map(|leak| format!("{leak}"))
            .collect()
    }

    fn finish(&mut self) -> Vec<String> {
        self.oracle.finish(&self.memory, |_| false);
        self.told()
    }
}

#[test]
fn honest_work_is_not_objected_to() {
    let mut rig = Rig::new();
    for round in 0..40_u8 {
        let len = 10 + usize::from(round) * 3 % 50;
        let out = std::vec![round | 1; len];
        // A shorter content leaves the end of a longer one, which the device has seen.
        rig.send(
            SLOTS + 64 * u64::from(round % 3),
            &out,
            u32::try_from(len).unwrap(),
        );
        rig.add(&[(SLOTS + 0x800, 64, true), (SLOTS + 0x840, 1, true)]);
        assert_eq!(rig.look(), Vec::<String>::new());
        rig.memory.write(SLOTS + 0x800, &[round; 64]);
        rig.complete();
    }
    assert_eq!(rig.finish(), Vec::<String>::new());
    let tally = rig.oracle.tally();
    assert_eq!((tally.chains, tally.missed, tally.pages), (80, 0, PAGES));
}

#[test]
fn bytes_behind_what_was_told_are_found_with_their_slot() {
    let mut rig = Rig::new();
    rig.send(SLOTS, &[1; 40], 30);
    let line = "leak: 10 bytes behind the 30 that were told are in shared page 0x46001000 at offset 0x1e, of device 0000:00:01.0";
    assert_eq!(rig.look(), [line]);
}

/// What is prepared in the next slot is not behind this one.
#[test]
fn what_is_prepared_for_later_is_judged_when_it_is_told() {
    let mut rig = Rig::new();
    rig.memory.write(SLOTS + 64, &[2; 64]);
    rig.send(SLOTS, &[1; 64], 64);
    assert_eq!(rig.look(), Vec::<String>::new());
    rig.add(&[(SLOTS + 64, 60, false)]);
    assert_eq!(rig.look().len(), 1);
}

#[test]
fn a_buffer_that_is_lent_uncleared_is_found() {
    let mut rig = Rig::new();
    rig.memory.write(SLOTS + 100, &[5; 3]);
    rig.add(&[(SLOTS, 512, true)]);
    let line = rig.look();
    assert!(
        line[0].starts_with("leak: 3 bytes that were not cleared"),
        "{line:?}"
    );
}

/// A device may look without being called, and is done when the monitor looks.
#[test]
fn what_a_fast_device_wrote_is_its_own() {
    let mut rig = Rig::new();
    rig.add(&[(SLOTS, 512, true)]);
    rig.memory.write(SLOTS, &[5; 3]);
    rig.complete();
    assert_eq!(rig.look(), Vec::<String>::new());
    assert_eq!(rig.finish(), Vec::<String>::new());
}

/// It has written by then, and not yet said so.
#[test]
fn what_a_device_writes_that_was_not_called_is_its_own_and_counted() {
    for looks in [1, 2, 5000] {
        let mut rig = Rig::new();
        rig.add(&[(SLOTS, 512, true)]);
        rig.memory.write(SLOTS, &[5; 3]);
        rig.memory.late.set(Some((looks, 0)));
        assert_eq!(rig.look(), Vec::<String>::new());
        assert_eq!(rig.oracle.tally().missed, 1);
        assert_eq!(rig.finish(), Vec::<String>::new());
    }
}

/// It has not begun with the second chain, which is not clear.
#[test]
fn what_a_device_gives_back_excuses_no_other_chain() {
    for looks in [1, 2, 5000] {
        let mut rig = Rig::new();
        rig.add(&[(SLOTS, 64, true)]);
        rig.memory.write(SLOTS + 64, &[5; 3]);
        rig.add(&[(SLOTS + 64, 64, true)]);
        rig.memory.late.set(Some((looks, 0)));
        assert_eq!(rig.look().len(), 1);
        assert_eq!(rig.oracle.tally().missed, 0);
    }
}

#[test]
fn an_old_ring_is_found_when_the_queue_starts() {
    let rig = Rig::before_start();
    rig.memory.write(RINGS + 16, &[5; 8]);
    let mut rig = rig.started();
    let line = rig.told();
    assert!(
        line[0].starts_with("leak: 8 bytes of an old ring"),
        "{line:?}"
    );
}

#[test]
fn stale_memory_is_found_in_what_is_told_and_at_the_end_anywhere() {
    let mut rig = Rig::new();
    let stale = seed(GUEST_RAM + 0x10_0000).to_le_bytes();
    rig.send(SLOTS + 7, &stale, 8);
    let line = rig.look();
    assert!(
        line[0].starts_with("leak: stale private memory of 0x44100000 is in"),
        "{line:?}"
    );
    // Over the end of a page, in memory that the device wrote.
    let mut rig = Rig::new();
    rig.add(&[(SLOTS, 0x2000, true)]);
    assert_eq!(rig.look(), Vec::<String>::new());
    rig.memory.write(SLOTS + GRANULE - 3, &stale);
    assert_eq!(rig.finish().len(), 1);
}

#[test]
fn bytes_that_nobody_was_told_are_found_at_the_end() {
    let mut rig = Rig::new();
    rig.memory.write(SLOTS + 2 * GRANULE, &[1, 0, 2]);
    let line = rig.finish();
    assert!(
        line[0].starts_with("leak: 1 bytes that nobody was told are in shared page 0x46003000"),
        "{line:?}"
    );
}

/// A device that is fast gives a chain back before it was read; its descriptors are another's by then.
#[test]
fn what_could_not_be_read_is_counted_and_nobody_is_accused() {
    let mut rig = Rig::new();
    rig.send(SLOTS, &[1; 60], 60);
    rig.complete();
    rig.next = 0;
    rig.send(SLOTS, &[2; 20], 20);
    assert_eq!(rig.look(), Vec::<String>::new());
    assert_eq!(rig.oracle.tally().missed, 1);
    assert_eq!(rig.finish(), Vec::<String>::new());
    // From then on it is looked at again.
    rig.send(SLOTS, &[3; 50], 20);
    assert_eq!(rig.look().len(), 1);
}

#[test]
fn rings_that_lie_between_two_slots_are_not_of_the_first() {
    let mut rig = Rig::new();
    let (rings, next_slot) = (SLOTS + GRANULE, SLOTS + 2 * GRANULE);
    let others = Queue::new((STREAM, 0), [rings, rings + 0x100, rings + 0x200], 8);
    rig.oracle.start(others, &rig.memory);
    rig.send(next_slot, &[1; 40], 40);
    assert_eq!(rig.look(), Vec::<String>::new());
    // Two contents of one slot before somebody looks: what is behind it is taken for told.
    rig.send(SLOTS, &[2; 50], 50);
    rig.complete();
    rig.send(SLOTS, &[3; 40], 40);
    assert_eq!(rig.look(), Vec::<String>::new());
    assert_eq!(rig.oracle.tally().missed, 1);
    rig.complete();
    // The driver asks for an event, as it may at any time.
    rig.memory.write(rings + 0x114, &[7]);
    rig.send(SLOTS, &[4; 50], 50);
    assert_eq!(rig.look(), Vec::<String>::new());
    assert_eq!(rig.finish(), Vec::<String>::new());
}
