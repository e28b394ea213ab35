//! Where each table lies in the memory: decided once, by numbers of ours and two sizes of the host's.

use core::ops::Range;

use crate::error::{Error, Table};

/// What the first byte of the memory is a multiple of.
pub const ALIGN: u64 = 0x1_0000;

/// Bits of interrupt numbers: the fewest with which there are LPIs, 8192 of them.
pub(crate) const ID_BITS: u32 = 14;
/// LPIs that there can be.
const LPIS: u32 = 1 << (ID_BITS - 1);
/// Bytes of the queue of commands: one page.
const COMMANDS: u32 = 4096;
/// Most device numbers: those of all PCI functions of a segment.
const MAX_DEVICE_IDS: u32 = 1 << 16;
/// Most pages that a register can tell.
const MAX_PAGES: u64 = 256;
const TABLE_ALIGN: u64 = 256;

/// What an ITS is to serve. All three are powers of two in the tables, rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// The first device number that nobody has, 1 to 65,536. For PCI, numbers are requester ids.
    pub device_ids: u32,
    /// Devices that are mapped at most, not 0.
    pub devices: u32,
    /// Events of one device at most, not 0. With `devices` events each there are at most 8192.
    pub events: u32,
}

impl Capacity {
    pub(crate) fn check(self) -> Result<Self, Error> {
        let rounded = Self {
            events: self
                .events
                .checked_next_power_of_two()
                .ok_or(Error::Capacity)?
                .max(2),
            ..self
        };
        let lpis = self.devices.checked_mul(rounded.events);
        let counted = lpis.is_some_and(|lpis| (1..=LPIS).contains(&lpis)) && self.events != 0;
        if counted && (1..=MAX_DEVICE_IDS).contains(&self.device_ids) {
            Ok(rounded)
        } else {
            Err(Error::Capacity)
        }
    }

    /// Bits of the numbers of events.
    pub(crate) const fn event_bits(self) -> u32 {
        self.events.ilog2()
    }

    /// Bits of the numbers of devices.
    pub(crate) const fn device_bits(self) -> u32 {
        self.device_ids.next_power_of_two().ilog2()
    }

    /// LPIs that are given out at most.
    pub(crate) const fn lpis(self) -> u32 {
        self.devices * self.events
    }
}

/// What a register of a table says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Bytes of an entry, 1 to 32.
    pub(crate) entry: u64,
    /// Bytes of a page: 4, 16 or 64 KiB.
    pub(crate) page: u64,
}

/// Offsets of the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) pending: Range<u64>,
    pub(crate) configuration: Range<u64>,
    pub(crate) events: Range<u64>,
    pub(crate) event_table: u64,
    pub(crate) devices: Range<u64>,
    pub(crate) collections: Range<u64>,
    pub(crate) commands: Range<u64>,
}

impl Layout {
    /// Places the tables; `event_entry` is the size of an entry in a device's table, 1 to 16 bytes.
    pub(crate) fn new(
        capacity: Capacity,
        event_entry: u64,
        devices: Shape,
        collections: Shape,
    ) -> Result<Self, Error> {
        let event_table = (event_entry * u64::from(capacity.events)).next_multiple_of(TABLE_ALIGN);
        let mut end = 0;
        let mut take = |len: u64, align: u64| {
            let start = u64::next_multiple_of(end, align);
            end = start + len;
            start..end
        };
        // The pending table of a redistributor and the queue are aligned to 64 KiB: what is between
        // them has the rest.
        let pending = take((1 << ID_BITS) / 8, ALIGN);
        let configuration = take(LPIS.into(), 4096);
        let events = take(event_table * u64::from(capacity.devices), TABLE_ALIGN);
        let ids = u64::from(capacity.device_ids);
        let devices = take(pages(devices, ids, Table::Devices)?, devices.page);
        let collections = take(pages(collections, 1, Table::Collections)?, collections.page);
        let commands = take(COMMANDS.into(), ALIGN);
        Ok(Self {
            pending,
            configuration,
            events,
            event_table,
            devices,
            collections,
            commands,
        })
    }

    /// Bytes of the queue of commands, a multiple of a command and of 4096.
    pub(crate) const fn command_bytes(&self) -> u32 {
        COMMANDS
    }

    /// Bytes of everything.
    pub(crate) const fn bytes(&self) -> u64 {
        self.commands.end
    }
}

/// Bytes of a table with `entries` entries, in whole pages.
fn pages(shape: Shape, entries: u64, table: Table) -> Result<u64, Error> {
    let bytes = (entries * shape.entry).next_multiple_of(shape.page);
    if bytes / shape.page <= MAX_PAGES {
        Ok(bytes)
    } else {
        Err(Error::TableSize(table))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Capacity = Capacity {
        device_ids: 256,
        devices: 8,
        events: 4,
    };

    fn shape(page: u64) -> Shape {
        Shape { entry: 8, page }
    }

    #[test]
    fn small_pages_fit_between_the_two_tables_that_are_far_apart() {
        let layout = Layout::new(SMALL, 12, shape(4096), shape(4096)).unwrap();
        assert_eq!(layout.bytes(), 0x1_1000);
        assert!(layout.collections.end <= layout.commands.start);
    }

    #[test]
    fn no_two_tables_meet_and_each_is_aligned() {
        for page in [0x1000, 0x4000, 0x1_0000] {
            let layout = Layout::new(SMALL, 16, shape(page), shape(page)).unwrap();
            let tables = [
                (&layout.pending, ALIGN),
                (&layout.configuration, 4096),
                (&layout.events, 256),
                (&layout.devices, page),
                (&layout.collections, page),
                (&layout.commands, ALIGN),
            ];
            let mut end = 0;
            for (table, align) in tables {
                assert!(table.start >= end && table.start % align == 0, "{layout:?}");
                end = table.end;
            }
        }
    }

    #[test]
    fn what_cannot_be_served_is_refused() {
        let more = |capacity: Capacity| capacity.check().err();
        assert_eq!(more(SMALL), None);
        for capacity in [
            Capacity {
                device_ids: 0,
                ..SMALL
            },
            Capacity {
                device_ids: 65537,
                ..SMALL
            },
            Capacity {
                devices: 0,
                ..SMALL
            },
            Capacity {
                devices: 2049,
                ..SMALL
            },
            Capacity { events: 0, ..SMALL },
            Capacity {
                events: u32::MAX,
                ..SMALL
            },
        ] {
            assert_eq!(more(capacity), Some(Error::Capacity), "{capacity:?}");
        }
        let huge = Capacity {
            device_ids: 65536,
            ..SMALL
        };
        let wide = Shape {
            entry: 32,
            page: 4096,
        };
        assert_eq!(
            Layout::new(huge, 8, wide, wide),
            Err(Error::TableSize(Table::Devices))
        );
    }
}
