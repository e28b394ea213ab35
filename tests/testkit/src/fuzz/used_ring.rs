//! Any behaviour of devices behind running drivers: what they complete, when, and what they write
//! into the shared memory besides.

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ::frame::{IpVersion, OpenChecksum, Outgoing, Segments};
use block::{BlockDevice, SECTOR_SIZE};
use virtio::{Block, Net};

use super::input::{Input, knows};
use crate::fake_virtio::{FakeBlock, FakeNet, FakeVirtio, Style, Used};
use crate::rig::Rig;

const CARD: usize = 176 << 10;
const DISK: usize = 80 << 10;
const MEMORY: usize = CARD + DISK;
const QUEUE: u16 = 8;
const STEPS: usize = 200;
/// What private buffers hold before they are read into. It may never be seen outside.
const CANARY: &[u8; 16] = b"private canary!!";

struct World {
    rig: Rig,
    devices: [Rc<FakeVirtio>; 2],
    net: Rc<RefCell<FakeNet>>,
    card: Net,
    disk: Block,
    /// Whether the host wrote into the memory at random: then its devices may go astray.
    poked: bool,
}

/// Uses a network card and a disk that do what `bytes` say.
pub fn used_ring(bytes: &[u8]) {
    if knows(bytes, CANARY) {
        return;
    }
    let mut input = Input::new(bytes);
    let mut world = World::new(input.byte());
    for _ in 0..STEPS {
        if input.is_empty() {
            break;
        }
        world.step(&mut input);
    }
    world.end();
}

impl World {
    fn new(choice: u8) -> Self {
        let style = if choice & 1 == 0 {
            Style::Qemu
        } else {
            Style::Lkvm
        };
        let rig = Rig::with_memory(style, QUEUE, MEMORY);
        let net = Rc::new(RefCell::new(if choice & 4 == 0 {
            FakeNet::offloading()
        } else {
            FakeNet::default()
        }));
        net.borrow_mut().echo = choice & 2 != 0;
        let fake_disk = Rc::new(RefCell::new(FakeBlock::new(512)));
        let devices = [
            rig.plug(1, Rc::<RefCell<FakeNet>>::clone(&net)),
            rig.plug(2, fake_disk),
        ];
        let card = rig.net(1, CARD).expect("the device is honest so far");
        let disk = rig.block(2, DISK).expect("the device is honest so far");
        Self {
            rig,
            devices,
            net,
            card,
            disk,
            poked: false,
        }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.byte() % 14 {
            0 => self.read(input),
            1 => self.write(input),
            2 => drop(self.attempt(self.disk.flush(), input.byte())),
            3 => self.send(input),
            4 => self.receive(),
            5 => self.inject(input),
            6 => self.poke(input),
            7 => self.lie(input),
            8 => self
                .rig
                .clock
                .advance(Duration::from_millis(u64::from(input.half()))),
            9 => self.move_index(input),
            10 => self.interrupt(input),
            11 => self.send_long(input),
            12 => self.restart(),
            _ => self.devices[usize::from(input.byte() & 1)].pause(input.byte() & 1 == 0),
        }
    }

