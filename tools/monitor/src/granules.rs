//! The state of each granule of guest memory.

use core::ops::Range;
use core::sync::atomic::{AtomicU8, Ordering};

use crate::layout::{GRANULE, GUEST_RAM, GuestMemory};

/// What the realm said that it uses a granule for.
///
/// Ref: DEN0137 1.0, A5.2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Ripas {
    /// Nothing: the host may show its own page at the shared alias.
    Empty = 0,
    /// Private memory.
    Ram = 1,
    /// Private memory that the host has taken away.
    Destroyed = 2,
}

impl Ripas {
    /// The number that the RSI has for this state.
    #[must_use]
    pub const fn code(self) -> u64 {
        self as u64
    }

    const fn from_code(code: u8) -> Self {
        match code {
            1 => Self::Ram,
            2 => Self::Destroyed,
            _ => Self::Empty,
        }
    }
}

/// One state per granule, and how many are shared.
pub struct Granules<'a> {
    memory: GuestMemory,
    states: &'a [AtomicU8],
    shared: u64,
    most_shared: u64,
}

impl<'a> Granules<'a> {
    /// States for `memory`, all [`Ripas::Empty`]; counting starts with [`Granules::start_counting`].
    ///
    /// `None` if `states` has too few entries.
    #[must_use]
    pub fn new(memory: GuestMemory, states: &'a [AtomicU8]) -> Option<Self> {
        let count = usize::try_from(memory.size() / GRANULE).ok()?;
        let states = states.get(..count)?;
        for state in states {
            state.store(Ripas::Empty as u8, Ordering::Relaxed);
        }
        let shared = memory.size() / GRANULE;
        Some(Self {
            memory,
            states,
            shared,
            most_shared: 0,
        })
    }

    /// The memory that this describes.
    #[must_use]
    pub fn memory(&self) -> GuestMemory {
        self.memory
    }

    /// The state of the granule that holds `address`; [`Ripas::Empty`] where there is no memory.
    #[must_use]
    pub fn state(&self, address: u64) -> Ripas {
        let cell = self
            .memory
            .granule(address)
            .and_then(|at| self.states.get(at));
        cell.map_or(Ripas::Empty, |cell| {
            Ripas::from_code(cell.load(Ordering::Relaxed))
        })
    }

    /// Whether the whole of `range` is guest memory in the shared half.
    #[must_use]
    pub fn is_shared(&self, range: &Range<u64>) -> bool {
        if !self.memory.covers(range) || range.is_empty() {
            return false;
        }
        granules(range).all(|at| self.state(at) == Ripas::Empty)
    }

    /// Changes the state of the granule at `address`; does nothing where there is no memory.
    pub fn set(&mut self, address: u64, state: Ripas) {
        let before = self.state(address);
        let Some(cell) = self
            .memory
            .granule(address)
            .and_then(|at| self.states.get(at))
        else {
            return;
        };
        cell.store(state as u8, Ordering::Relaxed);
        match (before == Ripas::Empty, state == Ripas::Empty) {
            (true, false) => self.shared = self.shared.saturating_sub(1),
            (false, true) => self.shared = self.shared.saturating_add(1),
            _ => {}
        }
        self.most_shared = self.most_shared.max(self.shared);
    }

    /// Forgets the high-water mark: what was EMPTY before the realm ran was not shared by it.
    pub fn start_counting(&mut self) {
        self.most_shared = self.shared;
    }

    /// Granules that are EMPTY now, and the most there were since counting started.
    #[must_use]
    pub fn shared(&self) -> (u64, u64) {
        (self.shared, self.most_shared)
    }

    /// How far from `base`, and at most to `top`, all granules have one state; and that state.
    #[must_use]
    pub fn run(&self, base: u64, top: u64) -> (u64, Ripas) {
        let state = self.state(base);
        if !self.memory.contains(base) {
            let next = if base < GUEST_RAM {
                GUEST_RAM
            } else {
                u64::MAX
            };
            let end = next.min(top);
            // Memory that is EMPTY itself goes on with the run.
            let more = if end < top && self.state(end) == state {
                self.end_of(end, top, state)
            } else {
                end
            };
            return (more, state);
        }
        (self.end_of(base, top, state), state)
    }

    fn end_of(&self, base: u64, top: u64, state: Ripas) -> u64 {
        let memory_top = self.memory.top().min(top);
        let other = granules(&(base..memory_top)).find(|&at| self.state(at) != state);
        match other {
            Some(at) => at,
            None if state == Ripas::Empty => top,
            None => memory_top,
        }
    }
}

/// The address of each granule that `range` touches.
pub fn granules(range: &Range<u64>) -> impl Iterator<Item = u64> + use<> {
    let first = range.start & !(GRANULE - 1);
    let end = range.end;
    (0u64..).map_while(move |n| {
        let at = first.checked_add(n.checked_mul(GRANULE)?)?;
        (at < end).then_some(at)
    })
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;

    fn states() -> Vec<AtomicU8> {
        (0..4096).map(|_| AtomicU8::new(9)).collect()
    }

    fn memory() -> GuestMemory {
        GuestMemory::new(16 << 20).unwrap()
    }

    #[test]
    fn memory_that_is_not_there_is_empty() {
        let cells = states();
        let granules = Granules::new(memory(), &cells).unwrap();
        assert_eq!(granules.state(0x0900_0000), Ripas::Empty);
        assert_eq!(
            granules.run(0x0800_0000, 0x0900_0000),
            (0x0900_0000, Ripas::Empty)
        );
    }

    #[test]
    fn a_run_ends_where_the_state_changes() {
        let cells = states();
        let mut granules = Granules::new(memory(), &cells).unwrap();
        for at in super::granules(&(GUEST_RAM..GUEST_RAM + 0x10_0000)) {
            granules.set(at, Ripas::Ram);
        }
        let run = granules.run(GUEST_RAM, GUEST_RAM + 0x20_0000);
        assert_eq!(run, (GUEST_RAM + 0x10_0000, Ripas::Ram));
        let run = granules.run(GUEST_RAM + 0x10_0000, GUEST_RAM + 0x2000_0000);
        assert_eq!(run, (GUEST_RAM + 0x2000_0000, Ripas::Empty));
        let run = granules.run(0, GUEST_RAM + 0x2000);
        assert_eq!(run, (GUEST_RAM, Ripas::Empty));
    }

    #[test]
    fn the_high_water_mark_counts_from_the_start_of_the_realm() {
        let cells = states();
        let mut granules = Granules::new(memory(), &cells).unwrap();
        for at in super::granules(&(GUEST_RAM..memory().top())) {
            granules.set(at, Ripas::Ram);
        }
        granules.start_counting();
        granules.set(GUEST_RAM, Ripas::Empty);
        granules.set(GUEST_RAM + GRANULE, Ripas::Empty);
        granules.set(GUEST_RAM, Ripas::Ram);
        assert_eq!(granules.shared(), (1, 2));
    }

    #[test]
    fn a_range_is_shared_only_if_every_granule_of_it_is() {
        let cells = states();
        let mut granules = Granules::new(memory(), &cells).unwrap();
        assert!(granules.is_shared(&(GUEST_RAM..GUEST_RAM + 3 * GRANULE)));
        granules.set(GUEST_RAM + GRANULE, Ripas::Ram);
        assert!(!granules.is_shared(&(GUEST_RAM..GUEST_RAM + 3 * GRANULE)));
        assert!(granules.is_shared(&(GUEST_RAM..GUEST_RAM + GRANULE)));
        assert!(!granules.is_shared(&(0x0900_0000..0x0900_1000)));
    }
}
