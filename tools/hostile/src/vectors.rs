//! Messages instead of a wire: the table of MSI-X, and who sends by which of its entries.
//!
//! A message that is due while its entry is masked is lost; nothing is kept pending.
//!
//! Ref: PCI Express Base 6.0, 7.7.2; virtio 1.2, 4.1.5.1.2.

use alloc::vec::Vec;

use crate::liar::Liar;
use crate::place::Point;
use crate::queue::Voice;

/// Entries of the table.
pub const COUNT: usize = 4;
/// Bytes of an entry.
const ENTRY: usize = 16;
/// No vector.
const NONE: u16 = 0xffff;

/// A message: where it is written, and what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where.
    pub address: u64,
    /// What: the number of an event.
    pub data: u32,
    /// Which device of the bus the message says that it is from, if not the one that sends it.
    pub device: Option<u32>,
}

/// What interrupts are due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// A bit for each queue.
    pub queues: u32,
    /// The configuration changed.
    pub config: bool,
}

impl Due {
    /// Whether there is any.
    #[must_use]
    pub const fn any(self) -> bool {
        self.queues != 0 || self.config
    }

    /// Notes whether queue `number` has one.
    pub fn note(&mut self, number: usize, due: bool) {
        let bit = u32::try_from(number).ok().and_then(|n| 1u32.checked_shl(n));
        if due {
            self.queues |= bit.unwrap_or(0);
        }
    }
}

/// The table, and the vectors of the configuration and of each queue.
#[derive(Clone, Debug)]
pub struct Vectors {
    table: [u8; COUNT * ENTRY],
    config: u16,
    queues: Vec<u16>,
}

impl Vectors {
    /// For `queues` queues; all entries are masked, and nobody has a vector.
    #[must_use]
    pub fn new(queues: usize) -> Self {
        let mut table = [0; COUNT * ENTRY];
        table
            .iter_mut()
            .skip(12)
            .step_by(ENTRY)
            .for_each(|mask| *mask = 1);
        Self {
            table,
            config: NONE,
            queues: alloc::vec![NONE; queues],
        }
    }

    /// Takes the vectors away; the table stays.
    pub fn reset(&mut self) {
        self.config = NONE;
        self.queues.fill(NONE);
    }

    /// Writes `bytes` bytes of the table.
    pub fn write(&mut self, offset: u64, bytes: u32, value: u64) {
        let at = usize::try_from(offset).unwrap_or(usize::MAX);
        let place = self.table.iter_mut().skip(at).take(bytes as usize);
        place
            .zip(value.to_le_bytes())
            .for_each(|(byte, new)| *byte = new);
    }

    /// Reads `bytes` bytes of the table.
    #[must_use]
    pub fn read(&self, offset: u64, bytes: u32) -> u64 {
        let at = usize::try_from(offset).unwrap_or(usize::MAX);
        let found = self.table.iter().skip(at).take(bytes as usize).rev();
        found.fold(0, |value, byte| value << 8 | u64::from(*byte))
    }

    /// The vector of queue `queue`, or of the configuration.
    #[must_use]
    pub fn vector(&self, queue: Option<usize>) -> u64 {
        let vector = match queue {
            None => Some(self.config),
            Some(queue) => self.queues.get(queue).copied(),
        };
        vector.unwrap_or(NONE).into()
    }

    /// Has queue `queue`, or the configuration, send by `vector`; one that is not there is none.
    pub fn choose(&mut self, queue: Option<usize>, vector: u64) {
        let known = usize::try_from(vector).is_ok_and(|vector| vector < COUNT);
        let vector = u16::try_from(vector).ok().filter(|_| known).unwrap_or(NONE);
        match queue {
            None => self.config = vector,
            Some(queue) => {
                if let Some(place) = self.queues.get_mut(queue) {
                    *place = vector;
                }
            }
        }
    }

    /// The messages of what is `due`, as far as they are true.
    pub fn messages(&self, due: Due, liar: &mut Liar, voice: Voice) -> Vec<Message> {
        let config = due.config.then_some(self.config);
        let mut bits = 0u32..32;
        let queues = self.queues.iter().filter(|_| {
            let bit = bits.next().and_then(|n| 1u32.checked_shl(n));
            due.queues & bit.unwrap_or(0) != 0
        });
        let vectors: Vec<u16> = config.into_iter().chain(queues.copied()).collect();
        let sent = vectors
            .into_iter()
            .filter_map(|vector| self.message(vector));
        sent.map(|message| twisted(message, liar, voice)).collect()
    }

    fn message(&self, vector: u16) -> Option<Message> {
        const MASKED: u64 = 1;
        let at = u64::from(vector) * ENTRY as u64;
        let open = usize::from(vector) < COUNT && self.read(at + 12, 4) & MASKED == 0;
        open.then(|| Message {
            address: self.read(at, 8),
            data: u32::try_from(self.read(at + 8, 4)).unwrap_or(0),
            device: None,
        })
    }
}

/// Another event, of this device or of another one.
fn twisted(message: Message, liar: &mut Liar, voice: Voice) -> Message {
    let Some(value) = liar.misbehave(voice.place(Point::Vector)) else {
        return message;
    };
    let [event, _, device, other, ..] = value.to_le_bytes();
    Message {
        data: u32::from(event % 8),
        device: (other % 2 == 1).then_some(u32::from(device % 12)),
        ..message
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Script;

    fn ready() -> Vectors {
        let mut vectors = Vectors::new(2);
        for (offset, value) in [(16, 0x0809_0040), (20, 0), (24, 7), (28, 0)] {
            vectors.write(offset, 4, value);
        }
        vectors.choose(Some(1), 1);
        vectors
    }

    #[test]
    fn a_queue_sends_what_the_entry_of_its_vector_says() {
        let vectors = ready();
        let mut due = Due::default();
        due.note(0, true);
        due.note(1, true);
        due.config = true;
        let sent = vectors.messages(due, &mut Liar::default(), Voice::OF_A_DISK);
        let message = Message {
            address: 0x0809_0040,
            data: 7,
            device: None,
        };
        assert_eq!(sent, [message]);
        assert_eq!(vectors.vector(Some(1)), 1);
        assert_eq!(vectors.vector(None), 0xffff);
    }

    #[test]
    fn a_masked_entry_and_one_that_is_not_there_send_nothing() {
        let mut vectors = ready();
        vectors.write(28, 4, 1);
        let due = Due {
            queues: 2,
            config: false,
        };
        assert!(
            vectors
                .messages(due, &mut Liar::default(), Voice::OF_A_DISK)
                .is_empty()
        );
        vectors.choose(Some(1), 9);
        assert_eq!(vectors.vector(Some(1)), 0xffff);
        vectors.write(u64::MAX, 8, 3);
    }

    #[test]
    fn a_lie_sends_another_event_of_another_device() {
        let script: Script = "disk.vector@0=0x1020003".parse().unwrap();
        let due = Due {
            queues: 2,
            config: false,
        };
        let sent = ready().messages(due, &mut Liar::new(script, 9), Voice::OF_A_DISK);
        assert_eq!(sent[0].data, 3);
        assert_eq!(sent[0].device, Some(2));
    }
}
