//! As many machines at a time as there are processors.

use std::num::NonZero;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

static RUNNING: Mutex<usize> = Mutex::new(0);
static FREE: Condvar = Condvar::new();

/// The right to run one machine. It ends with this value, also when a test fails.
pub struct Turn(());

/// Waits for a turn.
pub fn take() -> Turn {
    let most = thread::available_parallelism().map_or(1, NonZero::get);
    let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut running = FREE
        .wait_while(running, |running| *running >= most)
        .unwrap_or_else(PoisonError::into_inner);
    *running = running.saturating_add(1);
    Turn(())
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        *running = running.saturating_sub(1);
        FREE.notify_one();
    }
}
