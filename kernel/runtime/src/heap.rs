//! The heap: private memory only, and off the data path.
// UNSAFETY: the global allocator.
#![expect(unsafe_code, reason = "GlobalAlloc is an unsafe trait")]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::RefCell;
use core::ops::Range;
use core::ptr::{NonNull, null_mut};

use critical_section::Mutex;
use heapless::Vec;
use linked_list_allocator::Heap;

/// Runs that the heap can have: the arena of the image, the free runs of RAM and what is left of
/// the reserve.
const MAX_RUNS: usize = 36;

#[global_allocator]
static HEAP: Runs = Runs(Mutex::new(RefCell::new(Vec::new())));

/// Runs of memory, each a heap of its own; the last one added is asked first.
struct Runs(Mutex<RefCell<Vec<Heap, MAX_RUNS>>>);

/// How much of the heap is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes in use.
    pub used: usize,
    /// Bytes in all.
    pub size: usize,
}

/// Gives `run` to the heap.
///
/// # Safety
///
/// The run is mapped memory that nothing else uses, now or later, and that the host cannot reach.
pub unsafe fn add(run: Range<u64>) {
    let (Ok(start), Ok(end)) = (usize::try_from(run.start), usize::try_from(run.end)) else {
        return;
    };
    // SAFETY: the caller gives the run away for good.
    let heap = unsafe { Heap::new(start as *mut u8, end - start) };
    critical_section::with(|cs| {
        // A run that finds no place stays idle.
        let _ = HEAP.0.borrow(cs).borrow_mut().push(heap);
    });
}

/// How much of the heap is used now.
pub fn usage() -> Usage {
    critical_section::with(|cs| {
        let runs = HEAP.0.borrow(cs).borrow();
        runs.iter().fold(Usage::default(), |sum, heap| Usage {
            used: sum.used + heap.used(),
            size: sum.size + heap.size(),
        })
    })
}

// SAFETY: each heap gives out disjoint parts of memory that `add` was promised to be its own, with
// the size and alignment asked for. What comes back goes to the heap whose memory it is.
unsafe impl GlobalAlloc for Runs {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        critical_section::with(|cs| {
            let mut runs = self.0.borrow(cs).borrow_mut();
            let found = runs
                .iter_mut()
                .rev()
                .find_map(|h| h.allocate_first_fit(layout).ok());
            found.map_or(null_mut(), NonNull::as_ptr)
        })
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        critical_section::with(|cs| {
            let mut runs = self.0.borrow(cs).borrow_mut();
            let owner = runs
                .iter_mut()
                .find(|h| (h.bottom()..h.top()).contains(&memory));
            if let (Some(heap), Some(memory)) = (owner, NonNull::new(memory)) {
                // SAFETY: the memory lies in this heap, so it was given out by it, with this
                // layout, as the caller of `dealloc` promises.
                unsafe { heap.deallocate(memory, layout) };
            }
        });
    }
}
