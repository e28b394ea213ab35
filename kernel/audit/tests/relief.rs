//! Memory that is got by a copy across the boundary, while events are told.
// UNSAFETY: an allocator that copies before it gives.
#![expect(unsafe_code, reason = "`GlobalAlloc` is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use audit::{Direction, EVENT_BYTES, Event, Keep, Label, Trace};
use clock::Instant;

#[global_allocator]
static ALLOCATOR: Copying = Copying;

thread_local! {
    /// What records a copy when memory is asked for the next time.
    static TRACE: Cell<Option<&'static Trace>> = const { Cell::new(None) };
}

/// The system's allocator. A copy is made before it gives memory, as where a host has to be asked for it.
struct Copying;

// SAFETY: each block comes from and goes to `System`, with the layout that the caller names.
unsafe impl GlobalAlloc for Copying {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if let Ok(Some(trace)) = TRACE.try_with(Cell::take) {
            copy(trace, 9000);
        }
        // SAFETY: the caller keeps the promises of `alloc`, which are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the promises of `dealloc`, which are the same.
        unsafe { System.dealloc(block, layout) }
    }
}

fn copy(trace: &Trace, address: u64) {
    let now = || Instant::from_nanos(7);
    trace.record((0, address), 1, Direction::Out, Label::default(), now);
}

#[test]
fn a_copy_that_is_made_for_the_memory_to_tell_of_copies_is_told_next() {
    let trace: &'static Trace = Box::leak(Box::new(Trace::new()));
    trace.enable(Keep::Runs, 8);
    for address in [100, 200, 300] {
        copy(trace, address);
    }
    let mut told = Vec::new();
    TRACE.set(Some(trace));
    trace.take(usize::MAX, &mut told);
    assert_eq!((told.len(), trace.lost()), (3 * EVENT_BYTES, 0));
    assert_eq!(trace.pop().map(|event: Event| event.address), Some(9000));
    // Nor where the ring itself is got.
    TRACE.set(Some(trace));
    trace.enable(Keep::Runs, 4000);
    assert_eq!((trace.len(), trace.lost()), (0, 0));
    assert!(trace.enabled());
}
