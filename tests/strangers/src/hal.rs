//! Memory for `virtio-drivers`: its queues lie in the memory that the fakes reach, and what it lends is
//! copied there and back.
// UNSAFETY: the trait is unsafe, and lends by pointers.
#![expect(unsafe_code, reason = "`Hal` is an unsafe trait")]

use std::cell::RefCell;
use std::ptr::NonNull;

use testkit::shared_memory::SharedMemory;
use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};

thread_local! {
    /// The machine of this test.
    static ARENA: RefCell<Option<Arena>> = const { RefCell::new(None) };
}

/// Memory that is handed out from its start, and never twice.
struct Arena {
    memory: SharedMemory,
    next: u64,
}

/// Hands out `memory` from now on, in this thread.
pub fn use_memory(memory: SharedMemory) {
    let next = memory.host().told();
    ARENA.set(Some(Arena { memory, next }));
}

fn arena<T>(with: impl FnOnce(&mut Arena) -> T) -> T {
    ARENA.with_borrow_mut(|arena| with(arena.as_mut().expect("a machine")))
}

impl Arena {
    fn take(&mut self, len: usize, alignment: u64) -> u64 {
        let at = self.next.next_multiple_of(alignment);
        self.next = at + len as u64;
        at
    }
}

/// What `virtio-drivers` knows of the machine.
pub struct FakeHal;

// SAFETY: memory is handed out once, cleared, aligned to pages, and shared for ever; what is lent is
// copied whole, within the bounds that the caller promises.
unsafe impl Hal for FakeHal {
    fn dma_alloc(pages: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        arena(|arena| {
            let len = pages * PAGE_SIZE;
            let at = arena.take(len, PAGE_SIZE as u64);
            arena
                .memory
                .write(at, &vec![0; len])
                .expect("memory for queues");
            (at, arena.memory.host().pointer(at, len))
        })
    }

    unsafe fn dma_dealloc(_: PhysAddr, _: NonNull<u8>, _: usize) -> i32 {
        0
    }

    unsafe fn mmio_phys_to_virt(_: PhysAddr, _: usize) -> NonNull<u8> {
        unreachable!("registers are reached by the transport of this crate")
    }

    unsafe fn share(buffer: NonNull<[u8]>, _: BufferDirection) -> PhysAddr {
        // SAFETY: the caller promises that the buffer is valid and nobody else uses it now.
        let bytes = unsafe { buffer.as_ref() };
        arena(|arena| {
            let at = arena.take(bytes.len(), 16);
            arena.memory.write(at, bytes).expect("memory for buffers");
            at
        })
    }

    unsafe fn unshare(at: PhysAddr, mut buffer: NonNull<[u8]>, direction: BufferDirection) {
        if direction == BufferDirection::DriverToDevice {
            return;
        }
        // SAFETY: as for `share`.
        let bytes = unsafe { buffer.as_mut() };
        let written = arena(|arena| arena.memory.read(at, bytes.len()));
        bytes.copy_from_slice(&written.expect("it was shared"));
    }
}
