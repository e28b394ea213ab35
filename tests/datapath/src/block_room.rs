//! A disk whose requests, memory or descriptors are all taken: who waits sleeps, is woken when there is room and not
//! before, and the device is asked for nothing meanwhile.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::Poll;

use block::{BlockDevice, Error};
use bounce::{Counters, Pool, Private, Region, Shortage, Spacing};
use testkit::executor::Call;
use testkit::fake_virtio::{FakeBlock, FakeVirtio, Style};
use testkit::rig::Rig;
use virtio::{Block, Depth, Direct, MAX_REQUEST, Path};

use crate::setup::{DISK, disk_pool, rig_of};

/// Bytes of a chunk of data, and how many a disk has.
const CHUNK: usize = 16 << 10;
const CHUNKS: usize = MAX_REQUEST / CHUNK;
/// Room for a buffer beside what a driver leases.
const BUFFER: usize = 4096;

fn read<P: Path>(disk: &Block<P>, len: usize) -> Call<'_, Result<(), Error>> {
    Call::new(async move { disk.read(0, &mut vec![0; len]).await })
}

/// A disk with a queue of `queue` entries that does up to `depth` requests at once.
fn disk(queue: u16, depth: &str) -> (Rc<FakeVirtio>, Pool, Block) {
    let mut rig = rig_of(Style::Qemu, disk_pool());
    rig.queue_size = queue;
    let device = rig.plug(DISK, Rc::new(RefCell::new(FakeBlock::new(4096))));
    let pool = rig.pool(disk_pool());
    let (transport, depth) = (rig.open(DISK).unwrap(), Depth::parse(depth).unwrap());
    let disk = Block::start_with(transport, &pool, rig.environment, depth).unwrap();
    (device, pool, disk)
}

/// What calls meanwhile do is done: the device looks, and so does the loop.
fn turn<P: Path>(device: &FakeVirtio, disk: &Block<P>) {
    device.run();
    disk.poll();
}

/// Reads that take what the one before the last has left, so that the last has four runs, and six of a queue's eight
/// entries. The device has it and does nothing; a request is free, and so is most of the memory.
fn splinter<'a, P: Path>(disk: &'a Block<P>, device: &FakeVirtio) -> Call<'a, Result<(), Error>> {
    let mut last = read(disk, CHUNK);
    assert!(last.poll().is_pending());
    for chunks in [1, 2, 2, 3, 3, 4] {
        turn(device, disk);
        device.pause(chunks == 4);
        let mut next = read(disk, chunks * CHUNK);
        assert!(next.poll().is_pending());
        // It was done, and its memory is free from here on.
        assert_eq!(last.poll(), Poll::Ready(Ok(())));
        last = next;
    }
    last
}

#[test]
fn who_waits_for_descriptors_sleeps_until_there_are_some() {
    let (device, pool, disk) = disk(8, "2");
    let mut first = splinter(&disk, &device);
    let requests = disk.counters().requests;
    let mut second = read(&disk, CHUNK);
    assert!(second.poll().is_pending());
    for _ in 0..3 {
        assert!(disk.poll().is_some());
    }
    assert_eq!(second.woken(), 0, "there is nothing to do for it");
    assert_eq!((disk.counters().requests, disk.failure()), (requests, None));
    // All but four, of which the first three lie between others.
    let shortage = Shortage {
        queue: Some(0),
        wanted: CHUNK,
        free: (CHUNKS - 4) * CHUNK,
        largest: (CHUNKS - 7) * CHUNK,
    };
    let Counters {
        exhausted,
        shortage: told,
        ..
    } = pool.counters();
    assert_eq!((exhausted, told), (1, Some(shortage)));
    device.pause(false);
    turn(&device, &disk);
    assert_eq!(second.woken(), 1);
    assert!(second.poll().is_pending());
    turn(&device, &disk);
    assert_eq!(second.poll(), Poll::Ready(Ok(())));
    assert_eq!(first.poll(), Poll::Ready(Ok(())));
}

