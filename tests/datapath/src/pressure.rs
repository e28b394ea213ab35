//! Pools at their minimum under load: what is not there is named and counted, and nothing is lost.

use std::cell::RefCell;
use std::rc::Rc;

use ::frame::Outgoing;
use block::BlockDevice;
use bounce::{Pool, Spacing};
use embassy_futures::join::join_array;
use testkit::executor::block_on;
use testkit::fake_virtio::{FakeBlock, FakeNet, FakeVirtio, Style};
use testkit::rig::Rig;
use virtio::{Block, Net, Offload};

use crate::setup::{CARD, DISK, frame, receive};

const CONNECTIONS: usize = 64;
const FRAMES: usize = 20;
const REQUESTS: usize = 32;
/// Bytes of a request.
const LEN: usize = 48 << 10;
/// Turns for which devices take nothing.
const STALL: usize = 5;

/// A card that echoes, and what its connections still send and have back.
struct Card {
    card: Net,
    device: Rc<FakeVirtio>,
    pool: Pool,
    sent: [usize; CONNECTIONS],
    back: [usize; CONNECTIONS],
    turn: usize,
}

/// The frame with number `number` of a connection: it says so itself.
fn numbered(connection: usize, number: usize) -> Vec<u8> {
    let mut bytes = frame(connection as u8, 500 + 7 * number);
    bytes[..2].copy_from_slice(&[connection as u8, number as u8]);
    bytes
}

impl Card {
    /// Sends what there is room for, one frame of each connection after the other, and takes what is back.
    fn turn(&mut self) {
        self.turn += 1;
        self.device.pause(self.turn < STALL);
        for connection in 0..CONNECTIONS {
            let number = self.sent[connection];
            let bytes = numbered(connection, number);
            if number < FRAMES && self.card.room() >= bytes.len() {
                self.card.send(&[&bytes], Outgoing::default());
                self.sent[connection] += 1;
            }
        }
        self.card.flush();
        self.device.run();
        while let Some(bytes) = receive(&mut self.card) {
            let connection = usize::from(bytes[0]);
            let expected = numbered(connection, self.back[connection]);
            assert!(bytes == expected, "connection {connection}: out of order");
            self.back[connection] += 1;
        }
    }
}

/// Writes and reads back, with other bytes for each request.
async fn request(disk: &Block, number: usize) {
    let bytes = frame(number as u8, LEN);
    let sector = (number * LEN / 512) as u64;
    assert_eq!(disk.write(sector, &bytes).await, Ok(()));
    let mut back = vec![0; LEN];
    assert_eq!(disk.read(sector, &mut back).await, Ok(()));
    assert!(back == bytes, "request {number}");
}

fn is_named(pool: &Pool, queue: u16) {
    let counters = pool.counters();
    let last = counters.shortage.unwrap();
    assert!(counters.exhausted > 0 && last.wanted > 0, "{counters:?}");
    assert_eq!(last.queue, Some(queue));
    assert!(last.largest <= last.free && last.free < last.wanted.max(LEN));
}

#[test]
fn pools_at_their_minimum_lose_nothing_of_64_connections_and_32_requests() {
    for spacing in [Spacing::Packed, Spacing::Strict] {
        let needs = [<Net>::needs(spacing).least, <Block>::needs(spacing).least];
        let bytes = needs.map(|len| len.next_multiple_of(4096)).iter().sum();
        let rig = Rig::with_memory(Style::Qemu, 256, bytes).spaced(spacing);
        let fake = FakeNet {
            echo: true,
            ..FakeNet::default()
        };
        let device = rig.plug(CARD, Rc::new(RefCell::new(fake)));
        let sectors = REQUESTS * LEN / 512;
        let disk_device = rig.plug(DISK, Rc::new(RefCell::new(FakeBlock::new(sectors))));
        let pool = rig.region.pool("0000:00:01.0", needs[0]).unwrap();
        let disk_pool = rig.region.pool("0000:00:02.0", needs[1]).unwrap();
        let card = rig.open(CARD).unwrap();
        let card = <Net>::start_with(card, &pool, rig.environment, Offload::All).unwrap();
        let disk = rig.open(DISK).unwrap();
        let disk = <Block>::start(disk, &disk_pool, rig.environment).unwrap();
        let mut card = Card {
            card,
            device,
            pool,
            sent: [0; CONNECTIONS],
            back: [0; CONNECTIONS],
            turn: 0,
        };
        disk_device.pause(true);
        let requests = std::array::from_fn::<_, REQUESTS, _>(|number| request(&disk, number));
        block_on(join_array(requests), || {
            card.turn();
            if card.turn == STALL {
                disk_device.pause(false);
                disk_device.run();
            }
            disk.poll();
        });
        for _ in 0..10_000 {
            card.turn();
        }
        assert_eq!(card.back, [FRAMES; CONNECTIONS], "{spacing:?}");
        is_named(&card.pool, 1);
        is_named(&disk_pool, 0);
        assert_eq!((card.card.failure(), disk.failure()), (None, None));
        assert_eq!(card.device.faults() + disk_device.faults(), 0);
        // It recovers: there is room again.
        assert!(card.card.room() > 0);
    }
}
