//! What a virtqueue tells its device: chains of runs, read as the device reads them.
//!
//! Ref: virtio 1.2, 2.7 "Split Virtqueues".

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use super::size;

/// Flags of a descriptor: another follows; the device writes.
const NEXT: u8 = 1;
const WRITE: u8 = 2;

/// How often a used ring is looked at before its device counts as one that has not begun: a tenth of
/// a second or more under QEMU, and only when something was found.
const LOOKS: usize = 100_000;

/// Shared memory, by addresses of the machine.
pub trait Memory {
    /// Copies from `address` into `bytes`; `None` if it is not all shared.
    fn read(&self, address: u64, bytes: &mut [u8]) -> Option<()>;
    /// The address in the machine of what a device is told.
    fn resolve(&self, told: u64) -> u64;
}

/// A run of memory that a device is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// First byte, in the machine.
    pub address: u64,
    /// Bytes.
    pub len: usize,
    /// The device writes there; else it reads.
    pub writable: bool,
}

/// What a device is told at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Its first descriptor.
    pub head: u16,
    /// Its runs.
    pub runs: Vec<Run>,
    /// The device was done with it when it was read: some look without being called.
    pub done: bool,
}

/// A queue in use.
#[derive(Clone, Debug)]
pub struct Queue {
    /// Its device.
    pub stream: u32,
    /// Its number.
    pub index: u16,
    /// Addresses of descriptors, available ring, used ring, in the machine.
    pub parts: [u64; 3],
    /// Entries.
    pub size: u16,
    /// Available index up to which it was read.
    seen: u16,
    /// Used index when it was read.
    done: u16,
    /// How often something was told that could not be read any more.
    pub missed: u32,
    /// How often that may have been content: the driver tells this queue more than where to write.
    pub unsure: u32,
    tells: bool,
}

impl Queue {
    /// A queue of which nothing was read yet.
    #[must_use]
    pub const fn new((stream, index): (u32, u16), parts: [u64; 3], size: u16) -> Self {
        Self {
            stream,
            index,
            parts,
            size,
            seen: 0,
            done: 0,
            missed: 0,
            unsure: 0,
            tells: false,
        }
    }

    /// Memory of its three parts.
    #[must_use]
    pub fn memory(&self) -> [Range<u64>; 3] {
        let [descriptors, available, used] = self.parts;
        let size = u64::from(self.size);
        let run = |start: u64, len: u64| start..start.saturating_add(len);
        [
            run(descriptors, 16 * size),
            run(available, 6 + 2 * size),
            run(used, 6 + 8 * size),
        ]
    }

    /// The chains that are new, the oldest first. What the device may have given back already is read
    /// too, and counts as missed: its descriptors may be those of another chain by now.
    pub fn read(&mut self, memory: &impl Memory) -> Vec<Chain> {
        let [_, available, used] = self.parts;
        let (Some(told), Some(done)) = (index(memory, available), index(memory, used)) else {
            return Vec::new();
        };
        self.done = done;
        let fresh = told.wrapping_sub(self.seen);
        if fresh == 0 || self.size == 0 {
            return Vec::new();
        }
        let lost = fresh > self.size;
        // Entries before the used index are done; it is at most the available index.
        let ahead = told.wrapping_sub(done);
        let missed = u32::from(lost || ahead < fresh);
        self.seen = told;
        let mut taken = vec![false; self.size.into()];
        let entries = 1..=fresh.min(self.size);
        let mut chains: Vec<_> = entries
            .filter_map(|back| {
                let head = self.available(memory, told.wrapping_sub(back))?;
                let runs = self.chain(memory, head, &mut taken)?;
                let done = back > ahead;
                Some(Chain { head, runs, done })
            })
            .collect();
        chains.reverse();
        let mut runs = chains.iter().flat_map(|chain| &chain.runs);
        self.tells |= runs.any(|run| !run.writable);
        self.missed += missed;
        self.unsure += if self.tells { missed } else { 0 };
        chains
    }

    /// Whether the device gives the chain that begins at descriptor `head`, and was not done when the queue was read,
    /// back before long: one that works without being called writes first, and says so later.
    #[must_use]
    pub fn comes_back(&self, head: u16, memory: &impl Memory) -> bool {
        let [.., used] = self.parts;
        let mut seen = self.done;
        (0..LOOKS).any(|_| {
            let now = index(memory, used).unwrap_or(seen);
            let fresh = now.wrapping_sub(seen).min(self.size);
            seen = now;
            (1..=fresh).any(|back| self.used(memory, now.wrapping_sub(back)) == Some(head))
        })
    }

    /// The head in used entry number `entry`.
    fn used(&self, memory: &impl Memory, entry: u16) -> Option<u16> {
        let [.., used] = self.parts;
        let place = 4 + 8 * u64::from(entry.checked_rem(self.size)?);
        word(memory, used.wrapping_add(place))
    }

    /// The head in available entry number `entry`.
    fn available(&self, memory: &impl Memory, entry: u16) -> Option<u16> {
        let [_, available, _] = self.parts;
        let place = 4 + 2 * u64::from(entry.checked_rem(self.size)?);
        word(memory, available.wrapping_add(place))
    }

    /// The runs of the chain that begins at `head`; `None` if a newer one has its descriptors.
    fn chain(&self, memory: &impl Memory, head: u16, taken: &mut [bool]) -> Option<Vec<Run>> {
        let [descriptors, ..] = self.parts;
        let mut id = head;
        let mut runs = Vec::new();
        loop {
            let slot = taken.get_mut(usize::from(id))?;
            if core::mem::replace(slot, true) {
                return None;
            }
            let mut bytes = [0; 16];
            memory.read(descriptors.wrapping_add(16 * u64::from(id)), &mut bytes)?;
            let [first, second] = bytes.as_chunks::<8>().0 else {
                return None;
            };
            let [a, b, c, d, flags, _, next, more] = *second;
            runs.push(Run {
                address: memory.resolve(u64::from_le_bytes(*first)),
                len: size(u32::from_le_bytes([a, b, c, d]).into()),
                writable: flags & WRITE != 0,
            });
            if flags & NEXT == 0 {
                return Some(runs);
            }
            id = u16::from_le_bytes([next, more]);
        }
    }
}

/// The index of an available or a used ring.
fn index(memory: &impl Memory, ring: u64) -> Option<u16> {
    word(memory, ring.wrapping_add(2))
}

fn word(memory: &impl Memory, address: u64) -> Option<u16> {
    let mut bytes = [0; 2];
    memory.read(address, &mut bytes)?;
    Some(u16::from_le_bytes(bytes))
}
