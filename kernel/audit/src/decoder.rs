//! A stream, taken apart. Whoever sent it may have sent anything.

use alloc::string::String;
use alloc::vec::Vec;

use clock::Instant;

use crate::wire::{self, HEAD, MAGIC, MAX_BODY, MAX_NAME, POOL_BYTES, QUEUE_BYTES, VERSION};
use crate::{EVENT_BYTES, Event, Own, PoolSample, QueueSample};

/// What a frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// The names of devices, by their numbers.
    Devices {
        /// When the image was entered.
        entry: Instant,
        /// Printable names.
        names: Vec<String>,
    },
    /// Events, oldest first.
    Events(Vec<Event>),
    /// What pools and queues were like.
    Sample {
        /// Events recorded so far.
        recorded: u64,
        /// Crossings of the transport itself.
        own: Own,
        /// Pools.
        pools: Vec<PoolSample>,
        /// Queues.
        queues: Vec<QueueSample>,
    },
    /// This is all.
    End,
}

/// A frame of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// When it was made.
    pub at: Instant,
    /// Events that were lost until then.
    pub lost: u64,
    /// What it says.
    pub body: Body,
}

/// Why a stream cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// What is at this offset is no frame.
    NoFrame {
        /// Bytes from the start of the stream.
        at: u64,
    },
    /// The form is another one.
    Version {
        /// Its number.
        version: u8,
    },
    /// A frame is longer than any may be.
    TooLong {
        /// Bytes from the start of the stream.
        at: u64,
        /// Bytes of its body.
        len: u32,
    },
    /// A frame is missing.
    Missing {
        /// The number that should have come.
        expected: u32,
        /// The number that came.
        found: u32,
    },
    /// A body does not fit its kind.
    Body {
        /// Bytes from the start of the stream to the frame.
        at: u64,
        /// The kind.
        kind: u8,
    },
}

impl core::fmt::Display for Fault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoFrame { at } => write!(f, "no frame of a trace at byte {at}"),
            Self::Version { version } => {
                write!(f, "the trace has version {version}; this reads {VERSION}")
            }
            Self::TooLong { at, len } => write!(f, "a frame of {len} bytes at byte {at}"),
            Self::Missing { expected, found } => {
                write!(f, "frame {expected} is missing: {found} came")
            }
            Self::Body { at, kind } => {
                write!(f, "the frame of kind {kind} at byte {at} makes no sense")
            }
        }
    }
}

impl core::error::Error for Fault {}

/// Takes a stream apart, piece by piece, however it was cut. Keeps one frame at most, and what was pushed last.
#[derive(Debug, Default)]
pub struct Decoder {
    bytes: Vec<u8>,
    /// Bytes before those.
    before: u64,
    /// The number of the next frame.
    sequence: u32,
    fault: Option<Fault>,
}

impl Decoder {
    /// At the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the stream. Call [`Self::next_frame`] until it has none before the next ones.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.fault.is_none() {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// Bytes that are not yet a whole frame: at the end of a stream, 0.
    pub fn rest(&self) -> usize {
        self.bytes.len()
    }

    /// The next frame of a known kind; `None` if its last byte is not there yet.
    ///
    /// # Errors
    ///
    /// [`Fault`], and the same again for ever: nothing behind it can be trusted.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, Fault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        self.read().inspect_err(|fault| {
            self.fault = Some(*fault);
            self.bytes = Vec::new();
        })
    }

    fn read(&mut self) -> Result<Option<Frame>, Fault> {
        let mut at = 0;
        let found = loop {
            let rest = self.bytes.get(at..).unwrap_or_default();
            let place = self.before.saturating_add(at as u64);
            let Some((frame, len)) = frame(rest, place, self.sequence)? else {
                break None;
            };
            self.sequence = self.sequence.wrapping_add(1);
            at += len;
            if frame.is_some() {
                break frame;
            }
        };
        self.bytes.drain(..at);
        self.before = self.before.saturating_add(at as u64);
        Ok(found)
    }
}

/// A frame, `None` if its kind is not known, and all its bytes; or nothing if they are not there yet.
type Found = Option<(Option<Frame>, usize)>;

