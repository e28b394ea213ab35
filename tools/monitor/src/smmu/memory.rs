//! Memory that the SMMU reads and writes by itself.

use core::sync::atomic::{AtomicU64, Ordering};

use super::Event;
use crate::layout::{DOORBELL_PAGE, GRANULE, GUEST_RAM, MAX_GRANULES, Space};
use crate::stage2::{ENTRIES, Leaves, MIDDLES, Table, address_of};

/// Streams: every function of bus 0.
pub(super) const STREAMS_LOG2: u64 = 8;
/// Entries of the command queue.
pub(super) const COMMANDS_LOG2: u64 = 8;
/// Entries of the event queue. A blocked transfer of 4 KiB makes 1025 records.
pub(super) const EVENTS_LOG2: u64 = 12;

const STREAM_WORDS: usize = 8;
const COMMAND_WORDS: usize = 2;
const EVENT_WORDS: usize = 4;

const TABLE: u64 = 0b11;
/// A page: valid, memory attribute 0, read and write for all, inner shareable, accessed, no execution.
const PAGE: u64 = 0x0060_0000_0000_0f43;
/// Stream table entry: valid, stage 1 only.
const STREAM_STAGE_1: u64 = 0xb;
/// Cacheable, inner shareable fetches of the context; incoming shareability.
const STREAM_ATTRIBUTES: u64 = 0x1000_0000_00d4;
/// Context: valid, AArch64, faults are recorded and end the transaction, 44 bits of output, ASID 1.
const CONTEXT: u64 = 0x0001_e204_c000_3500;
/// Attribute 0 is write-back memory.
const CONTEXT_ATTRIBUTES: u64 = 0xff;

/// Tables and queues of the SMMU.
#[repr(C)]
pub struct Memory {
    pub(super) events: Events,
    pub(super) streams: Streams,
    pub(super) commands: Commands,
    context: Context,
    root: Table,
    /// Second table of a walk that starts at level 0: for the low and for the high addresses.
    uppers: [Table; 2],
    middles: [Table; MIDDLES],
    doorbell_middle: Table,
    doorbell: Table,
    leaves: Leaves,
}

#[repr(C, align(131072))]
pub(super) struct Events([AtomicU64; EVENT_WORDS << EVENTS_LOG2]);
#[repr(C, align(16384))]
pub(super) struct Streams([AtomicU64; STREAM_WORDS << STREAMS_LOG2]);
#[repr(C, align(4096))]
pub(super) struct Commands([AtomicU64; COMMAND_WORDS << COMMANDS_LOG2]);
#[repr(C, align(64))]
struct Context([AtomicU64; 8]);

