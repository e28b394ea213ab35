//! Tasks that wait for a stream.

use alloc::vec::Vec;
use core::task::Waker;

/// Adds a task to those that wait, once.
pub(crate) fn join(waiting: &mut Vec<Waker>, waker: &Waker) {
    if !waiting.iter().any(|other| other.will_wake(waker)) {
        waiting.push(waker.clone());
    }
}