#[test]
fn a_buffer_that_is_handed_over_waits_for_descriptors_as_well() {
    let mut rig = Rig::with_memory(Style::Qemu, 8, 4096);
    rig.queue_size = 8;
    let fake = Rc::new(RefCell::new(FakeBlock::new(4096)));
    let len = <Block<Direct>>::needs(Spacing::Packed).wanted + BUFFER;
    let (device, region): (_, Region<Private>) = rig.plug_trusted(DISK, fake, len);
    let pool = region.pool("0000:00:02.0", len).unwrap();
    let disk: Block<Direct> =
        Block::start(rig.open(DISK).unwrap(), &pool, rig.environment).unwrap();
    let mut first = splinter(&disk, &device);
    let mut second = Call::new(disk.write_owned(64, disk.buffer(BUFFER).unwrap()));
    assert!(second.poll().is_pending());
    disk.poll();
    assert_eq!((disk.usage().in_flight, disk.failure()), (1, None));
    assert_eq!(second.woken(), 0);
    device.pause(false);
    turn(&device, &disk);
    assert_eq!(second.woken(), 1);
    assert!(second.poll().is_pending());
    turn(&device, &disk);
    let Poll::Ready(written) = second.poll() else {
        panic!("it is done");
    };
    assert_eq!((written.result, written.buffer.is_some()), (Ok(()), true));
    assert_eq!(first.poll(), Poll::Ready(Ok(())));
}

#[test]
fn who_waits_for_memory_asks_for_nothing_and_sleeps_until_it_is_free() {
    let (device, _, disk) = disk(256, "32");
    device.pause(true);
    let mut first = read(&disk, MAX_REQUEST);
    let mut second = read(&disk, 512);
    assert!(first.poll().is_pending() && second.poll().is_pending());
    disk.poll();
    assert_eq!((disk.counters().requests, second.woken()), (1, 0));
    let mut flush = Call::new(disk.flush());
    assert!(flush.poll().is_pending());
    assert_eq!(disk.counters().requests, 2, "which needs no memory");
    device.pause(false);
    turn(&device, &disk);
    assert_eq!(flush.poll(), Poll::Ready(Ok(())));
    assert_eq!(second.woken(), 0, "the data still lie there");
    assert_eq!(first.poll(), Poll::Ready(Ok(())));
    assert_eq!(second.woken(), 1);
    assert!(second.poll().is_pending());
    turn(&device, &disk);
    assert_eq!(second.poll(), Poll::Ready(Ok(())));
    assert_eq!(disk.counters().requests, 3);
}

#[test]
fn who_waits_for_a_request_sleeps_until_one_is_free() {
    let (device, _, disk) = disk(256, "1");
    device.pause(true);
    let mut first = read(&disk, 512);
    let mut second = read(&disk, 512);
    assert!(first.poll().is_pending() && second.poll().is_pending());
    disk.poll();
    assert_eq!(second.woken(), 0);
    device.pause(false);
    turn(&device, &disk);
    assert_eq!(first.poll(), Poll::Ready(Ok(())));
    assert_eq!(second.woken(), 1);
}

/// A long call stands in the line until its last request is made; what is free after that is for others.
#[test]
fn who_has_all_it_waited_for_stands_in_the_line_no_more() {
    let (device, _, disk) = disk(256, "1");
    device.pause(true);
    let mut long = read(&disk, MAX_REQUEST + 512);
    let mut other = read(&disk, 512);
    assert!(long.poll().is_pending() && other.poll().is_pending());
    device.pause(false);
    // It makes its second request as soon as it has the data of the first.
    turn(&device, &disk);
    assert!(long.woken() == 1 && long.poll().is_pending());
    turn(&device, &disk);
    assert_eq!(other.woken(), 0);
    assert_eq!(long.poll(), Poll::Ready(Ok(())));
    assert_eq!((long.woken(), other.woken()), (2, 1));
}

#[test]
fn a_disk_takes_no_memory_for_requests_that_its_queue_has_no_room_for() {
    for (queue, depth, requests) in [(8, "256", 2), (64, "256", 21), (64, "5", 5)] {
        let (_, pool, _disk) = disk(queue, depth);
        // One for the rings, and one for all data.
        assert_eq!(pool.counters().leases, 1 + requests + 1);
    }
}

/// QEMU ends a device that is lent a run without a byte.
#[test]
fn a_disk_is_lent_no_run_without_a_byte() {
    let (device, _, disk) = disk(256, "32");
    for mut call in [
        Call::new(disk.flush()),
        read(&disk, 512),
        read(&disk, CHUNK),
    ] {
        assert!(call.poll().is_pending());
        turn(&device, &disk);
        assert_eq!(call.poll(), Poll::Ready(Ok(())));
    }
    assert_eq!(device.faults(), 0);
}