fn frame(bytes: &[u8], place: u64, expected: u32) -> Result<Found, Fault> {
    let known = bytes.len().min(MAGIC.len());
    if bytes.get(..known) != MAGIC.get(..known) {
        return Err(Fault::NoFrame { at: place });
    }
    let mut head = Reader(bytes);
    let (Some(_), true) = (head.skip(MAGIC.len()), bytes.len() >= HEAD) else {
        return Ok(None);
    };
    let cut = Fault::NoFrame { at: place };
    let [version, kind, ..] = head.take::<4>().ok_or(cut)?;
    let sequence = head.word32().ok_or(cut)?;
    let len = head.word32().ok_or(cut)?;
    let at = Instant::from_nanos(head.word().ok_or(cut)?);
    let lost = head.word().ok_or(cut)?;
    if version != VERSION {
        return Err(Fault::Version { version });
    }
    let size = usize::try_from(len).unwrap_or(usize::MAX);
    if size > MAX_BODY {
        return Err(Fault::TooLong { at: place, len });
    }
    if sequence != expected {
        let found = sequence;
        return Err(Fault::Missing { expected, found });
    }
    let Some(body) = bytes.get(HEAD..HEAD + size) else {
        return Ok(None);
    };
    let wrong = Fault::Body { at: place, kind };
    let body = match kind {
        wire::DEVICES => Some(devices(body).ok_or(wrong)?),
        wire::EVENTS => Some(events(body).ok_or(wrong)?),
        wire::SAMPLE => Some(sample(body).ok_or(wrong)?),
        wire::END => Some(Body::End),
        _ => None,
    };
    let frame = body.map(|body| Frame { at, lost, body });
    Ok(Some((frame, HEAD + size)))
}

fn devices(body: &[u8]) -> Option<Body> {
    let mut reader = Reader(body);
    let entry = Instant::from_nanos(reader.word()?);
    let mut names = Vec::new();
    while !reader.0.is_empty() {
        let [len] = reader.take::<1>()?;
        let name = reader.skip(len.into())?;
        if name.len() > MAX_NAME || names.len() > usize::from(u8::MAX) {
            return None;
        }
        names.push(name.iter().map(|byte| printable(*byte)).collect());
    }
    Some(Body::Devices { entry, names })
}

/// What neither a terminal nor a page makes anything of.
fn printable(byte: u8) -> char {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b':' | b'.' | b'-' | b'_' => char::from(byte),
        _ => '?',
    }
}

fn events(body: &[u8]) -> Option<Body> {
    let (events, rest) = body.as_chunks::<EVENT_BYTES>();
    let events = events.iter().map(Event::from_bytes).collect();
    rest.is_empty().then_some(Body::Events(events))
}

fn sample(body: &[u8]) -> Option<Body> {
    let mut reader = Reader(body);
    let recorded = reader.word()?;
    let (events, bytes) = (reader.word()?, reader.word()?);
    let [pools, queues] = reader.take::<2>()?.map(usize::from);
    if reader.0.len() != pools * POOL_BYTES + queues * QUEUE_BYTES {
        return None;
    }
    let pools = (0..pools)
        .map(|_| pool(&mut reader))
        .collect::<Option<_>>()?;
    let queues = (0..queues)
        .map(|_| queue(&mut reader))
        .collect::<Option<_>>()?;
    Some(Body::Sample {
        recorded,
        own: Own { events, bytes },
        pools,
        queues,
    })
}

fn pool(reader: &mut Reader<'_>) -> Option<PoolSample> {
    let [device] = reader.take::<1>()?;
    Some(PoolSample {
        device,
        bytes_out: reader.word()?,
        bytes_in: reader.word()?,
        copies: reader.word()?,
        size: reader.word()?,
        leased: reader.word()?,
        high_water: reader.word()?,
        exhausted: reader.word()?,
    })
}

fn queue(reader: &mut Reader<'_>) -> Option<QueueSample> {
    let [device, queue] = reader.take::<2>()?;
    Some(QueueSample {
        device,
        queue,
        in_flight: u16::from_le_bytes(reader.take()?),
        lent: reader.word()?,
        high_water: reader.word()?,
    })
}

/// Bytes that are not yet read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn skip(&mut self, len: usize) -> Option<&'a [u8]> {
        let (now, later) = self.0.split_at_checked(len)?;
        self.0 = later;
        Some(now)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.skip(N)?.try_into().ok()
    }

    fn word32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn word(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
}
