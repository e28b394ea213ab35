//! Each word of a device is fetched once, and looks that must be are there.
//!
//! The words that a driver loads are counted: what a host changes between two fetches of one word, no
//! test could time, but a fetch too many or too few shows.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use block::BlockDevice;
use bounce::{Pool, Region, Spacing};
use clock::{Clock, Instant};
use testkit::executor::block_on;
use testkit::fake_clock::FakeClock;
use testkit::fake_virtio::{FakeBlock, FakeConsole, FakeNet, FakeVirtio, Style};
use testkit::shared_memory::SharedMemory;
use virtio::{Block, Console, Net};

use crate::console_device::SLOT;
use crate::setup::{CARD, DISK, QUEUE, card_pool, disk_pool, frame, receive, rig_of};

fn card() -> (Rc<FakeVirtio>, Rc<RefCell<FakeNet>>, Pool, Net) {
    let rig = rig_of(Style::Qemu, card_pool());
    let fake = Rc::new(RefCell::new(FakeNet::default()));
    let device = rig.plug(CARD, Rc::<RefCell<FakeNet>>::clone(&fake));
    let pool = rig.pool(card_pool());
    let card = <Net>::start(rig.open(CARD).unwrap(), &pool, rig.environment).unwrap();
    (device, fake, pool, card)
}

/// Words that `work` loads.
fn loaded<T>(pool: &Pool, work: impl FnOnce() -> T) -> (T, u64) {
    let before = pool.words_loaded();
    let result = work();
    (result, pool.words_loaded() - before)
}

/// Index, id and length. A length fetched again could be another one.
#[test]
fn a_frame_costs_one_fetch_of_each_word_of_its_completion() {
    let (device, fake, pool, mut card) = card();
    for round in 0..600_u32 {
        fake.borrow_mut()
            .incoming
            .push_back(frame(round as u8, 100));
        card.flush();
        device.run();
        let mut into = [0; 1514];
        let (received, words) = loaded(&pool, || card.receive(&mut into));
        assert!(received.is_some());
        assert_eq!(words, 3, "round {round}");
    }
}

/// The index is looked at again after the device was asked for an interrupt: what came in between
/// would be lost, or late.
#[test]
fn whoever_asks_for_an_interrupt_looks_once_more() {
    let (device, fake, pool, mut card) = card();
    fake.borrow_mut().incoming.push_back(frame(1, 100));
    device.run();
    assert!(receive(&mut card).is_some());
    card.flush();
    let mut into = [0; 1514];
    let (_, words) = loaded(&pool, || card.receive(&mut into));
    assert_eq!(words, 2, "one look, one after asking");
    let (_, words) = loaded(&pool, || card.receive(&mut into));
    assert_eq!(words, 1, "it was asked already");
}

/// Nothing of a chain is read back, however long it is.
#[test]
fn a_request_costs_one_fetch_of_each_word_of_its_completion() {
    let rig = rig_of(Style::Qemu, disk_pool());
    let device = rig.plug(DISK, Rc::new(RefCell::new(FakeBlock::new(2048))));
    let pool = rig.pool(disk_pool());
    let disk = <Block>::start(rig.open(DISK).unwrap(), &pool, rig.environment).unwrap();
    for len in [512, 64 << 10, 1 << 20] {
        device.pause(true);
        let mut into = vec![0; len];
        let mut turns = 0;
        let (read, words) = loaded(&pool, || {
            block_on(disk.read(0, &mut into), || {
                turns += 1;
                device.pause(false);
                device.run();
            })
        });
        assert_eq!((read, turns), (Ok(()), 1));
        // The index before there is anything, where the device wants its doorbell, and the three of
        // the completion; then the index once more, whether there is another one.
        assert_eq!(words, 1 + 1 + 3 + 1, "{len} bytes");
    }
}

/// Where the device is with messages about ports; there is nothing else that it could have said.
#[test]
fn a_look_at_a_console_of_which_nobody_wants_anything_costs_one_fetch() {
    let wanted = <Console>::needs(Spacing::Packed).wanted;
    let rig = rig_of(Style::Qemu, wanted);
    let fake = FakeConsole::with_ports(&["one", "two"]);
    let device = rig.plug(SLOT, Rc::new(RefCell::new(fake)));
    let pool = rig.pool(wanted);
    let console = <Console>::start(rig.open(SLOT).unwrap(), &pool, rig.environment).unwrap();
    for _ in 0..4 {
        device.run();
        console.poll();
    }
    let (_, words) = loaded(&pool, || console.poll());
    assert_eq!(words, 1);
}

/// A card, and what is behind it.
type Card = (Rc<FakeVirtio>, Rc<RefCell<FakeNet>>);

/// A clock that lets a device go on whenever the time is asked for: while a frame is copied, for its
/// place in the trace.
#[derive(Default)]
struct Meddling {
    time: FakeClock,
    device: RefCell<Option<Card>>,
    left: Cell<u32>,
}

impl Clock for Meddling {
    fn now(&self) -> Instant {
        if let (Some((device, fake)), left @ 1..) = (&*self.device.borrow(), self.left.get()) {
            self.left.set(left - 1);
            fake.borrow_mut().incoming.push_back(frame(1, 5));
            device.run();
        }
        self.time.now()
    }

    fn relax(&self) {
        self.time.relax();
    }
}

/// Case 8: whenever a frame is taken, there is another one, too short to be delivered.
#[test]
fn a_flood_does_not_keep_the_caller() {
    let mut rig = rig_of(Style::Qemu, card_pool());
    let (window, memory) = SharedMemory::new(rig.region.len());
    rig.memory = memory;
    let clock = Rc::new(Meddling::default());
    let region = Region::new(window, Rc::<Meddling>::clone(&clock)).unwrap();
    region.trace().enable(audit::Keep::Copies, 1 << 16);
    let pool = region.pool("0000:00:01.0", card_pool()).unwrap();
    let fake = Rc::new(RefCell::new(FakeNet::default()));
    let device = rig.plug(CARD, Rc::<RefCell<FakeNet>>::clone(&fake));
    let mut card = <Net>::start(rig.open(CARD).unwrap(), &pool, rig.environment).unwrap();
    fake.borrow_mut().incoming.push_back(frame(1, 5));
    device.run();
    clock.device.replace(Some((device, fake)));
    clock.left.set(100_000);
    assert_eq!(receive(&mut card), None);
    let dropped = card.counters().dropped;
    assert!((100..=u64::from(QUEUE)).contains(&dropped), "{dropped}");
    assert_eq!(card.failure(), None);
}
