//! The form of a stream: frames, each with a head of 32 bytes and a body. All numbers are little-endian.
//!
//! | bytes of the head | what |
//! | --- | --- |
//! | 0 to 3 | `ALTR` |
//! | 4 | version, 1 |
//! | 5 | kind |
//! | 6, 7 | 0 |
//! | 8 to 11 | number of the frame, from 0: a gap is a frame that is missing |
//! | 12 to 15 | bytes of the body, at most 64 KiB |
//! | 16 to 23 | when the frame was made, in nanoseconds |
//! | 24 to 31 | events that were lost so far |
//!
//! | kind | body |
//! | --- | --- |
//! | 1, devices | when the image was entered (8 bytes); for each device the length of its name (1) and its name |
//! | 2, events | events of 24 bytes: time (8), address (6), device (1), queue (1), length (4), slot (2), purpose (1), direction (1) |
//! | 3, sample | events recorded (8), events and bytes of the transport itself (8 each), pools and queues that follow (1 each); for each pool its device (1), bytes out, bytes in, copies, size, leased, high water, times exhausted (8 each); for each queue device (1), queue (1), requests in flight (2), bytes lent and high water (8 each) |
//! | 4, end | nothing: the image ended, and this is all |
//!
//! A reader skips kinds that it does not know.

use alloc::rc::Rc;
use alloc::vec::Vec;

use clock::Instant;

use crate::{EVENT_BYTES, Own, PoolSample, QueueSample, Trace};

/// The first bytes of each frame.
pub const MAGIC: [u8; 4] = *b"ALTR";
/// The version of this form.
pub const VERSION: u8 = 1;
/// Bytes of a head.
pub const HEAD: usize = 32;
/// Most bytes of a body.
pub const MAX_BODY: usize = 64 * 1024;
/// Most events of one frame.
pub const MAX_EVENTS: usize = MAX_BODY / EVENT_BYTES;
/// Most bytes of a name.
pub const MAX_NAME: usize = 64;
/// Bytes of a pool in a sample.
pub(crate) const POOL_BYTES: usize = 57;
/// Bytes of a queue in a sample.
pub(crate) const QUEUE_BYTES: usize = 20;

pub(crate) const DEVICES: u8 = 1;
pub(crate) const EVENTS: u8 = 2;
pub(crate) const SAMPLE: u8 = 3;
pub(crate) const END: u8 = 4;

/// Makes frames, in order.
#[derive(Debug, Default)]
pub struct Writer {
    sequence: u32,
    devices: usize,
}

impl Writer {
    /// Adds the oldest events of `trace` to `out`, at most `most` of them, and before them the names of devices
    /// where there are new ones. `entry` is when the image was entered. Adds nothing where nothing waits.
    pub fn events(
        &mut self,
        out: &mut Vec<u8>,
        trace: &Trace,
        (now, entry): (Instant, Instant),
        most: usize,
    ) {
        if trace.devices() != self.devices {
            self.devices = trace.devices();
            let names = (0..=u8::MAX).map_while(|device| trace.name(device));
            self.frame(out, (now, trace.lost()), DEVICES, |body| {
                body.extend(entry.as_nanos().to_le_bytes());
                names.for_each(|name| put_name(body, &name));
            });
        }
        if !trace.is_empty() {
            self.frame(out, (now, trace.lost()), EVENTS, |body| {
                trace.take(most.min(MAX_EVENTS), body);
            });
        }
    }

    /// Adds what pools and queues are like.
    pub fn sample(
        &mut self,
        out: &mut Vec<u8>,
        trace: &Trace,
        now: Instant,
        pools: &[PoolSample],
        queues: &[QueueSample],
    ) {
        let pools = pools.get(..usize::from(u8::MAX)).unwrap_or(pools);
        let queues = queues.get(..usize::from(u8::MAX)).unwrap_or(queues);
        let Own { events, bytes } = trace.own();
        let counts = [pools.len(), queues.len()].map(|n| u8::try_from(n).unwrap_or(u8::MAX));
        self.frame(out, (now, trace.lost()), SAMPLE, |body| {
            for word in [trace.recorded(), events, bytes] {
                body.extend(word.to_le_bytes());
            }
            body.extend(counts);
            pools.iter().for_each(|pool| put_pool(body, pool));
            queues.iter().for_each(|queue| put_queue(body, queue));
        });
    }

    /// Adds the end.
    pub fn end(&mut self, out: &mut Vec<u8>, trace: &Trace, now: Instant) {
        self.frame(out, (now, trace.lost()), END, |_| {});
    }

    fn frame(
        &mut self,
        out: &mut Vec<u8>,
        (now, lost): (Instant, u64),
        kind: u8,
        body: impl FnOnce(&mut Vec<u8>),
    ) {
        out.extend(MAGIC);
        out.extend([VERSION, kind, 0, 0]);
        out.extend(self.sequence.to_le_bytes());
        let length = out.len();
        out.extend([0; 4]);
        out.extend(now.as_nanos().to_le_bytes());
        out.extend(lost.to_le_bytes());
        let start = out.len();
        body(out);
        // Bodies are made here, and stay far below 4 GiB.
        let bytes = u32::try_from(out.len() - start).unwrap_or(0).to_le_bytes();
        if let Some(place) = out.get_mut(length..length + 4) {
            place.copy_from_slice(&bytes);
        }
        self.sequence = self.sequence.wrapping_add(1);
    }
}

fn put_name(body: &mut Vec<u8>, name: &Rc<str>) {
    let bytes = name.as_bytes();
    let bytes = bytes.get(..MAX_NAME).unwrap_or(bytes);
    body.push(u8::try_from(bytes.len()).unwrap_or(0));
    body.extend_from_slice(bytes);
}

fn put_pool(body: &mut Vec<u8>, pool: &PoolSample) {
    body.push(pool.device);
    let words = [
        pool.bytes_out,
        pool.bytes_in,
        pool.copies,
        pool.size,
        pool.leased,
        pool.high_water,
        pool.exhausted,
    ];
    words
        .iter()
        .for_each(|word| body.extend(word.to_le_bytes()));
}

fn put_queue(body: &mut Vec<u8>, queue: &QueueSample) {
    body.extend([queue.device, queue.queue]);
    body.extend(queue.in_flight.to_le_bytes());
    body.extend(queue.lent.to_le_bytes());
    body.extend(queue.high_water.to_le_bytes());
}
