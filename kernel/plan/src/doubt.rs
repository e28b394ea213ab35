//! Messages that never come: when they are sent elsewhere, and when they are given up.

/// Pieces of work that nobody announced, after which something else is tried.
const MISSED: u32 = 8;

/// What to try instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Send the messages to the shared alias of the doorbell.
    Alias,
    /// Use wires.
    Wires,
}

/// How much the messages of devices are doubted. One that arrives ends all doubt for good: the host
/// carries them, and losing some costs time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Doubt {
    missed: u32,
}

impl Doubt {
    /// Whether messages go to the shared alias by now.
    pub const fn uses_alias(&self) -> bool {
        self.missed >= MISSED
    }

    /// Notes work that nobody announced, after `messages` have come in all; says what to try now.
    pub fn note_missed(&mut self, messages: u64) -> Option<Remedy> {
        if messages != 0 {
            return None;
        }
        self.missed = self.missed.saturating_add(1);
        match self.missed {
            MISSED => Some(Remedy::Alias),
            missed if missed == 2 * MISSED => Some(Remedy::Wires),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn messages_that_never_come_go_elsewhere_once_and_are_then_given_up() {
        let mut doubt = Doubt::default();
        let tried: Vec<_> = (1..=100)
            .filter_map(|n| Some((n, doubt.note_missed(0)?)))
            .collect();
        assert_eq!(tried, [(8, Remedy::Alias), (16, Remedy::Wires)]);
        assert!(doubt.uses_alias() && !Doubt::default().uses_alias());
    }

    #[test]
    fn one_message_that_came_is_enough() {
        let mut doubt = Doubt::default();
        for _ in 0..7 {
            assert_eq!(doubt.note_missed(0), None);
        }
        assert!((0..100).all(|_| doubt.note_missed(1).is_none()));
    }
}
