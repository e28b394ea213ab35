//! Whose turn it is: a lock for processors, taken away from who keeps it for too long.

use core::time::Duration;

use clock::Clock;

use crate::shared::{AtomicU64, Ordering};

/// Nobody's turn.
const NOBODY: u64 = 0;
/// Bits of an affinity plus one. Those above count turns, so that two of one processor differ.
const PROCESSOR: u64 = (1 << 40) - 1;
const ONE_TURN: u64 = 1 << 40;

/// What one processor does at a time. One that keeps its turn for too long, because the host does not run it,
/// loses it, and is told when it asks.
#[derive(Debug, Default)]
pub struct Turn {
    current: AtomicU64,
    turns: AtomicU64,
}

/// A turn that was taken.
#[derive(Debug)]
pub struct Hold {
    turn: u64,
    /// It was this processor's before, and ends with that.
    inner: bool,
}

impl Turn {
    /// It is nobody's turn.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self {
            current: AtomicU64::new(NOBODY),
            turns: AtomicU64::new(0),
        }
    }

    /// Waits for the turn of the processor with affinity `me`, and takes it away from one that has it for
    /// longer than `patience`. Who has it already has it again: a panic may have something to say.
    pub fn take(&self, me: u64, clock: &dyn Clock, patience: Duration) -> Hold {
        let me = (me & PROCESSOR) + 1;
        loop {
            let seen = self.current.load(Ordering::Acquire);
            if seen & PROCESSOR == me {
                return Hold {
                    turn: seen,
                    inner: true,
                };
            }
            let mut over = || self.current.load(Ordering::Relaxed) != seen;
            if seen != NOBODY && clock.wait(patience, &mut over) {
                continue;
            }
            let turn = me | self.turns.fetch_add(ONE_TURN, Ordering::Relaxed);
            let (new, old) = (Ordering::Acquire, Ordering::Relaxed);
            if self.current.compare_exchange(seen, turn, new, old).is_ok() {
                return Hold { turn, inner: false };
            }
        }
    }

    /// Whether it still is the turn that `hold` is.
    pub fn is_held(&self, hold: &Hold) -> bool {
        self.current.load(Ordering::Relaxed) == hold.turn
    }

    /// Ends the turn, unless it was taken away, or began before `hold` did.
    pub fn release(&self, hold: Hold) {
        if !hold.inner {
            let (new, old) = (Ordering::Release, Ordering::Relaxed);
            // It fails where the turn is another's by now.
            let _ = self.current.compare_exchange(hold.turn, NOBODY, new, old);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    extern crate std;

    use core::cell::Cell;

    use clock::Instant;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(10);

    /// Time that passes while somebody waits.
    #[derive(Default)]
    struct Steps(Cell<u64>);

    impl Clock for Steps {
        fn now(&self) -> Instant {
            Instant::from_nanos(self.0.get())
        }

        fn relax(&self) {
            self.0.set(self.0.get() + 1_000_000);
        }
    }

    #[test]
    fn who_has_the_turn_may_take_it_again_and_ends_it_once() {
        let (turn, clock) = (Turn::new(), Steps::default());
        let outer = turn.take(0, &clock, PATIENCE);
        let inner = turn.take(0, &clock, PATIENCE);
        turn.release(inner);
        assert!(turn.is_held(&outer));
        turn.release(outer);
        let other = turn.take(1, &clock, PATIENCE);
        assert!(turn.is_held(&other));
        assert!(clock.0.get() == 0, "nobody waited");
    }

    #[test]
    fn who_keeps_it_for_too_long_loses_it_and_cannot_end_the_turn_of_another() {
        let (turn, clock) = (Turn::new(), Steps::default());
        let slow = turn.take(7, &clock, PATIENCE);
        let quick = turn.take(0xff_00ff_ffff, &clock, PATIENCE);
        assert!(!turn.is_held(&slow));
        turn.release(slow);
        assert!(turn.is_held(&quick));
        turn.release(quick);
        // A later turn of the same processor is another one.
        let again = turn.take(7, &clock, PATIENCE);
        assert!(turn.is_held(&again));
    }

    #[test]
    fn one_of_many_threads_has_it_at_a_time() {
        struct Still;
        impl Clock for Still {
            fn now(&self) -> Instant {
                Instant::from_nanos(0)
            }

            fn relax(&self) {
                std::thread::yield_now();
            }
        }
        let (turn, count) = (Turn::new(), AtomicU64::new(0));
        std::thread::scope(|threads| {
            for me in 0..4 {
                let (turn, count) = (&turn, &count);
                threads.spawn(move || {
                    for _ in 0..1000 {
                        let hold = turn.take(me, &Still, PATIENCE);
                        // Two steps: a second thread in between would lose one.
                        let before = count.load(Ordering::Relaxed);
                        std::thread::yield_now();
                        count.store(before + 1, Ordering::Relaxed);
                        turn.release(hold);
                    }
                });
            }
        });
        assert_eq!(count.load(Ordering::Relaxed), 4000);
    }
}
