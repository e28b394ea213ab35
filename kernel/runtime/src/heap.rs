//! The heap: private memory only, and off the data path.
//!
//! What comes back is cleared, whoever had it: a library that makes a key leaves its parts in dozens
//! of blocks that it frees. What is still in use when the image ends is cleared by [`clear`].
//!
//! One run may be spare: it is asked after the other runs of RAM, and [`take_block`] takes memory out of it that is
//! given away. Before an allocation fails, whoever gave it away is asked to take some back.
// UNSAFETY: the global allocator.
#![expect(unsafe_code, reason = "GlobalAlloc is an unsafe trait")]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::{Cell, RefCell};
use core::hint::black_box;
use core::ops::Range;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicUsize, Ordering};

use critical_section::Mutex;
use heapless::Vec;
use linked_list_allocator::Heap;
use plan::{BLOCK, BlockSet};

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

/// The number of the spare run among the runs.
static SPARE: Mutex<Cell<Option<usize>>> = Mutex::new(Cell::new(None));
/// Blocks of it that are given away: nothing is mapped there.
static AWAY: BlockSet = BlockSet::new();
/// Takes memory back that was given away, and says whether there was any.
static RELIEF: Mutex<Cell<Option<Relief>>> = Mutex::new(Cell::new(None));

/// Takes memory back; says whether there was any.
pub type Relief = fn() -> bool;

/// A block of the heap that nobody uses: mapped, cleared, and to be given away. It has one owner.
pub struct Block(u64);

impl Block {
    /// A block that comes back.
    ///
    /// # Safety
    ///
    /// It is a block that [`take_block`] gave, and it is mapped and the realm's own as it was then.
    pub const unsafe fn regained(base: u64) -> Self {
        Self(base)
    }

    /// Where it is.
    pub const fn base(&self) -> u64 {
        self.0
    }

    /// Gives it up; says where it was.
    pub const fn into_base(self) -> u64 {
        self.0
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
    // SAFETY: as the caller promises.
    unsafe { add_run(run) };
}

/// The same for the run that blocks are given away from: whole blocks, each mapped by itself.
///
/// # Safety
///
/// As for [`add`].
pub unsafe fn add_spare(run: Range<u64>) {
    AWAY.begin(run.start);
    // SAFETY: as the caller promises.
    let number = unsafe { add_run(run) };
    critical_section::with(|cs| SPARE.borrow(cs).set(number));
}

/// Gives `run` to the heap; says which number it has.
///
/// # Safety
///
/// As for [`add`].
unsafe fn add_run(run: Range<u64>) -> Option<usize> {
    let (start, end) = (usize::try_from(run.start), usize::try_from(run.end));
    let (start, end) = (start.ok()?, end.ok()?);
    // SAFETY: the caller gives the run away for good.
    let heap = unsafe { Heap::new(start as *mut u8, end - start) };
    critical_section::with(|cs| {
        let mut runs = HEAP.0.borrow(cs).borrow_mut();
        let number = runs.len();
        // A run that finds no place stays idle.
        TOUCHED.get(number)?.begin(start);
        runs.push(heap).ok().map(|()| number)
    })
}

/// Blocks that the spare run has.
pub fn spare_blocks() -> u64 {
    critical_section::with(|cs| {
        let runs = HEAP.0.borrow(cs).borrow();
        let number = SPARE.borrow(cs).get();
        let size = number.and_then(|number| Some(runs.get(number)?.size()));
        size.unwrap_or(0) as u64 / BLOCK
    })
}

/// Has `relief` asked before an allocation fails: it may bring memory back by [`put_block`]. It allocates
/// nothing.
pub fn set_relief(relief: Relief) {
    critical_section::with(|cs| RELIEF.borrow(cs).set(Some(relief)));
}

/// Takes a free block out of the spare run, if there is one.
pub fn take_block() -> Option<Block> {
    let size = usize::try_from(BLOCK).ok()?;
    let layout = Layout::from_size_align(size, size).ok()?;
    let block = critical_section::with(|cs| {
        let mut runs = HEAP.0.borrow(cs).borrow_mut();
        let heap = runs.get_mut(SPARE.borrow(cs).get()?)?;
        heap.allocate_first_fit(layout).ok()
    })?;
    // SAFETY: it was just allocated, and nobody knows of it.
    unsafe { clear_block(block.as_ptr(), size) };
    let base = block.as_ptr().expose_provenance() as u64;
    AWAY.add(base);
    Some(Block(base))
}

/// Gives a block back to the heap, cleared.
pub fn put_block(block: Block) {
    let size = usize::try_from(BLOCK).unwrap_or(0);
    let Ok(layout) = Layout::from_size_align(size, size) else {
        return;
    };
    let Block(base) = block;
    AWAY.remove(base);
    // SAFETY: `take_block` allocated it with this layout, and whoever has a `Block` is its only owner and
    // gives it up here.
    unsafe { HEAP.dealloc(base as *mut u8, layout) };
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
        for part in AWAY.outside(start as u64..end as u64) {
            let (Ok(start), Ok(end)) = (usize::try_from(part.start), usize::try_from(part.end))
            else {
                continue;
            };
            // SAFETY: the run is memory that `add` was given, from its start to an end that was given out, but
            // for blocks that are not mapped now; the caller promises that nobody looks at it again.
            unsafe { clear_block(start as *mut u8, end - start) };
        }
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
        let all = runs.iter().fold(Usage::default(), |sum, heap| Usage {
            used: sum.used + heap.used(),
            size: sum.size + heap.size(),
        });
        let away = usize::try_from(AWAY.bytes()).unwrap_or(usize::MAX);
        Usage {
            used: all.used.saturating_sub(away),
            size: all.size.saturating_sub(away),
        }
    })
}

/// Brings memory back for an allocation of `size` bytes, if there is any that could do.
fn relieve(size: usize) -> bool {
    let could_do = size as u64 <= AWAY.bytes().saturating_add(BLOCK);
    let relief = critical_section::with(|cs| RELIEF.borrow(cs).get());
    could_do && AWAY.bytes() != 0 && relief.is_some_and(|relief| relief())
}

// SAFETY: each heap gives out disjoint parts of memory that `add` was promised to be its own, with
// the size and alignment asked for. What comes back goes to the heap whose memory it is.
unsafe impl GlobalAlloc for Runs {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        loop {
            let block = self.find(layout);
            if !block.is_null() || !relieve(layout.size()) {
                return block;
            }
        }
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

impl Runs {
    /// Takes a block from the run that was added last of those that have room; null without one.
    fn find(&self, layout: Layout) -> *mut u8 {
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
}
