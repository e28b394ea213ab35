//! The data path allocates nothing: not for a frame, not for a request, not for a wait.
//!
//! An allocator counts what drivers ask for while a device looks the other way; the device itself, in
//! between, may allocate as it likes.
// UNSAFETY: an allocator that counts.
#![expect(unsafe_code, reason = "`GlobalAlloc` is an unsafe trait")]
#![expect(
    clippy::unwrap_used,
    reason = "a test that goes wrong should say so, loudly"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use ::frame::{IpVersion, OpenChecksum, Outgoing, Segments};
use block::BlockDevice;
use bounce::Spacing;
use testkit::executor::CountingWaker;
use testkit::fake_virtio::{FakeBlock, FakeNet, FakeVirtio, Style};
use testkit::rig::Rig;
use virtio::{Block, Net};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    /// Allocations of this thread while they count; `None` while they do not.
    static COUNT: Cell<Option<u64>> = const { Cell::new(None) };
}

/// The system's allocator, which counts.
struct Counting;

// SAFETY: each block comes from and goes to `System`, with the layout that the caller names.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get().map(|n| n + 1)));
        // SAFETY: the caller keeps the promises of `alloc`, which are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the promises of `dealloc`, which are the same.
        unsafe { System.dealloc(block, layout) }
    }
}

/// Runs `work`, and says how often it allocated.
fn allocations<T>(work: impl FnOnce() -> T) -> (T, u64) {
    COUNT.with(|count| count.set(Some(0)));
    let result = work();
    let counted = COUNT.with(Cell::take);
    (result, counted.unwrap())
}

/// Runs `work` while `device` looks the other way; nothing may be allocated.
fn silent<T>(device: &FakeVirtio, what: &str, work: impl FnOnce() -> T) -> T {
    device.pause(true);
    let (result, count) = allocations(work);
    device.pause(false);
    assert_eq!(count, 0, "{what} allocates");
    result
}

#[test]
fn the_counter_counts() {
    let (_, count) = allocations(|| std::hint::black_box(Box::new(1)));
    assert_eq!(count, 1);
}

#[test]
fn frames_go_and_come_without_an_allocation() {
    let len = <Net>::needs(Spacing::Packed).wanted.next_multiple_of(4096);
    let rig = Rig::with_memory(Style::Qemu, 256, len);
    let fake = Rc::new(RefCell::new(FakeNet {
        echo: true,
        ..FakeNet::offloading()
    }));
    let device = rig.plug(1, Rc::<RefCell<FakeNet>>::clone(&fake));
    let mut card = rig.net(1, len).unwrap();
    let long = Outgoing {
        checksum: Some(OpenChecksum {
            start: 34,
            offset: 16,
        }),
        segments: Some(Segments {
            ip: IpVersion::V4,
            headers: 54,
            size: 1460,
        }),
    };
    let frame = vec![7; 65_000];
    let mut into = vec![0; 65_549];
    for _ in 0..300 {
        silent(&device, "sending", || {
            assert_ne!(card.room(), 0);
            card.send(&[&frame[..54], &frame[54..]], long);
            card.send(&[&frame[..1514]], Outgoing::default());
            card.flush();
        });
        // It takes what was sent, then gives it back.
        device.run();
        device.run();
        for len in [65_000, 1514] {
            let received = silent(&device, "receiving", || card.receive(&mut into));
            assert_eq!(received.map(|incoming| incoming.len), Some(len));
        }
        silent(&device, "looking in vain", || card.receive(&mut into));
        fake.borrow_mut().sent.clear();
        fake.borrow_mut().headers.clear();
    }
    assert_eq!(card.failure(), None);
}

#[test]
fn requests_of_many_tasks_are_done_without_an_allocation() {
    let len = <Block>::needs(Spacing::Packed)
        .wanted
        .next_multiple_of(4096);
    let rig = Rig::with_memory(Style::Qemu, 256, len);
    let device = rig.plug(2, Rc::new(RefCell::new(FakeBlock::new(4096))));
    let disk = &rig.block(2, len).unwrap();
    // More tasks than requests, so that some of them wait in line.
    let waker = Waker::from(Arc::new(CountingWaker::default()));
    let mut context = Context::from_waker(&waker);
    for round in 0..100_u64 {
        type Task<'a> = Pin<Box<dyn Future<Output = Result<(), block::Error>> + 'a>>;
        let mut tasks: Vec<Option<Task<'_>>> = (0..40_u64)
            .map(|i| {
                let task: Task<'_> = match (i + round) % 4 {
                    0 => Box::pin(async move { disk.write(i * 64, &[1; 4096]).await }),
                    1 => Box::pin(async move { disk.read(i * 64, &mut [0; 20 << 10]).await }),
                    2 => Box::pin(disk.flush()),
                    _ => Box::pin(async move { disk.read(i * 64, &mut [0; 512]).await }),
                };
                Some(task)
            })
            .collect();
        for _ in 0..20 {
            silent(&device, "polling", || {
                for slot in &mut tasks {
                    let Some(task) = slot else { continue };
                    if let Poll::Ready(result) = task.as_mut().poll(&mut context) {
                        assert_eq!(result, Ok(()));
                        *slot = None;
                    }
                }
                disk.poll();
            });
            device.run();
        }
        assert!(tasks.iter().all(Option::is_none), "all are served");
    }
}

#[test]
fn a_buffer_that_is_handed_over_comes_back_without_an_allocation() {
    let rig = Rig::with_memory(Style::Qemu, 256, 4096);
    let needs = <Block<virtio::Direct>>::needs(Spacing::Packed);
    let len = needs.wanted + (256 << 10);
    let fake = Rc::new(RefCell::new(FakeBlock::new(4096)));
    let (device, region) = rig.plug_trusted(2, fake, len);
    let pool = region.pool("0000:00:02.0", len).unwrap();
    let transport = rig.open(2).unwrap();
    let disk = Block::<virtio::Direct>::start(transport, &pool, rig.environment).unwrap();
    let mut context = Context::from_waker(Waker::noop());
    let mut buffer = disk.buffer(64 << 10).unwrap();
    for sector in 0..100 {
        let mut read = Box::pin(disk.read_owned(sector, buffer));
        let pending = silent(&device, "lending", || read.as_mut().poll(&mut context));
        assert!(pending.is_pending());
        device.run();
        let done = silent(&device, "taking back", || read.as_mut().poll(&mut context));
        let Poll::Ready(returned) = done else {
            panic!("it is done")
        };
        buffer = returned.buffer.unwrap();
    }
    assert_eq!(device.faults(), 0);
}
