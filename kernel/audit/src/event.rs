//! One crossing, and its form of 24 bytes.

use clock::Instant;

/// Bytes of an event in a stream.
pub const EVENT_BYTES: usize = 24;
/// Bits of a shared address that an event has room for: more than any realm has.
const ADDRESS_BITS: u32 = 48;

/// Which way bytes went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the realm to the host.
    Out,
    /// From the host to the realm.
    In,
}

impl Direction {
    /// `out` or `in`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::In => "in",
        }
    }
}

macro_rules! purposes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $word:literal;)*) => {
        /// What bytes were copied for.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Purpose { $($(#[$doc])* $name = $number,)* }

        impl Purpose {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// One word for it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// The purpose with this number in a stream; what is not known is [`Purpose::Other`].
            pub const fn of(number: u8) -> Self {
                match number { $($number => Self::$name,)* _ => Self::Other }
            }
        }
    };
}

purposes! {
    /// Nobody said.
    #[default]
    Other = 0, "other";
    /// A frame of a network card, with the card's header before it: its beginning, or all of it.
    Frame = 1, "frame";
    /// What follows in another buffer, when a frame does not fit one, where each copy is told.
    FramePart = 2, "frame-part";
    /// The head of a request to read from a disk; coming in, the status of a request.
    Read = 3, "read";
    /// The head of a request to write.
    Write = 4, "write";
    /// The head of a request to flush.
    Flush = 5, "flush";
    /// Data of a disk.
    Data = 6, "data";
    /// Random bytes of the host.
    Entropy = 7, "entropy";
    /// What a device says of itself, to be trusted.
    Evidence = 8, "evidence";
    /// Numbers of pages, of a balloon.
    Pages = 9, "pages";
}

/// What a slot is for: which queue its device finds it in, the driver's number for it there, and what
/// its bytes are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Label {
    /// The queue.
    pub queue: u8,
    /// The number of the slot, or of the request that it is for.
    pub slot: u16,
    /// What its bytes are.
    pub purpose: Purpose,
}

/// One crossing: bytes that were copied into slots, or out of them, for one frame or one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// When the copy was made; of several, the first.
    pub at: Instant,
    /// Where in shared memory, as the device was told; of several runs, the first.
    pub address: u64,
    /// Bytes copied.
    pub len: u32,
    /// The device whose pool it was: its place among the names of the trace.
    pub device: u8,
    /// Which way.
    pub direction: Direction,
    /// Queue, slot and purpose; of several slots, the first.
    pub label: Label,
}

/// An event in words of 64 bits, as it waits and is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    /// Time in nanoseconds.
    pub(crate) at: u64,
    /// Address (48 bits), device, queue.
    pub(crate) place: u64,
    /// Length (32 bits), slot (16), purpose, direction.
    pub(crate) what: u64,
}

/// Where device and queue begin in a place, and slot, purpose and direction in what was copied.
const DEVICE: u32 = ADDRESS_BITS;
const SLOT: u32 = 32;
const PURPOSE: u32 = 48;
const DIRECTION: u32 = 56;

impl Words {
    /// Of an address, 48 bits are kept.
    #[inline]
    pub(crate) fn of(event: Event) -> Self {
        let address = event.address & ((1 << ADDRESS_BITS) - 1);
        let inward = u64::from(event.direction == Direction::In);
        let label = event.label;
        Self {
            at: event.at.as_nanos(),
            place: address | u64::from(event.device) << DEVICE | u64::from(label.queue) << 56,
            what: u64::from(event.len)
                | u64::from(label.slot) << SLOT
                | (label.purpose as u64) << PURPOSE
                | inward << DIRECTION,
        }
    }

    /// Whether device, queue, slot, purpose and direction are the same.
    pub(crate) const fn same_label(self, other: Self) -> bool {
        (self.place ^ other.place) >> DEVICE == 0 && (self.what ^ other.what) >> SLOT == 0
    }

    /// The last word with `len` more bytes; `None` if they are too many for one event.
    pub(crate) fn longer(self, len: u32) -> Option<u64> {
        let longer = self.what.checked_add(len.into())?;
        (longer >> SLOT == self.what >> SLOT).then_some(longer)
    }
}

impl Event {
    /// The event as it is in a stream. Of an address, 48 bits are kept.
    pub fn to_bytes(self) -> [u8; EVENT_BYTES] {
        let Words { at, place, what } = Words::of(self);
        let mut bytes = [0; EVENT_BYTES];
        put(&mut bytes, &[[at, place, what]]);
        bytes
    }

    /// Reads an event of a stream. Every 24 bytes are one.
    pub fn from_bytes(bytes: &[u8; EVENT_BYTES]) -> Self {
        let mut words = [0; 3];
        let (parts, _) = bytes.as_chunks::<8>();
        for (word, part) in words.iter_mut().zip(parts) {
            *word = u64::from_le_bytes(*part);
        }
        let [at, place, what] = words;
        Self::from(Words { at, place, what })
    }
}

impl From<Words> for Event {
    fn from(Words { at, place, what }: Words) -> Self {
        let [.., device, queue] = place.to_le_bytes();
        let [a, b, c, d, low, high, purpose, flags] = what.to_le_bytes();
        Self {
            at: Instant::from_nanos(at),
            address: place & ((1 << ADDRESS_BITS) - 1),
            len: u32::from_le_bytes([a, b, c, d]),
            device,
            direction: match flags & 1 {
                0 => Direction::Out,
                _ => Direction::In,
            },
            label: Label {
                queue,
                slot: u16::from_le_bytes([low, high]),
                purpose: Purpose::of(purpose),
            },
        }
    }
}

/// Writes events into `bytes`, which has room for as many, as they are told.
pub(crate) fn put(bytes: &mut [u8], events: &[[u64; 3]]) {
    let (places, _) = bytes.as_chunks_mut::<8>();
    for (place, word) in places.iter_mut().zip(events.as_flattened()) {
        *place = word.to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_the_same_after_its_way_through_24_bytes() {
        for purpose in Purpose::ALL {
            for direction in [Direction::Out, Direction::In] {
                let event = Event {
                    at: Instant::from_nanos(u64::MAX - 5),
                    address: 0xfe00_47e8_588c,
                    len: 0xffff_fffe,
                    device: 200,
                    direction,
                    label: Label {
                        queue: 0xfe,
                        slot: 0xabcd,
                        purpose: *purpose,
                    },
                };
                assert_eq!(Event::from_bytes(&event.to_bytes()), event);
            }
        }
    }

    #[test]
    fn a_purpose_that_a_newer_guest_knows_is_another() {
        assert_eq!(Purpose::of(0xff), Purpose::Other);
        assert!(Purpose::ALL.iter().all(|p| Purpose::of(*p as u8) == *p));
    }
}
