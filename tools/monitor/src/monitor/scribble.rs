//! Who changes memory that is not the guest's alone, and when: shared pages at any instruction, the device tree
//! before the first.

use alloc::vec::Vec;

use hostile::{Part, Place, Point};

use super::Monitor;
use crate::attack::Change;
use crate::layout::GUEST_TREE;
use crate::machine::Machine;

/// Words of shared pages that change at one tick, at most.
const AT_ONCE: usize = 4;
/// Bytes of the tree that change, at most.
const BYTES_OF_TREE: usize = 12;
/// How often a word goes to and fro, at most.
const TIMES: u64 = 4096;

impl<M: Machine> Monitor<M> {
    /// Changes bytes of the device tree.
    pub(super) fn spoil_tree(&mut self) {
        let mut size = [0; 8];
        self.machine.read(GUEST_TREE, &mut size);
        let [.., a, b, c, d] = size;
        let size = u64::from(u32::from_be_bytes([a, b, c, d]));
        for _ in 0..BYTES_OF_TREE {
            let Some(value) = self
                .attack
                .liar
                .misbehave(Place::of(Part::Tree, Point::Content))
            else {
                continue;
            };
            let address = GUEST_TREE + (value >> 16).checked_rem(size).unwrap_or(0);
            let mut byte = [0];
            self.machine.read(address, &mut byte);
            let ([old], [low, high, ..]) = (byte, value.to_le_bytes());
            // A bit, or the whole byte.
            let new = if high % 2 == 0 {
                old ^ 1 << (low % 8)
            } else {
                low
            };
            self.machine.write(address, &[new]);
        }
    }

    /// Changes words of shared pages, if it is time for that.
    pub(super) fn scribble(&mut self) {
        for (address, old) in self.attack.scribbler.take() {
            if self.is_reachable(address) {
                self.machine.write(address, &old);
            }
        }
        self.list_pages();
        let rings = self.rings();
        if rings.is_empty() && self.rounds.pages.is_empty() {
            return;
        }
        for _ in 0..AT_ONCE {
            self.scribble_once(&rings);
        }
    }

    /// Has the attacker's processor do something, unless it is at work.
    pub(super) fn race_on(&mut self) {
        if self.machine.is_racing() {
            return;
        }
        self.list_pages();
        let rings = self.rings();
        if !rings.is_empty() || !self.rounds.pages.is_empty() {
            self.race(&rings);
        }
    }

    /// Where the rings of our devices are, as the machine has them.
    fn rings(&self) -> Vec<(u64, u64)> {
        let bit = self.space.shared_bit();
        let rings = self.attack.bus.rings();
        rings.iter().map(|(at, len)| (at & !bit, *len)).collect()
    }

    fn scribble_once(&mut self, rings: &[(u64, u64)]) {
        if let Some((change, address, old)) = self.change(Point::Scribble, rings) {
            let new = change.apply(u32::from_le_bytes(old));
            self.machine.write(address, &new.to_le_bytes());
            self.attack.scribbler.note(change, address, old);
        }
    }

    /// Has the attacker's processor change a word to and fro while the guest goes on.
    fn race(&mut self, rings: &[(u64, u64)]) {
        if let Some((change, address, old)) = self.change(Point::Race, rings) {
            let old = u32::from_le_bytes(old);
            let new = change.apply(old);
            // What stays is what was, or not.
            let words = if change.comes_back() {
                (old, new)
            } else {
                (new, old)
            };
            let times = hostile::random::mix(u64::from(new) ^ address) % TIMES + 1;
            // A processor that is still at work is let do it.
            let _ = self
                .machine
                .race(address, words, u32::try_from(times).unwrap_or(1));
        }
    }

    /// The next change of this kind, where it is, and what is there; if there is to be one.
    fn change(&mut self, point: Point, rings: &[(u64, u64)]) -> Option<(Change, u64, [u8; 4])> {
        let place = Place::of(Part::Window, point);
        let change = Change::new(self.attack.liar.misbehave(place)?);
        let address = change.place(rings, &self.rounds.pages)?;
        let mut old = [0; 4];
        if !self.is_reachable(address) {
            return None;
        }
        self.machine.read(address, &mut old);
        Some((change, address, old))
    }

    /// Whether the host can write the word at `address`.
    fn is_reachable(&self, address: u64) -> bool {
        let range = address..address.saturating_add(4);
        self.memory.covers(&range)
            && (!self.options.enforce || self.realm.granules.is_shared(&range))
    }
}
