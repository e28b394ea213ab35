//! Processors that print.

use crate::turn::Turn;
use clock::{Clock, Instant};
use core::time::Duration;
use loom::cell::Cell;
use loom::sync::Arc;
use loom::thread;

/// Time that does not pass: nobody waits for too long.
struct Patient;

impl Clock for Patient {
    fn now(&self) -> Instant {
        Instant::from_nanos(0)
    }

    fn relax(&self) {
        thread::yield_now();
    }
}

/// How long the impatient wait: no time at all.
const NONE: Duration = Duration::ZERO;
const LONG: Duration = Duration::from_secs(1);

/// What is printed on. Loom tells when two do so at once, or one that does not see what another one did.
struct Port(Cell<u32>);

impl Port {
    fn print(&self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn two_processors_never_print_at_once_and_each_sees_what_the_other_did() {
    loom::model(|| {
        let shared = Arc::new((Turn::default(), Port(Cell::new(0))));
        let print = |me: u64| {
            let shared = Arc::clone(&shared);
            move || {
                let (turn, port) = &*shared;
                let hold = turn.take(me, &Patient, LONG);
                port.print();
                turn.release(hold);
            }
        };
        let other = thread::spawn(print(1));
        print(0)();
        other.join().unwrap();
        assert_eq!(shared.1.0.get(), 2);
    });
}

#[test]
fn whose_turn_was_taken_away_cannot_end_that_of_who_took_it() {
    loom::model(|| {
        let turn = Arc::new(Turn::default());
        let slow = Arc::clone(&turn);
        let slow = thread::spawn(move || {
            let hold = slow.take(0, &Patient, LONG);
            slow.release(hold);
        });
        let quick = turn.take(1, &Patient, NONE);
        assert!(turn.is_held(&quick), "who is patient takes nothing away");
        turn.release(quick);
        slow.join().unwrap();
        // It is nobody's now: whoever wants it waits for none.
        let last = turn.take(2, &Patient, NONE);
        assert!(turn.is_held(&last));
    });
}
