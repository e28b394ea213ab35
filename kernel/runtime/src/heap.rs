//! The heap: private memory only, and off the data path.
//!
//! What comes back is cleared, whoever had it: a library that makes a key leaves its parts in dozens
//! of blocks that it frees. What is still in use when the image ends is cleared by [`clear`].
// UNSAFETY: the global allocator.
#![expect(unsafe_code, reason = "GlobalAlloc is an unsafe trait")]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::RefCell;
use core::hint::black_box;
use core::ops::Range;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicUsize, Ordering};

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

/// The part of each run that was ever given out: from its start to the first byte that never was.
/// Not behind the lock of the runs, which the code that panicked may hold.
static TOUCHED: [Touched; MAX_RUNS] = [const { Touched::new() }; MAX_RUNS];

struct Touched {
    start: AtomicUsize,
    end: AtomicUsize,
}

impl Touched {
    const fn new() -> Self {
        Self {
            start: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
        }
    }

    fn begin(&self, start: usize) {
        self.start.store(start, Ordering::Relaxed);
        self.end.store(start, Ordering::Relaxed);
    }

    fn reach(&self, end: usize) {
        self.end.fetch_max(end, Ordering::Relaxed);
    }
}

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
        let mut runs = HEAP.0.borrow(cs).borrow_mut();
        // A run that finds no place stays idle.
        if let Some(touched) = TOUCHED.get(runs.len()) {
            touched.begin(start);
            let _ = runs.push(heap);
        }
    });
}

/// Clears all that was ever given out, and with it what the allocator knows.
///
/// # Safety
///
/// Nothing of the heap is used afterwards: the image ends.
pub unsafe fn clear() {
    for touched in &TOUCHED {
        let (start, end) = (&touched.start, &touched.end);
        let (start, end) = (start.load(Ordering::Relaxed), end.load(Ordering::Relaxed));
        // SAFETY: the run is memory that `add` was given, from its start to an end that was given
        // out, and the caller promises that nobody looks at it again.
        unsafe { clear_block(start as *mut u8, end.saturating_sub(start)) };
    }
}

/// Clears a block that nobody uses.
///
/// # Safety
///
/// The block is mapped memory, and nothing refers to it.
unsafe fn clear_block(block: *mut u8, len: usize) {
    if len == 0 {
        return;
    }
    // SAFETY: as the caller promises.
    unsafe { block.write_bytes(0, len) };
    // The compiler must not see that nobody looks at it again.
    black_box(block);
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
                .zip(&TOUCHED)
                .rev()
                .find_map(|(heap, touched)| {
                    let block = heap.allocate_first_fit(layout).ok()?.as_ptr();
                    touched.reach((block as usize).saturating_add(layout.size()));
                    Some(block)
                });
            found.unwrap_or(null_mut())
        })
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller gives back what `alloc` gave him with this layout.
        unsafe { clear_block(memory, layout.size()) };
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
