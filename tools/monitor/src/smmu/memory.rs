//! Memory that the SMMU reads and writes by itself.

use core::sync::atomic::{AtomicU64, Ordering};

use super::tree::{Tree, set};
use super::{Event, View};
use crate::layout::Space;
use crate::options::MOST_POOLS as MOST;
use crate::stage2::address_of;

/// Streams: every function of bus 0.
pub(super) const STREAMS_LOG2: u64 = 8;
/// Entries of the command queue.
pub(super) const COMMANDS_LOG2: u64 = 8;
/// Entries of the event queue. A blocked transfer of 4 KiB makes 1025 records.
pub(super) const EVENTS_LOG2: u64 = 12;

const STREAM_WORDS: usize = 8;
const COMMAND_WORDS: usize = 2;
const EVENT_WORDS: usize = 4;
const CONTEXT_WORDS: usize = 8;
/// One for each [`View`].
const VIEWS: usize = 3 + MOST;

/// Stream table entry: valid, stage 1 only.
const STREAM_STAGE_1: u64 = 0xb;
/// Cacheable, inner shareable fetches of the context; incoming shareability.
const STREAM_ATTRIBUTES: u64 = 0x1000_0000_00d4;
/// Context: valid, AArch64, faults are recorded and end the transaction, 44 bits of output.
const CONTEXT: u64 = 0x0000_e204_c000_3500;
const CONTEXT_ASID: u32 = 48;
/// Attribute 0 is write-back memory.
const CONTEXT_ATTRIBUTES: u64 = 0xff;

/// Tables and queues of the SMMU.
#[repr(C)]
pub struct Memory {
    pub(super) events: Events,
    pub(super) streams: Streams,
    pub(super) commands: Commands,
    contexts: [Context; VIEWS],
    /// Shared pages, and private ones.
    pub(super) shared: Tree,
    pub(super) private: Tree,
    /// Shared pages of each pool.
    pools: [Tree; MOST],
    /// No page at all.
    nothing: crate::stage2::Table,
}

#[repr(C, align(131072))]
pub(super) struct Events([AtomicU64; EVENT_WORDS << EVENTS_LOG2]);
#[repr(C, align(16384))]
pub(super) struct Streams([AtomicU64; STREAM_WORDS << STREAMS_LOG2]);
#[repr(C, align(4096))]
pub(super) struct Commands([AtomicU64; COMMAND_WORDS << COMMANDS_LOG2]);
#[repr(C, align(64))]
struct Context([AtomicU64; CONTEXT_WORDS]);

impl Memory {
    /// Nothing is mapped, nothing is queued.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            events: Events([const { AtomicU64::new(0) }; EVENT_WORDS << EVENTS_LOG2]),
            streams: Streams([const { AtomicU64::new(0) }; STREAM_WORDS << STREAMS_LOG2]),
            commands: Commands([const { AtomicU64::new(0) }; COMMAND_WORDS << COMMANDS_LOG2]),
            contexts: [const { Context([const { AtomicU64::new(0) }; CONTEXT_WORDS]) }; VIEWS],
            shared: Tree::new(),
            private: Tree::new(),
            pools: [const { Tree::new() }; MOST],
            nothing: crate::stage2::Table::new(),
        }
    }

    /// Does something to the tables of pool `number`.
    pub(super) fn in_pool(&self, number: usize, change: impl FnOnce(&Tree)) {
        if let Some(pool) = self.pools.get(number) {
            change(pool);
        }
    }

    /// Links everything for `space`: shared pages at low addresses, at high ones, or both; private
    /// ones at low addresses. Every stream sees what is shared.
    pub(super) fn link(&self, space: Space, low: bool, high: bool) {
        self.shared.link(space, low, high);
        self.private.link(space, true, false);
        let roots = [
            self.shared.root(),
            self.private.root(),
            address_of(&self.nothing),
        ];
        self.pools
            .iter()
            .for_each(|pool| pool.link(space, low, high));
        let roots = roots.into_iter().chain(self.pools.iter().map(Tree::root));
        for ((context, root), number) in self.contexts.iter().zip(roots).zip(1..) {
            let width = u64::from(64 - space.width());
            set(&context.0, 0, CONTEXT | number << CONTEXT_ASID | width);
            set(&context.0, 1, root);
            set(&context.0, 3, CONTEXT_ATTRIBUTES);
        }
        for stream in 0..1 << STREAMS_LOG2 {
            self.show(stream, View::Shared);
        }
    }

    /// What `stream` sees from here on, once the SMMU has forgotten what it saw before.
    pub(super) fn show(&self, stream: u32, view: View) {
        let at = usize::try_from(stream).unwrap_or(usize::MAX);
        let entry = self.streams.0.chunks_exact(STREAM_WORDS).nth(at);
        if let (Some(entry), Some(context)) = (entry, self.contexts.get(index_of(view))) {
            set(entry, 1, STREAM_ATTRIBUTES);
            set(entry, 0, address_of(context) | STREAM_STAGE_1);
        }
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

/// Which context is for `view`.
const fn index_of(view: View) -> usize {
    match view {
        View::Shared => 0,
        View::Private => 1,
        View::Nothing => 2,
        View::Pool(number) => 3 + number,
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

#[cfg(test)]
mod tests {
    extern crate std;
    use std::boxed::Box;

    use super::*;

    fn memory() -> &'static Memory {
        let big = std::thread::Builder::new().stack_size(64 << 20);
        big.spawn(|| &*Box::leak(Box::new(Memory::new())))
            .unwrap()
            .join()
            .unwrap()
    }

    #[test]
    fn a_stream_is_led_to_the_tables_of_its_view() {
        let memory = memory();
        memory.link(Space::new(41).unwrap(), false, true);
        let root = |stream: usize| {
            let entry = memory.streams.0[stream * STREAM_WORDS].load(Ordering::Relaxed);
            let place = |context: &&Context| address_of(*context) | STREAM_STAGE_1 == entry;
            let context = memory.contexts.iter().find(place).unwrap();
            context.0[1].load(Ordering::Relaxed)
        };
        memory.show(16, View::Private);
        memory.show(24, View::Nothing);
        memory.show(32, View::Pool(1));
        assert_eq!(root(8), memory.shared.root());
        assert_eq!(root(16), memory.private.root());
        assert_eq!(root(24), address_of(&memory.nothing));
        assert_eq!(root(32), memory.pools[1].root());
        memory.show(16, View::Shared);
        assert_eq!(root(16), memory.shared.root());
        // Translations of one are not taken for those of another.
        let numbers = memory.contexts.each_ref();
        let numbers = numbers.map(|context| context.0[0].load(Ordering::Relaxed) >> CONTEXT_ASID);
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7]);
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