impl Memory {
    /// Nothing is mapped, nothing is queued.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            events: Events([const { AtomicU64::new(0) }; EVENT_WORDS << EVENTS_LOG2]),
            streams: Streams([const { AtomicU64::new(0) }; STREAM_WORDS << STREAMS_LOG2]),
            commands: Commands([const { AtomicU64::new(0) }; COMMAND_WORDS << COMMANDS_LOG2]),
            context: Context([const { AtomicU64::new(0) }; 8]),
            root: Table::new(),
            uppers: [const { Table::new() }; 2],
            middles: [const { Table::new() }; MIDDLES],
            doorbell_middle: Table::new(),
            doorbell: Table::new(),
            leaves: Leaves([const { AtomicU64::new(0) }; MAX_GRANULES]),
        }
    }

    /// Links everything for `space`: shared pages at low addresses, at high ones, or both.
    pub(super) fn link(&self, space: Space, low: bool, high: bool) {
        self.link_streams(space);
        self.link_leaves();
        for (shared, memory) in [(false, low), (true, high)] {
            let gib = if shared { space.shared_bit() >> 30 } else { 0 };
            let table = self.level_1(space, shared);
            // Devices of either kind of address have to reach the doorbell.
            put(table, gib, address_of(&self.doorbell_middle) | TABLE);
            for (middle, n) in self.middles.iter().zip(1..) {
                put(
                    table,
                    gib + n,
                    if memory {
                        address_of(middle) | TABLE
                    } else {
                        0
                    },
                );
            }
        }
    }

    /// The table whose entries are GiBs: a narrow walk starts there.
    fn level_1(&self, space: Space, shared: bool) -> &Table {
        if space.width() == 33 {
            return &self.root;
        }
        let [low, high] = &self.uppers;
        let (upper, address) = if shared {
            (high, space.shared_bit())
        } else {
            (low, 0)
        };
        put(&self.root, address >> 39, address_of(upper) | TABLE);
        upper
    }

    fn link_streams(&self, space: Space) {
        let context = address_of(&self.context);
        for stream in self.streams.0.chunks_exact(STREAM_WORDS) {
            set(stream, 0, context | STREAM_STAGE_1);
            set(stream, 1, STREAM_ATTRIBUTES);
        }
        set(&self.context.0, 0, CONTEXT | u64::from(64 - space.width()));
        set(&self.context.0, 1, address_of(&self.root));
        set(&self.context.0, 3, CONTEXT_ATTRIBUTES);
    }

    fn link_leaves(&self) {
        let blocks = (GUEST_RAM - (1 << 30)) >> 21;
        for (leaves, block) in self.leaves.0.chunks_exact(ENTRIES).zip(blocks..) {
            let middle = usize::try_from(block)
                .ok()
                .and_then(|b| self.middles.get(b / ENTRIES));
            if let Some(middle) = middle {
                put(middle, block, address_of(leaves) | TABLE);
            }
        }
        put(
            &self.doorbell_middle,
            DOORBELL_PAGE >> 21,
            address_of(&self.doorbell) | TABLE,
        );
        put(&self.doorbell, DOORBELL_PAGE >> 12, DOORBELL_PAGE | PAGE);
    }

    pub(super) fn map(&self, granule: usize) {
        set(
            &self.leaves.0,
            granule,
            (GUEST_RAM + granule as u64 * GRANULE) | PAGE,
        );
    }

    pub(super) fn unmap(&self, granule: usize) {
        set(&self.leaves.0, granule, 0);
    }

    /// Writes `command` where the queue's producer index `at` points.
    pub(super) fn put_command(&self, at: u64, command: [u64; 2]) {
        let first = index(at, COMMANDS_LOG2) * COMMAND_WORDS;
        for (word, value) in (first..).zip(command) {
            set(&self.commands.0, word, value);
        }
    }

    /// Takes the record that the queue's consumer index `at` points to, if there is one.
    pub(super) fn take_event(&self, at: u64) -> Option<Event> {
        let first = index(at, EVENTS_LOG2) * EVENT_WORDS;
        let word = |n: usize| {
            self.events
                .0
                .get(first + n)
                .map_or(0, |w| w.load(Ordering::Acquire))
        };
        let event = Event::decode([word(0), word(1), word(2)])?;
        set(&self.events.0, first, 0);
        Some(event)
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

fn index(at: u64, log2: u64) -> usize {
    usize::try_from(at & ((1 << log2) - 1)).unwrap_or(0)
}

fn set(words: &[AtomicU64], at: usize, value: u64) {
    if let Some(word) = words.get(at) {
        word.store(value, Ordering::Release);
    }
}

/// Sets entry `number`, taken modulo the entries of a table.
fn put(table: &Table, number: u64, value: u64) {
    set(&table.0, index(number, 9), value);
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::boxed::Box;
    use std::vec::Vec;

    use super::*;

    fn memory() -> &'static Memory {
        let big = std::thread::Builder::new().stack_size(64 << 20);
        big.spawn(|| &*Box::leak(Box::new(Memory::new())))
            .unwrap()
            .join()
            .unwrap()
    }

    fn entry(words: &[AtomicU64], at: u64) -> u64 {
        words[usize::try_from(at).unwrap()].load(Ordering::Relaxed)
    }

    /// Walks as the SMMU does; gives the leaf.
    fn walk(memory: &'static Memory, width: u32, address: u64) -> Option<u64> {
        let mut tables: Vec<&[AtomicU64]> = [&memory.doorbell, &memory.doorbell_middle]
            .into_iter()
            .chain(&memory.uppers)
            .chain(&memory.middles)
            .map(|table| &table.0[..])
            .collect();
        tables.extend(memory.leaves.0.chunks_exact(ENTRIES));
        let find = |pointer: u64| tables.iter().find(|t| address_of(**t) | TABLE == pointer);
        let mut table: &[AtomicU64] = &memory.root.0;
        let first = if width == 41 { 39 } else { 30 };
        for shift in (21..=first).rev().step_by(9) {
            table = find(entry(table, address >> shift & 511))?;
        }
        Some(entry(table, address >> 12 & 511))
    }

    #[test]
    fn a_page_stands_where_the_options_say_and_the_doorbell_in_both_places() {
        for width in [33, 41] {
            for (low, high) in [(true, false), (false, true), (true, true)] {
                let memory = memory();
                let space = Space::new(width).unwrap();
                memory.link(space, low, high);
                for granule in [0, 0x3_c001, MAX_GRANULES - 1] {
                    let page = GUEST_RAM + granule as u64 * GRANULE;
                    memory.map(granule);
                    let seen = |address| walk(memory, width, address) == Some(page | PAGE);
                    assert_eq!(seen(page), low, "{width} {page:#x}");
                    assert_eq!(seen(page | space.shared_bit()), high, "{width} {page:#x}");
                    memory.unmap(granule);
                    assert!(!seen(page) && !seen(page | space.shared_bit()));
                }
                for address in [DOORBELL_PAGE, DOORBELL_PAGE | space.shared_bit()] {
                    assert_eq!(walk(memory, width, address), Some(DOORBELL_PAGE | PAGE));
                }
            }
        }
    }

    #[test]
    fn a_record_is_taken_once() {
        let memory = memory();
        memory.events.0[4].store(0x8_0000_0010, Ordering::Relaxed);
        assert_eq!(memory.take_event(0), None);
        assert_eq!(memory.take_event(1).map(|event| event.stream), Some(8));
        assert_eq!(memory.take_event(1), None);
    }
}