    /// Polls `future` a few times while the devices run, and then gives it up.
    fn attempt<F: Future>(&self, future: F, polls: u8) -> Option<F::Output> {
        let mut future = pin!(future);
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..=polls % 4 {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return Some(output);
            }
            self.devices[1].run();
            self.disk.poll();
        }
        None
    }

    fn read(&self, input: &mut Input<'_>) {
        let (sector, sectors) = (u64::from(input.half() % 600), usize::from(input.byte()));
        let mut into = CANARY.repeat(sectors * SECTOR_SIZE / CANARY.len());
        let read = self.attempt(self.disk.read(sector, &mut into), input.byte());
        if let Some(Err(error)) = read {
            assert!(!error.to_string().is_empty());
        }
    }

    fn write(&self, input: &mut Input<'_>) {
        let (sector, sectors) = (u64::from(input.half() % 600), usize::from(input.byte()));
        let from = vec![input.byte(); sectors * SECTOR_SIZE];
        let written = self.attempt(self.disk.write(sector, &from), input.byte());
        if let Some(Err(error)) = written {
            assert!(!error.to_string().is_empty());
        }
    }

    fn send(&mut self, input: &mut Input<'_>) {
        let frame = vec![input.byte(); usize::from(input.half()) % 1600];
        if self.card.room() != 0 {
            self.card.send(&[&frame], Outgoing::default());
        }
        self.card.flush();
    }

    /// Sends what may not fit what it says of itself.
    fn send_long(&mut self, input: &mut Input<'_>) {
        let [start, offset, headers, size] = [0; 4].map(|_: u8| input.half());
        let ip = match input.byte() & 1 {
            0 => IpVersion::V4,
            _ => IpVersion::V6,
        };
        let checksum = OpenChecksum {
            start: start % 128,
            offset: offset % 32,
        };
        let segments = Segments { ip, headers, size };
        let what = Outgoing {
            checksum: Some(checksum),
            segments: (input.byte() & 3 != 0).then_some(segments),
        };
        let frame = vec![input.byte(); usize::from(input.half())];
        let (head, body) = frame.split_at(frame.len().min(usize::from(input.byte())));
        if self.card.room() != 0 {
            self.card.send(&[head, body], what);
        }
        self.card.flush();
    }

    /// Starts the disk anew, if it failed. Whatever the devices did, that is possible: they do reset.
    fn restart(&self) {
        assert_eq!(self.disk.restart(), Ok(()));
        assert_eq!(self.disk.failure(), None);
    }

    fn receive(&mut self) {
        self.devices[0].run();
        let mut into = CANARY.repeat(200);
        if let Some(incoming) = self.card.receive(&mut into) {
            let len = incoming.len;
            assert!((14..=into.len()).contains(&len));
            assert!(incoming.segment_size.is_none_or(|size| size > 1));
            let end = |open: OpenChecksum| usize::from(open.start) + usize::from(open.offset) + 2;
            assert!(incoming.checksum.is_none_or(|open| end(open) <= len));
        }
    }

    fn inject(&self, input: &mut Input<'_>) {
        let frame = vec![input.byte(); usize::from(input.half()) % 9000];
        let mut net = self.net.borrow_mut();
        net.header = input.array();
        net.incoming.truncate(16);
        net.incoming.push_back(frame);
    }

    /// Writes a word somewhere into the shared memory, as the host may at any time.
    fn poke(&mut self, input: &mut Input<'_>) {
        self.poked = true;
        let host = self.rig.memory.host();
        let at = host.told() + u64::from(input.word()) % (host.len() as u64 - 8);
        host.write(at, &input.array::<4>());
    }

    /// Changes completions for a while: their ids, their lengths, their number.
    fn lie(&self, input: &mut Input<'_>) {
        let device = &self.devices[usize::from(input.byte() & 1)];
        let (id, len, times) = (input.word(), input.word(), usize::from(input.byte() % 4));
        let (keep_id, keep_len) = (input.byte() & 1 == 0, input.byte() & 1 == 0);
        let mut left = input.byte() % 8;
        let lie = move |honest: Used| {
            if left == 0 {
                return vec![honest];
            }
            left -= 1;
            let id = if keep_id { honest.id } else { id };
            let len = if keep_len { honest.len } else { len };
            vec![Used { id, len }; times]
        };
        device.lie(|lies| lies.completions = Some(Box::new(lie)));
    }

    fn move_index(&self, input: &mut Input<'_>) {
        let device = &self.devices[usize::from(input.byte() & 1)];
        let queue = device.queue(usize::from(input.byte() & 1).min(device.queues() - 1));
        if queue.enabled {
            let stored = device.memory().store16(queue.used + 2, input.half());
            assert_eq!(stored, Ok(()), "the driver's rings are shared");
        }
    }

    fn interrupt(&self, input: &mut Input<'_>) {
        if input.byte().is_multiple_of(8) {
            self.devices[usize::from(input.byte() & 1)].needs_reset();
        }
        self.disk.interrupt().acknowledge();
        self.card.interrupt().acknowledge();
        self.disk.poll();
    }

    /// What must hold in the end, whatever the devices did.
    fn end(self) {
        let faults: u64 = self.devices.iter().map(|d| d.faults()).sum();
        assert!(self.poked || faults == 0, "only shared addresses were lent");
        assert!(!self.rig.memory.contains(CANARY), "nothing private leaked");
        for failure in [self.card.failure(), self.disk.failure()] {
            assert!(failure.is_none_or(|e| !e.to_string().is_empty()));
        }
        let (region, memory) = (self.rig.region, self.rig.memory);
        drop((self.card, self.disk));
        for (_, counters) in region.counters() {
            assert_eq!(
                counters.leased, 0,
                "devices that reset give everything back"
            );
        }
        memory.host().give_back();
    }
}
