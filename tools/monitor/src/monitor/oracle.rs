//! What the leak oracle is told, and what comes of it.

use core::ops::Range;

use hostile::bus::Count;

use super::Monitor;
use super::world::Followed;
use crate::functions::Found;
use crate::granules::{Granules, granules};
use crate::layout::Space;
use crate::machine::Machine;
use crate::oracle::{self, Memory, Oracle, Queue, Secrets, seed};
use crate::regions::Region;
use crate::violation::Violation;
use crate::virtio::{Common, Function, common};

/// Memory at either end of what is the realm's at the start that is made to be recognised, in bytes:
/// the heap takes from both.
const SEEDED: u64 = 8 << 20;

/// Registers of the common configuration.
///
/// Ref: virtio 1.2, 4.1.4.3.
const STATUS: u64 = 20;
const QUEUE_SELECT: u64 = 22;
const QUEUE_SIZE: u64 = 24;
const QUEUE_ENABLE: u64 = 28;
const QUEUE_PARTS: [u64; 3] = [32, 40, 48];

/// Shared memory, as the oracle reads it.
struct Shared<'a, M> {
    machine: &'a M,
    granules: &'a Granules<'static>,
    space: Space,
}

impl<M: Machine> Memory for Shared<'_, M> {
    fn read(&self, address: u64, bytes: &mut [u8]) -> Option<()> {
        let range = address..address.checked_add(bytes.len() as u64)?;
        if !bytes.is_empty() {
            self.granules.is_shared(&range).then_some(())?;
            self.machine.read(address, bytes);
        }
        Some(())
    }

    fn resolve(&self, told: u64) -> u64 {
        told & !self.space.shared_bit()
    }
}

impl<M: Machine> Monitor<M> {
    /// Begins to watch, before the realm has its memory.
    pub(super) fn begin_oracle(&mut self, secrets: Secrets) {
        if self.options.oracle {
            self.oracle = Some(Oracle::new(
                secrets,
                super::world::content(self.options.content),
            ));
        }
    }

    /// Fills memory that the realm is given, outside of `loaded`, with what it can be known by.
    pub(super) fn seed(&self, loaded: &[Range<u64>]) {
        let all = crate::layout::GUEST_RAM..self.memory.top();
        let far = all.start.saturating_add(SEEDED)..all.end.saturating_sub(SEEDED);
        let near = |at: &u64| !far.contains(at);
        for at in granules(&all).filter(near) {
            if !loaded.iter().any(|part| part.contains(&at)) {
                self.machine.fill(at..at + crate::layout::GRANULE, seed);
            }
        }
    }

    /// Reads along before a store to a device is carried out.
    pub(super) fn watch_store(&mut self, (region, address): (Region, u64), value: u64) {
        let memory = matches!(region, Region::PciMemory | Region::PciMemory64);
        if self.oracle.is_none() || !memory {
            return;
        }
        let Some(Found {
            stream,
            bar,
            offset,
        }) = self.functions.find(address)
        else {
            return;
        };
        let common = self.common(stream).filter(|at| at.bar == bar);
        match common.and_then(|at| offset.checked_sub(at.offset)) {
            Some(STATUS) if value == 0 => {
                if let Some(oracle) = &mut self.oracle {
                    oracle.reset(stream);
                }
            }
            Some(QUEUE_ENABLE) if value & 0xffff == 1 => {
                self.start_queue(stream, address - QUEUE_ENABLE)
            }
            _ => {}
        }
    }

    fn common(&mut self, stream: u32) -> Option<Common> {
        let config = self.regions.config();
        let machine = &self.machine;
        let find = || common(&Function::new(machine, config, stream));
        self.functions.common(stream, find)
    }

    /// A queue is enabled: its registers say where it is.
    fn start_queue(&mut self, stream: u32, common: u64) {
        use crate::syndrome::Width::{Half, Word};
        let load = |register, width| self.machine.load(common + register, width).unwrap_or(0);
        let half = |register| u16::try_from(load(register, Half)).unwrap_or(0);
        let (index, size) = (half(QUEUE_SELECT), half(QUEUE_SIZE));
        let bit = self.space.shared_bit();
        let part = |register| (load(register + 4, Word) << 32 | load(register, Word)) & !bit;
        let queue = Queue::new((stream, index), QUEUE_PARTS.map(part), size);
        self.with_oracle(|oracle, memory| oracle.start(queue, memory));
    }

    /// Reads what queues tell by now.
    pub(super) fn look(&mut self) {
        self.with_oracle(|oracle, memory| oracle.look(memory));
    }

    /// Looks at everything that is shared, and tells how much that was. Queues of the monitor's own devices are not
    /// read, so with these only secrets are looked for.
    pub(super) fn finish_oracle(&mut self) {
        let tables = self.tables.clone();
        let unread = self.options.models != Count::default();
        self.with_oracle(|oracle, memory| {
            oracle.finish(memory, |page| unread || tables.touched(page).is_some());
        });
        if let Some(oracle) = &self.oracle {
            let tally = oracle.tally();
            self.end_line();
            self.machine.print(format_args!("monitor: oracle: {tally}"));
        }
    }

    fn with_oracle(&mut self, work: impl FnOnce(&mut Oracle, &Shared<'_, M>)) {
        let Some(oracle) = &mut self.oracle else {
            return;
        };
        let memory = Shared {
            machine: &self.machine,
            granules: &self.realm.granules,
            space: self.space,
        };
        work(oracle, &memory);
        for leak in oracle.take() {
            self.violation(Violation::Leak(leak));
        }
    }

    /// Follows pages that changed halves, and what the RMM or the host wrote for the guest.
    pub(super) fn follow_pages(&mut self, followed: &Followed) {
        let Some(watched) = &mut self.oracle else {
            return;
        };
        for (range, shared) in &followed.moved {
            let range = range.start..range.end.min(self.memory.top());
            if *shared {
                watched.share(range);
            } else {
                watched.take_back(&range);
            }
        }
        for range in &followed.written {
            watched.host_wrote(range.start, oracle::size(range.end - range.start));
        }
    }

    /// Whether the oracle is asked, and so what it needs has to be written down.
    pub(super) fn has_oracle(&self) -> bool {
        self.oracle.is_some()
    }
}
