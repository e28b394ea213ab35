//! The tables that the controller uses now.

use core::ops::Range;

/// How many tables can be known: four per processor and one per device are common.
const MOST: usize = 64;

/// Who told the controller of a table.
pub type Owner = (u8, u64);

/// The owner of the table that a register of the redistributors or the ITS holds.
#[must_use]
pub const fn register(its: bool, offset: u64) -> Owner {
    (if its { 1 } else { 0 }, offset)
}

/// The owner of a device's table.
#[must_use]
pub const fn device(device: u64) -> Owner {
    (2, device)
}

/// The owner of the second-level table whose first-level entry is at `entry`.
#[must_use]
pub const fn second_level(entry: u64) -> Owner {
    (3, entry)
}

/// Tables in use, by owner.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    list: heapless::Vec<(Owner, Range<u64>), MOST>,
}

impl Tables {
    /// No table yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            list: heapless::Vec::new(),
        }
    }

    /// Notes that `owner` uses `table`, and nothing else; an empty one ends the use.
    ///
    /// Gives `false` if there are too many tables to watch them all.
    pub fn note(&mut self, owner: Owner, table: Range<u64>) -> bool {
        self.list.retain(|(old, _)| *old != owner);
        table.is_empty() || self.list.push((owner, table)).is_ok()
    }

    /// The first table that `range` touches.
    #[must_use]
    pub fn touched(&self, range: &Range<u64>) -> Option<u64> {
        let touches = |table: &Range<u64>| table.start < range.end && range.start < table.end;
        self.list
            .iter()
            .find(|(_, table)| touches(table))
            .map(|(_, table)| table.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_in_use_is_found_by_any_page_of_it() {
        let mut tables = Tables::new();
        assert!(tables.note(register(true, 0x80), 0x4500_0000..0x4501_0000));
        assert_eq!(
            tables.touched(&(0x4500_f000..0x4510_0000)),
            Some(0x4500_0000)
        );
        assert_eq!(tables.touched(&(0x4501_0000..0x4510_0000)), None);
        assert!(tables.note(register(true, 0x80), 0..0));
        assert_eq!(tables.touched(&(0x4500_0000..0x4510_0000)), None);
    }

    #[test]
    fn more_tables_than_can_be_watched_are_refused() {
        let mut tables = Tables::new();
        for n in 0..MOST as u64 {
            assert!(tables.note(device(n), n << 12..(n + 1) << 12));
        }
        assert!(!tables.note(device(99), 0x1000..0x2000));
        assert!(tables.note(device(3), 0x1000..0x2000));
    }
}
