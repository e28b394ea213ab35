//! What most tests begin with.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

#[cfg(not(miri))]
use block::BlockDevice;
use bounce::Spacing;
#[cfg(not(miri))]
use embassy_futures::join::join;
#[cfg(not(miri))]
use pci::Bdf;
#[cfg(not(miri))]
use testkit::executor::block_on;
#[cfg(not(miri))]
use testkit::fake_pci::BarModel;
use testkit::fake_virtio::{FakeBlock, FakeNet, FakeVirtio, Style};
use testkit::rig::Rig;
use virtio::{Block, Net};

/// Entries of a queue. Miri gets small ones: it clears every byte of a pool by hand.
pub(crate) const QUEUE: u16 = if cfg!(miri) { 8 } else { 256 };
/// Entries of a disk's queue: under Miri, those of one request.
const DISK_QUEUE: u16 = if cfg!(miri) { 4 } else { QUEUE };
/// Shared memory of a machine with one network card and one disk.
#[cfg(not(miri))]
const MEMORY: usize = 2 << 20;
/// Shared memory of a disk.
pub(crate) fn disk_pool() -> usize {
    if cfg!(miri) {
        80 << 10
    } else {
        <Block>::needs(Spacing::Packed).wanted
    }
}
/// Shared memory of a network card.
pub(crate) fn card_pool() -> usize {
    if cfg!(miri) {
        32 << 10
    } else {
        <Net>::needs(Spacing::Packed).wanted
    }
}

/// Both styles; Miri gets the one with more to it.
pub(crate) const STYLES: &[Style] = if cfg!(miri) {
    &[Style::Lkvm]
} else {
    &[Style::Qemu, Style::Lkvm]
};
/// Slots of the network card and of the disk.
pub(crate) const CARD: u8 = 1;
pub(crate) const DISK: u8 = 2;

/// A machine with a disk.
pub(crate) struct WithDisk {
    pub(crate) rig: Rig,
    pub(crate) device: Rc<FakeVirtio>,
    pub(crate) fake: Rc<RefCell<FakeBlock>>,
    pub(crate) disk: Block,
}

/// A machine with a network card.
pub(crate) struct WithCard {
    pub(crate) rig: Rig,
    pub(crate) device: Rc<FakeVirtio>,
    pub(crate) fake: Rc<RefCell<FakeNet>>,
    pub(crate) card: Net,
}

/// A machine with room for a network card and a disk.
#[cfg(not(miri))]
pub(crate) fn rig(style: Style) -> Rig {
    Rig::with_memory(style, QUEUE, MEMORY)
}

/// A machine with `len` bytes of shared memory, rounded up to pages.
pub(crate) fn rig_of(style: Style, len: usize) -> Rig {
    Rig::with_memory(style, QUEUE, len.next_multiple_of(4096))
}

/// Plugs `fake` in and starts it; lkvm's ways are added in its style.
pub(crate) fn disk(style: Style, mut fake: FakeBlock) -> WithDisk {
    fake.counts_like_lkvm = style == Style::Lkvm;
    fake.shy = style == Style::Lkvm;
    let mut rig = rig_of(style, disk_pool());
    rig.queue_size = DISK_QUEUE;
    let fake = Rc::new(RefCell::new(fake));
    let device = rig.plug(DISK, Rc::<RefCell<FakeBlock>>::clone(&fake));
    let disk = rig.block(DISK, disk_pool()).unwrap();
    WithDisk {
        rig,
        device,
        fake,
        disk,
    }
}

/// Plugs `fake` in and starts it; lkvm's ways are added in its style.
pub(crate) fn card(style: Style, mut fake: FakeNet) -> WithCard {
    fake.counts_reads = style == Style::Lkvm;
    let rig = rig_of(style, card_pool());
    let fake = Rc::new(RefCell::new(fake));
    let device = rig.plug(CARD, Rc::<RefCell<FakeNet>>::clone(&fake));
    let card = rig.net(CARD, card_pool()).unwrap();
    WithCard {
        rig,
        device,
        fake,
        card,
    }
}

/// A disk of which the registers lie from the start; what starting it gives.
#[cfg(not(miri))]
pub(crate) fn start_lying_disk(
    lie: impl FnMut(u64, u32) -> u32 + 'static,
) -> Result<Block, virtio::Error> {
    let rig = rig_of(Style::Qemu, disk_pool());
    let device = rig.plug(DISK, Rc::new(RefCell::new(FakeBlock::new(8))));
    device.lie(|l| l.registers = Some(Box::new(lie)));
    rig.block(DISK, disk_pool())
}

/// Reads two sectors by two requests at once, while `turn` passes the time; what came of both.
#[cfg(not(miri))]
pub(crate) fn read_twice(disk: &Block, turn: impl FnMut()) -> [Result<(), block::Error>; 2] {
    let (mut one, mut two) = ([0; 512], [0; 512]);
    let both = join(disk.read(0, &mut one), disk.read(1, &mut two));
    let (one, two) = block_on(both, turn);
    [one, two]
}

/// A frame of `len` bytes that is different for each `tag`.
pub(crate) fn frame(tag: u8, len: usize) -> Vec<u8> {
    (0..len).map(|i| tag ^ (i % 251) as u8).collect()
}

/// The next frame of a card.
pub(crate) fn receive(card: &mut Net) -> Option<Vec<u8>> {
    let mut into = vec![0; 70_000];
    let len = card.receive(&mut into)?.len;
    into.truncate(len);
    Some(into)
}

/// Where a device of the first bus is.
#[cfg(not(miri))]
pub(crate) fn at(device: u8) -> Bdf {
    Bdf::new(0, device, 0).unwrap()
}

/// Nothing behind the BARs.
#[cfg(not(miri))]
pub(crate) struct Empty;

#[cfg(not(miri))]
impl BarModel for Empty {
    fn read(&self, _bar: u8, _at: u64, _size: u8) -> u32 {
        0
    }
    fn write(&self, _bar: u8, _at: u64, _size: u8, _value: u32) {}
}

/// The device does one request of those that it has, and nothing more.
pub(crate) fn do_one(device: &FakeVirtio) {
    let left = Cell::new(1_u32);
    device.lie(|lies| {
        lies.completions = Some(Box::new(move |used| {
            let comes = left.replace(left.get().saturating_sub(1)) != 0;
            if comes { vec![used] } else { Vec::new() }
        }));
    });
    device.pause(false);
    device.run();
}
