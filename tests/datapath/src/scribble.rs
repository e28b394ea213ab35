//! A host that writes into the shared memory while the driver works, from another thread.
//!
//! Under Miri this shows that the driver has no data race with the host. Everywhere it shows that
//! nothing the host writes makes the driver panic, hang, or reach outside its memory.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use ::frame::Outgoing;
use block::BlockDevice;
use testkit::executor::block_on;
use testkit::fake_virtio::{FakeBlock, FakeNet, FakeVirtio, Style};
use testkit::random::Seeded;
use testkit::shared_memory::SharedMemory;

use crate::setup::{CARD, WithDisk, card_pool, disk, frame, receive, rig_of};

/// Words of one size that are scribbled over. The size is that of the driver's accesses: Miri
/// cannot judge a race between sizes.
#[derive(Clone)]
struct Target {
    words: Range<u64>,
    size: u64,
}

/// A thread that writes random words into memory until its value is gone.
struct Scribbler {
    stop: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Scribbler {
    /// Starts to write into `targets`.
    fn start(memory: SharedMemory, targets: Vec<Target>) -> Self {
        let (stop, written) = <(Arc<AtomicBool>, Arc<AtomicU64>)>::default();
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&written));
        let thread = thread::spawn(move || {
            let mut random = Seeded::new(7);
            while !stopped.load(Ordering::Relaxed) {
                scribble(&memory, &targets, &mut random);
                count.fetch_add(1, Ordering::Relaxed);
                thread::yield_now();
            }
        });
        Self {
            stop,
            written,
            thread: Some(thread),
        }
    }

    /// Lets it write once more at least. On one CPU it may not have had a turn for a long time.
    fn have_a_turn(&self) {
        let before = self.written.load(Ordering::Relaxed);
        while self.written.load(Ordering::Relaxed) == before {
            let alive = self
                .thread
                .as_ref()
                .is_some_and(|thread| !thread.is_finished());
            assert!(alive, "the scribbler writes where there is no memory");
            thread::yield_now();
        }
    }
}

impl Drop for Scribbler {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

/// Writes one random word into one of `targets`.
fn scribble(memory: &SharedMemory, targets: &[Target], random: &mut Seeded) {
    let target = &targets[random.below(targets.len())];
    let count = (target.words.end - target.words.start) / target.size;
    let at = target.words.start + target.size * (random.number() % count);
    let value = random.number();
    let stored = match target.size {
        1 => memory.store8(at, value as u8),
        2 => memory.store16(at, value as u16),
        4 => memory.store32(at, value as u32),
        _ => memory.store64(at, value),
    };
    stored.unwrap();
}

/// Everything that the driver only writes: descriptors and the available ring.
fn written_by_driver(device: &FakeVirtio, queue: usize) -> [Target; 2] {
    let q = device.queue(queue);
    let entries = u64::from(q.size);
    [
        Target {
            words: q.descriptors..q.descriptors + 16 * entries,
            size: 8,
        },
        Target {
            words: q.available..q.available + 4 + 2 * entries,
            size: 2,
        },
    ]
}

/// The used ring: its entries, and its flags and index.
fn written_by_device(device: &FakeVirtio, queue: usize) -> [Target; 2] {
    let q = device.queue(queue);
    [
        Target {
            words: q.used + 4..q.used + 4 + 8 * u64::from(q.size),
            size: 4,
        },
        Target {
            words: q.used..q.used + 4,
            size: 2,
        },
    ]
}

const SECTORS: usize = 8;
const ROUNDS: u64 = if cfg!(miri) { 4 } else { 400 };

#[test]
fn a_host_that_scribbles_over_our_rings_hurts_only_itself() {
    let WithDisk {
        rig, device, disk, ..
    } = disk(Style::Lkvm, FakeBlock::new(SECTORS));
    let targets = written_by_driver(&device, 0).to_vec();
    let host = Scribbler::start(rig.memory.clone(), targets);
    for sector in 0..ROUNDS {
        host.have_a_turn();
        // The device follows whatever it finds in the rings, and so ends in errors; we do not.
        let read = block_on(disk.read(sector % SECTORS as u64, &mut [0; 512]), || {
            rig.clock.advance(Duration::from_secs(1));
            disk.poll();
        });
        if read.is_err() {
            break;
        }
    }
}

#[test]
fn a_host_that_scribbles_over_frames_and_completions_is_survived() {
    let mut ends = 0;
    for _ in 0..if cfg!(miri) { 1 } else { 20 } {
        let rig = rig_of(Style::Qemu, card_pool());
        let fake = Rc::new(RefCell::new(FakeNet::default()));
        fake.borrow_mut().echo = true;
        let device = rig.plug(CARD, Rc::<RefCell<FakeNet>>::clone(&fake));
        let mut card = rig.net(CARD, card_pool()).unwrap();
        let buffers = rig.memory.host().told() + 16 * 1024;
        let frames = Target {
            words: buffers..buffers + 16 * 1024,
            size: 1,
        };
        let mut targets = written_by_device(&device, 0).to_vec();
        targets.push(frames);
        let host = Scribbler::start(rig.memory.clone(), targets);
        for round in 0..ROUNDS.min(40) {
            if card.room() != 0 {
                card.send(&[&frame(round as u8, 200)], Outgoing::default());
            }
            card.flush();
            device.run();
            // Behind the device, whose next entry would cover what was scribbled.
            host.have_a_turn();
            receive(&mut card);
        }
        ends += u32::from(card.take_failure().is_some());
    }
    // The used ring full of rubbish is noticed sooner or later.
    assert!(cfg!(miri) || ends > 0);
}
