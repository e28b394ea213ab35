//! Memory for what has no fixed size: tokens, while they are made and fetched.
// UNSAFETY: an allocator, over memory of the monitor's own.
#![expect(unsafe_code, reason = "`GlobalAlloc` is an unsafe trait")]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::NonNull;

use linked_list_allocator::Heap;
use spin::Mutex;

/// Bytes of the heap. A token is under 4 KiB, and there is one at a time, with its parts; devices of
/// our own keep what was written to them, and the lies that they told.
const SIZE: usize = 8 << 20;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator(Mutex::new(None));
static MEMORY: Memory = Memory(UnsafeCell::new([0; SIZE]));

/// The bytes of the heap.
#[repr(C, align(16))]
struct Memory(UnsafeCell<[u8; SIZE]>);

// SAFETY: only the allocator uses the bytes, under its lock.
unsafe impl Sync for Memory {}

/// A heap that begins when it is first used.
struct Allocator(Mutex<Option<Heap>>);

impl Allocator {
    fn with<T>(&self, work: impl FnOnce(&mut Heap) -> T) -> T {
        let mut heap = self.0.lock();
        work(heap.get_or_insert_with(|| {
            // SAFETY: this happens once, under the lock, and nothing else names these bytes, which
            // live as long as the machine runs.
            unsafe { Heap::new(MEMORY.0.get().cast(), SIZE) }
        }))
    }
}

// SAFETY: `Heap` gives out blocks that fit the layout and do not overlap, and is locked meanwhile.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let block = self.with(|heap| heap.allocate_first_fit(layout));
        block.map_or(core::ptr::null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if let Some(block) = NonNull::new(block) {
            // SAFETY: by the contract of `dealloc`, `alloc` gave out this block for this layout.
            self.with(|heap| unsafe { heap.deallocate(block, layout) });
        }
    }
}
