//! A trace as it was kept in a file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use audit::{Body, Decoder, Event, Frame, Own, PoolSample, QueueSample};
use clock::Instant;

/// Bytes that are read at once.
const PIECE: usize = 64 * 1024;

/// What pools and queues were like at one moment.
#[derive(Clone, Debug)]
pub struct Sample {
    /// When.
    pub at: Instant,
    /// Pools.
    pub pools: Vec<PoolSample>,
    /// Queues.
    pub queues: Vec<QueueSample>,
}

/// Everything that a trace says.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// When the image was entered, in nanoseconds of its clock.
    pub entry: u64,
    /// Names of devices.
    pub names: Vec<String>,
    /// Events, in their order.
    pub events: Vec<Event>,
    /// Samples, in their order.
    pub samples: Vec<Sample>,
    /// Events that found no room in the guest.
    pub lost: u64,
    /// Crossings of the trace itself, which are not among the events.
    pub own: Own,
    /// Whether the guest said that this is all.
    pub complete: bool,
}

impl Log {
    /// Reads all of a file; what follows a fault is left out, and the fault is given.
    ///
    /// # Errors
    /// The file cannot be read, or is no trace.
    pub fn read(path: &Path) -> Result<(Self, Option<audit::Fault>)> {
        let mut file = File::open(path).with_context(|| cannot_read(path))?;
        let (mut log, mut decoder) = (Self::default(), Decoder::new());
        let mut piece = vec![0; PIECE];
        loop {
            let got = file.read(&mut piece).with_context(|| cannot_read(path))?;
            if got == 0 {
                return Ok((log, None));
            }
            decoder.push(piece.get(..got).unwrap_or_default());
            if let Err(fault) = log.take_all(&mut decoder) {
                let nothing = log.names.is_empty() && log.samples.is_empty();
                anyhow::ensure!(!nothing, "{} is no trace: {fault}", path.display());
                return Ok((log, Some(fault)));
            }
        }
    }

    /// Takes the frames that `decoder` has.
    ///
    /// # Errors
    /// What follows cannot be read.
    pub fn take_all(&mut self, decoder: &mut Decoder) -> Result<(), audit::Fault> {
        while let Some(frame) = decoder.next_frame()? {
            self.take(frame);
        }
        Ok(())
    }

    /// Takes a frame.
    pub fn take(&mut self, frame: Frame) {
        self.lost = frame.lost;
        match frame.body {
            Body::Devices { entry, names } => {
                self.entry = entry.as_nanos();
                self.names = names;
            }
            Body::Events(events) => self.events.extend(events),
            Body::Sample {
                own, pools, queues, ..
            } => {
                self.own = own;
                self.samples.push(Sample {
                    at: frame.at,
                    pools,
                    queues,
                });
            }
            Body::End => self.complete = true,
        }
    }

    /// What a device is called.
    #[must_use]
    pub fn name(&self, device: u8) -> &str {
        self.names
            .get(usize::from(device))
            .map_or("?", String::as_str)
    }

    /// What a device is and what it is called, as far as its events say.
    #[must_use]
    pub fn title(&self, device: u8) -> String {
        let ours = self.events.iter().filter(|event| event.device == device);
        let kind = ours
            .map(|event| event.label.purpose)
            .find_map(|purpose| match purpose {
                audit::Purpose::Frame => Some("network card "),
                audit::Purpose::Read | audit::Purpose::Write => Some("disk "),
                audit::Purpose::Entropy => Some("entropy "),
                audit::Purpose::Pages => Some("balloon "),
                _ => None,
            });
        format!("{}{}", kind.unwrap_or_default(), self.name(device))
    }

    /// Seconds from the entry of the image.
    #[must_use]
    pub fn seconds(&self, at: Instant) -> f64 {
        std::time::Duration::from_nanos(at.as_nanos().saturating_sub(self.entry)).as_secs_f64()
    }

    /// Frames of network cards, each put together from its pieces.
    #[must_use]
    pub fn frames(&self) -> Vec<Crossing> {
        let mut open = BTreeMap::new();
        let mut frames: Vec<Crossing> = Vec::new();
        for event in &self.events {
            let way = (event.device, event.direction);
            match event.label.purpose {
                audit::Purpose::Frame => {
                    open.insert(way, frames.len());
                    frames.push(Crossing {
                        first: *event,
                        len: u64::from(event.len).saturating_sub(CARD_HEADER),
                    });
                }
                audit::Purpose::FramePart => {
                    let frame = open.get(&way).and_then(|at| frames.get_mut(*at));
                    if let Some(frame) = frame {
                        frame.len += u64::from(event.len);
                    }
                }
                _ => {}
            }
        }
        frames
    }

    /// Requests of disks, in the order in which they were made.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        let mut open: BTreeMap<(u8, u16), usize> = BTreeMap::new();
        let mut written: BTreeMap<(u8, u16), u64> = BTreeMap::new();
        let mut requests: Vec<Request> = Vec::new();
        for event in &self.events {
            let key = (event.device, event.label.slot);
            let outward = event.direction == audit::Direction::Out;
            match (event.label.purpose, outward) {
                (audit::Purpose::Data, true) => {
                    *written.entry(key).or_default() += u64::from(event.len);
                }
                (audit::Purpose::Data, false) => {
                    let request = open.get(&key).and_then(|at| requests.get_mut(*at));
                    if let Some(request) = request {
                        request.data += u64::from(event.len);
                    }
                }
                (audit::Purpose::Read | audit::Purpose::Write | audit::Purpose::Flush, true) => {
                    open.insert(key, requests.len());
                    requests.push(Request {
                        head: *event,
                        data: written.remove(&key).unwrap_or(0),
                        done: None,
                    });
                }
                (audit::Purpose::Read | audit::Purpose::Write | audit::Purpose::Flush, false) => {
                    let request = open.get(&key).and_then(|at| requests.get_mut(*at));
                    if let Some(request) = request {
                        request.done = Some(event.at);
                    }
                }
                _ => {}
            }
        }
        requests
    }
}

/// Bytes of the header that a card has before each frame.
const CARD_HEADER: u64 = 12;

/// A frame of a network card.
#[derive(Clone, Copy, Debug)]
pub struct Crossing {
    /// Its first event.
    pub first: Event,
    /// Bytes of the frame, without the card's header.
    pub len: u64,
}

/// A request of a disk.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// The event of its head.
    pub head: Event,
    /// Bytes of data, either way.
    pub data: u64,
    /// When its status was looked at.
    pub done: Option<Instant>,
}

fn cannot_read(path: &Path) -> String {
    format!("cannot read {}", path.display())
}
