//! Numbers in the order in which they came, each of which can leave at any time.

use alloc::vec::Vec;

/// No number.
const NONE: u16 = u16::MAX;

#[derive(Clone, Copy)]
struct Link {
    before: u16,
    behind: u16,
}

/// Numbers below a bound in the order in which they came. Nothing here scans, or allocates after it
/// was made.
pub(crate) struct Order {
    links: Vec<Link>,
    first: u16,
    last: u16,
}

impl Order {
    /// For numbers below `bound`.
    pub(crate) fn new(bound: usize) -> Self {
        let alone = Link {
            before: NONE,
            behind: NONE,
        };
        Self {
            links: core::iter::repeat_n(alone, bound).collect(),
            first: NONE,
            last: NONE,
        }
    }

    /// The number that came first of those that are here.
    pub(crate) fn first(&self) -> Option<u16> {
        (self.first != NONE).then_some(self.first)
    }

    /// Puts `number`, which is not here, behind all others.
    pub(crate) fn push(&mut self, number: u16) {
        let before = self.last;
        let link = Link {
            before,
            behind: NONE,
        };
        self.set(number, |l| *l = link);
        self.link(before, number);
        self.last = number;
    }

    /// Takes `number`, which is here, out.
    pub(crate) fn remove(&mut self, number: u16) {
        let Some(Link { before, behind }) = self.links.get(usize::from(number)).copied() else {
            return;
        };
        self.link(before, behind);
        match behind {
            NONE => self.last = before,
            _ => self.set(behind, |l| l.before = before),
        }
    }

    /// Makes `behind` what comes after `before`.
    fn link(&mut self, before: u16, behind: u16) {
        match before {
            NONE => self.first = behind,
            _ => self.set(before, |l| l.behind = behind),
        }
    }

    fn set(&mut self, number: u16, change: impl FnOnce(&mut Link)) {
        if let Some(link) = self.links.get_mut(usize::from(number)) {
            change(link);
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::collections::VecDeque;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn numbers_leave_in_any_order_and_the_rest_stays_in_the_order_of_coming() {
        // Every way of taking five numbers out, one after the other.
        for seed in 0..120_usize {
            let mut order = Order::new(8);
            let mut model: VecDeque<u16> = [3, 1, 7, 0, 5].into();
            model.iter().for_each(|number| order.push(*number));
            let mut choice = seed;
            while !model.is_empty() {
                let gone = model.remove(choice % model.len());
                choice /= model.len() + 1;
                order.remove(gone.unwrap());
                assert_eq!(order.first(), model.front().copied());
                let mut seen = Vec::new();
                let mut at = order.first();
                while let Some(number) = at {
                    seen.push(number);
                    let behind = order.links[usize::from(number)].behind;
                    at = (behind != NONE).then_some(behind);
                }
                assert!(seen.iter().eq(model.iter()));
            }
            order.push(2);
            assert_eq!((order.first(), order.last), (Some(2), 2));
        }
    }
}
