//! Somebody else writes to shared pages while the guest uses them.

use alloc::vec::Vec;

use hostile::random::mix;

/// A change, as the number in a script says it.
///
/// | bits | meaning |
/// | --- | --- |
/// | 63 | among the rings, and not anywhere |
/// | 62 | the old bytes come back at the next tick |
/// | 61..56 | what is done |
/// | 55..24 | which ring, or which page |
/// | 23..0 | where in it |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change(u64);

/// Bytes that change at once.
const WORD: usize = 4;

impl Change {
    /// The change that `value` says.
    #[must_use]
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// Its place: `rings` with their lengths, and `pages`.
    #[must_use]
    pub fn place(self, rings: &[(u64, u64)], pages: &[u64]) -> Option<u64> {
        let which = self.0 >> 24 & 0xffff_ffff;
        let pick = |count: usize| usize::try_from(which).ok()?.checked_rem(count);
        let within = |len: u64| ((self.0 & 0xff_ffff) % len.max(1)) & !(WORD as u64 - 1);
        if self.0 >> 63 == 1 && !rings.is_empty() {
            let (start, len) = rings.get(pick(rings.len())?)?;
            return Some(start + within(*len));
        }
        let page = pages.get(pick(pages.len())?)?;
        Some(page + within(4096))
    }

    /// What the word becomes.
    #[must_use]
    pub fn apply(self, old: u32) -> u32 {
        let noise = mix(self.0).to_le_bytes();
        let [a, b, c, d, ..] = noise;
        match self.0 >> 56 & 7 {
            0 => 0,
            1 => u32::MAX,
            2 => old.wrapping_add(1),
            3 => old.wrapping_add(0x1_0000),
            4 => old ^ 1 << (a % 32),
            5 => old & 0xffff | u32::from(b) << 16,
            _ => u32::from_le_bytes([a, b, c, d]),
        }
    }

    /// Whether the old bytes come back.
    #[must_use]
    pub const fn comes_back(self) -> bool {
        self.0 >> 62 & 1 == 1
    }
}

/// Keeps what has to come back.
#[derive(Clone, Debug, Default)]
pub struct Scribbler {
    back: Vec<(u64, [u8; WORD])>,
}

impl Scribbler {
    /// Notes that `change` takes the place of `old` at `address`.
    pub fn note(&mut self, change: Change, address: u64, old: [u8; WORD]) {
        if change.comes_back() {
            self.back.push((address, old));
        }
    }

    /// What comes back now.
    pub fn take(&mut self) -> Vec<(u64, [u8; WORD])> {
        core::mem::take(&mut self.back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_stays_inside_its_ring_or_page() {
        let rings = [(0x1000, 100), (0x2000, 6)];
        for n in 0..1000 {
            let change = Change::new(mix(n));
            let at = change.place(&rings, &[0x10_0000]).unwrap();
            let inside = [(0x1000, 100), (0x2000, 8), (0x10_0000, 4096)];
            assert!(
                inside
                    .iter()
                    .any(|(from, len)| (*from..from + len).contains(&at))
            );
            assert_eq!(at % 4, 0);
        }
        assert_eq!(Change::new(7).place(&[], &[]), None);
    }
}
