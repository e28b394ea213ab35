//! Messages of a device: its table, which vectors it was told, and what it sent.

use std::cell::RefCell;

/// What a vector register reads when there is no vector.
pub(super) const NONE: u16 = 0xffff;

/// Words of an entry: address, address, data, control.
const ENTRY: usize = 4;
/// Entries that a table may have.
///
/// Ref: PCI Express Base 6.0, 7.7.2.2.
const MOST: usize = 2048;

/// The messages of one device.
#[derive(Default)]
pub(super) struct Vectors {
    table: RefCell<Vec<u32>>,
    /// The vector of the configuration, and those of the queues.
    told: RefCell<Vec<u16>>,
    sent: RefCell<Vec<(u64, u32)>>,
}

impl Vectors {
    /// Forgets what a reset forgets, for `queues` queues.
    pub(super) fn forget(&self, queues: usize) {
        *self.told.borrow_mut() = vec![NONE; queues + 1];
    }

    /// The vector that the configuration (0) or a queue was told.
    pub(super) fn told(&self, whose: usize) -> u16 {
        self.told.borrow().get(whose).copied().unwrap_or(NONE)
    }

    pub(super) fn tell(&self, whose: usize, vector: u16) {
        if let Some(told) = self.told.borrow_mut().get_mut(whose) {
            *told = vector;
        }
    }

    pub(super) fn read(&self, at: u64) -> u32 {
        let table = self.table.borrow();
        table.get(at as usize / 4).copied().unwrap_or(0)
    }

    /// Writes a word of the table; what lies behind the longest there can be is lost, as somebody may take any
    /// address for one of it.
    pub(super) fn write(&self, at: u64, value: u32) {
        let mut table = self.table.borrow_mut();
        let place = at as usize / 4;
        if place >= MOST * ENTRY {
            return;
        }
        if table.len() <= place {
            table.resize(place + 1, 0);
        }
        table[place] = value;
    }

    /// Sends the message of `whose` vector; says whether there is one.
    pub(super) fn send(&self, whose: usize) -> bool {
        let vector = self.told(whose);
        if vector == NONE {
            return false;
        }
        let at = ENTRY * usize::from(vector);
        let table = self.table.borrow();
        let word = |i: usize| table.get(at + i).copied().unwrap_or(0);
        if word(3) & 1 == 0 {
            let address = u64::from(word(1)) << 32 | u64::from(word(0));
            self.sent.borrow_mut().push((address, word(2)));
        }
        true
    }

    /// Messages so far: where, and what.
    pub(super) fn sent(&self) -> Vec<(u64, u32)> {
        self.sent.borrow().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_no_longer_than_one_can_be() {
        let vectors = Vectors::default();
        vectors.write(16 * 2047 + 12, 7);
        vectors.write(1 << 40, 9);
        assert_eq!(vectors.table.borrow().len(), MOST * ENTRY);
        assert_eq!(
            (vectors.read(16 * 2047 + 12), vectors.read(1 << 40)),
            (7, 0)
        );
    }
}
