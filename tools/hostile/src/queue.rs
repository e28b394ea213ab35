//! The device's side of a split virtqueue.
//!
//! Ref: virtio 1.2, 2.7 "Split Virtqueues".

use alloc::vec::Vec;

use crate::liar::Liar;
use crate::memory::{Memory, Run, Unreachable, read16};
use crate::place::{Part, Place, Point};

/// Entries of a queue, unless the driver asks for fewer.
pub const SIZE: u16 = 64;

const NEXT: u16 = 1;
const WRITE: u16 = 2;
const NO_INTERRUPT: u16 = 1;

/// Who lies at a queue, and whether both sides agreed on EVENT_IDX.
#[derive(Clone, Copy, Debug)]
pub struct Voice {
    /// Which kind of device.
    pub part: Part,
    /// Which of several.
    pub unit: u8,
    /// Whether both sides tell each other when they want to be told.
    pub event_index: bool,
}

#[cfg(test)]
impl Voice {
    pub(crate) const OF_A_DISK: Self = Self {
        part: Part::Disk,
        unit: 0,
        event_index: false,
    };
}

impl Voice {
    /// What this device says about `point`.
    #[must_use]
    pub const fn place(self, point: Point) -> Place {
        Place {
            part: self.part,
            unit: self.unit,
            point,
        }
    }
}

/// A request: what the device may read, and what it may write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// By which number the driver knows it.
    pub head: u16,
    /// What the device may read.
    pub readable: Vec<Run>,
    /// What the device may write.
    pub writable: Vec<Run>,
}

impl Chain {
    /// Bytes that the device may write.
    #[must_use]
    pub fn room(&self) -> usize {
        let lens = self.writable.iter().map(|run| run.len as usize);
        lens.fold(0, usize::saturating_add)
    }
}

/// One queue.
#[derive(Clone, Debug)]
pub struct Queue {
    /// Entries.
    pub size: u16,
    /// Whether the driver switched it on.
    pub enabled: bool,
    /// Where the descriptors are.
    pub descriptors: u64,
    /// Where the driver says what is available.
    pub available: u64,
    /// Where the device says what is used.
    pub used: u64,
    taken: u16,
    given: u16,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            size: SIZE,
            enabled: false,
            descriptors: 0,
            available: 0,
            used: 0,
            taken: 0,
            given: 0,
        }
    }
}

impl Queue {
    /// Takes the next request; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`Unreachable`], if the rings, or what they say, are.
    pub fn take(&mut self, memory: &mut impl Memory) -> Result<Option<Chain>, Unreachable> {
        if !self.enabled || self.size == 0 {
            return Ok(None);
        }
        let announced = read16(memory, self.available.wrapping_add(2))?;
        if announced == self.taken {
            return Ok(None);
        }
        let entry = u64::from(self.taken % self.size) * 2 + 4;
        let head = read16(memory, self.available.wrapping_add(entry))?;
        self.taken = self.taken.wrapping_add(1);
        self.chain(memory, head).map(Some)
    }

    fn chain(&self, memory: &mut impl Memory, head: u16) -> Result<Chain, Unreachable> {
        let mut chain = Chain {
            head,
            readable: Vec::new(),
            writable: Vec::new(),
        };
        let mut id = head;
        // A chain is no longer than its queue.
        for _ in 0..self.size {
            let mut bytes = [0; 16];
            let at = u64::from(id % self.size) * 16;
            memory.read(self.descriptors.wrapping_add(at), &mut bytes)?;
            let [a, b, c, d, e, f, g, h, l0, l1, l2, l3, f0, f1, n0, n1] = bytes;
            let run = Run {
                address: u64::from_le_bytes([a, b, c, d, e, f, g, h]),
                len: u32::from_le_bytes([l0, l1, l2, l3]),
            };
            let flags = u16::from_le_bytes([f0, f1]);
            match flags & WRITE {
                0 => chain.readable.push(run),
                _ => chain.writable.push(run),
            }
            if flags & NEXT == 0 {
                break;
            }
            id = u16::from_le_bytes([n0, n1]);
        }
        Ok(chain)
    }

    /// Gives a request back, of which `written` bytes were written; says whether the driver wants to
    /// be told.
    ///
    /// # Errors
    ///
    /// [`Unreachable`]
    pub fn give(
        &mut self,
        memory: &mut impl Memory,
        liar: &mut Liar,
        voice: Voice,
        (head, written): (u16, u32),
    ) -> Result<bool, Unreachable> {
        if liar.misbehave(voice.place(Point::Withhold)).is_some() {
            return Ok(false);
        }
        let before = self.given;
        self.announce(memory, liar, voice, (head, written))?;
        if liar.misbehave(voice.place(Point::Repeat)).is_some() {
            self.announce(memory, liar, voice, (head, written))?;
        }
        self.wants_interrupt(memory, voice, before)
    }

    fn announce(
        &mut self,
        memory: &mut impl Memory,
        liar: &mut Liar,
        voice: Voice,
        (head, written): (u16, u32),
    ) -> Result<(), Unreachable> {
        let id = liar.say(voice.place(Point::UsedId), head.into(), 32);
        let len = liar.say(voice.place(Point::UsedLength), written.into(), 32);
        let entry = u64::from(self.given % self.size) * 8 + 4;
        let both = len << 32 | id;
        memory.write(self.used.wrapping_add(entry), &both.to_le_bytes())?;
        self.given = self.given.wrapping_add(1);
        let index = liar.say(voice.place(Point::UsedIndex), self.given.into(), 16);
        self.write16(memory, self.used.wrapping_add(2), index)
    }

    /// Says when the device wants to be told of requests: at the next one.
    ///
    /// # Errors
    ///
    /// [`Unreachable`]
    pub fn ask_for_doorbell(
        &mut self,
        memory: &mut impl Memory,
        liar: &mut Liar,
        voice: Voice,
    ) -> Result<(), Unreachable> {
        if !self.enabled {
            return Ok(());
        }
        if voice.event_index {
            let event = liar.say(voice.place(Point::AvailEvent), self.taken.into(), 16);
            let at = u64::from(self.size) * 8 + 4;
            self.write16(memory, self.used.wrapping_add(at), event)
        } else {
            let flags = liar.say(voice.place(Point::UsedFlags), 0, 16);
            self.write16(memory, self.used, flags)
        }
    }

    fn wants_interrupt(
        &self,
        memory: &mut impl Memory,
        voice: Voice,
        before: u16,
    ) -> Result<bool, Unreachable> {
        if !voice.event_index {
            return Ok(read16(memory, self.available)? & NO_INTERRUPT == 0);
        }
        let at = u64::from(self.size) * 2 + 4;
        let event = read16(memory, self.available.wrapping_add(at))?;
        // Ref: virtio 1.2, 2.7.10.1: whether `event` was passed.
        let passed = self.given.wrapping_sub(event).wrapping_sub(1);
        Ok(passed < self.given.wrapping_sub(before))
    }

    fn write16(
        &self,
        memory: &mut impl Memory,
        address: u64,
        value: u64,
    ) -> Result<(), Unreachable> {
        let [low, high, ..] = value.to_le_bytes();
        memory.write(address, &[low, high])
    }
}
