//! Frames in: buffers lent to the device, copied out of once, and lent again.

use bounce::{Parts, Purpose, World};
use frame::Incoming;

use crate::device::Device;
use crate::needs::Want;
use crate::net::checksum;
use crate::net::header::{ETHERNET, HEADER, Header};
use crate::net::offload::GUEST_TSO;
use crate::queue::{Completion, Queue, Usage};
use crate::slots::{ALIGN, Slots};
use crate::{Error, Features};

/// Bytes of a buffer where frames come as they are on the wire: header and 1514 bytes fit.
const BUFFER: usize = 2048;
/// Bytes of a buffer where long frames come: 64 KiB take 17.
const LONG_BUFFER: usize = 4096;
/// Buffers that are wanted, of either length: for a window of 256 KiB.
const WANTED: usize = 212;
const LONG_WANTED: usize = 106;
/// Fewest buffers to work with.
const LEAST: usize = 4;
/// Fewest long ones: for one frame of 64 KiB.
const LONG_LEAST: usize = 18;

/// Buffers for a queue of `size` entries.
pub(crate) fn buffers(size: u16, features: Features) -> Want {
    let (least, wanted, len) = if features.any(GUEST_TSO) {
        (LONG_LEAST, LONG_WANTED, LONG_BUFFER)
    } else {
        (LEAST, WANTED, BUFFER)
    };
    Want {
        least: least.min(size.into()),
        wanted: wanted.min(size.into()),
        len,
        align: ALIGN,
    }
}

/// What came of looking for a frame.
pub(crate) enum Outcome {
    Nothing,
    Dropped,
    Frame(Incoming),
}

/// A frame while its pieces are put together.
struct Assembly<'a> {
    into: &'a mut [u8],
    len: usize,
    /// Whether everything fitted so far.
    whole: bool,
    /// What was copied for it.
    parts: Parts,
}

/// The receive side.
pub(crate) struct Receive<W: World> {
    queue: Queue<W>,
    buffers: Slots<W>,
    /// Bytes of each buffer.
    each: u32,
    features: Features,
}

impl<W: World> Receive<W> {
    /// Leases `count` buffers, at most as many as the queue has entries, and lends all of them.
    pub(crate) fn start(
        device: &Device<W>,
        queue: Queue<W>,
        count: usize,
        features: Features,
    ) -> Result<Self, Error> {
        let each = buffers(queue.size(), features).len;
        let buffers = Slots::lease(device, core::iter::repeat_n(each, count))?;
        buffers.label(queue.index(), Purpose::Frame);
        let each = u32::try_from(each).map_err(|_| Error::QueueFull)?;
        let mut receive = Self {
            queue,
            buffers,
            each,
            features,
        };
        (0..receive.buffers()).try_for_each(|tag| receive.lend(tag))?;
        Ok(receive)
    }

    /// Buffers that the device has at most.
    pub(crate) fn buffers(&self) -> u16 {
        self.buffers.count()
    }

    /// What the device has of it.
    pub(crate) fn usage(&self) -> Usage {
        self.queue.usage()
    }

    /// Doorbells rung.
    pub(crate) fn rung(&self) -> u64 {
        self.queue.rung()
    }

    /// Tells the device about buffers that it has not seen.
    pub(crate) fn notify(&mut self) -> Result<(), Error> {
        self.queue.notify()
    }

    /// Copies the next frame into `into`. Its buffers are lent to the device again at once.
    ///
    /// A frame that is said to lie in more buffers than came with it is dropped, with those that did.
    /// So that no other frame is taken for a piece of it, a piece that does not fill its buffer is the
    /// last, whatever the device says.
    ///
    /// Ref: virtio 1.2, 5.1.6.4 "Processing of Incoming Packets".
    pub(crate) fn next(&mut self, into: &mut [u8]) -> Result<Outcome, Error> {
        let Some(first) = self.queue.take()? else {
            self.queue.notify()?;
            return Ok(Outcome::Nothing);
        };
        let mut frame = Assembly {
            into,
            len: 0,
            whole: true,
            parts: Parts::default(),
        };
        let taken = self.take_frame(first, &mut frame);
        self.buffers.get(first.tag)?.note(0, frame.parts);
        let (header, is_all) = taken?;
        self.queue.publish()?;
        match header {
            Some(header) if is_all && frame.whole => Ok(self.finish(frame, header)),
            _ => Ok(Outcome::Dropped),
        }
    }

    /// Takes all pieces of the frame that begins with `first`; says whether as many came as its header says.
    fn take_frame(
        &mut self,
        first: Completion,
        frame: &mut Assembly<'_>,
    ) -> Result<(Option<Header>, bool), Error> {
        let header = self.take_first(first, frame)?;
        let is_mergeable = self.features.contains(Features::NET_MRG_RXBUF);
        let claimed = match header {
            Some(header) if is_mergeable => header.buffers,
            _ => 1,
        };
        let (mut came, mut is_last) = (1, first.len < self.each);
        // A device that fills buffers as fast as they are lent again finds an end, too.
        let most = claimed.min(self.buffers());
        while came < most && !is_last {
            // All pieces of a frame are announced together.
            let Some(piece) = self.queue.take()? else {
                break;
            };
            self.buffers.get(piece.tag)?.purpose(Purpose::FramePart);
            self.take_piece(piece, 0, frame)?;
            came += 1;
            is_last = piece.len < self.each;
        }
        Ok((header, came == claimed))
    }

    /// Takes the header and what follows it; `None` if there is no whole header.
    fn take_first(
        &mut self,
        first: Completion,
        frame: &mut Assembly<'_>,
    ) -> Result<Option<Header>, Error> {
        if (first.len as usize) < HEADER {
            self.lend(first.tag)?;
            return Ok(None);
        }
        let buffer = self.buffers.get(first.tag)?;
        buffer.purpose(Purpose::Frame);
        let header = buffer.snapshot_part(0, &mut frame.parts)?;
        self.take_piece(first, HEADER, frame)?;
        let header = header.any_value("Header::check, when the frame is there");
        Ok(Some(Header::from_bytes(header)))
    }

    /// Copies the piece's bytes from `skip` on behind what the frame has, and lends the buffer.
    fn take_piece(
        &mut self,
        piece: Completion,
        skip: usize,
        frame: &mut Assembly<'_>,
    ) -> Result<(), Error> {
        let len = (piece.len as usize).saturating_sub(skip);
        let end = frame.len.saturating_add(len);
        match frame.into.get_mut(frame.len..end) {
            Some(into) => {
                let buffer = self.buffers.get(piece.tag)?;
                let bytes = buffer.copy_in_part(skip, into, &mut frame.parts)?;
                bytes.opaque("the gate of the network stack");
            }
            None => frame.whole = false,
        }
        frame.len = end;
        self.lend(piece.tag)
    }

    fn lend(&mut self, tag: u16) -> Result<(), Error> {
        self.buffers.lend_empty(&mut self.queue, tag, self.each)
    }

    /// Checks what the header says of the frame, and hands both on. A checksum that was left open
    /// without an agreement on that is filled in.
    fn finish(&self, frame: Assembly<'_>, header: Header) -> Outcome {
        let len = frame.len;
        let claims = header.check(len, self.features);
        let (Some(bytes), Some(claims)) = (frame.into.get_mut(..len), claims) else {
            return Outcome::Dropped;
        };
        if len < ETHERNET {
            return Outcome::Dropped;
        }
        let is_agreed = self.features.contains(Features::NET_GUEST_CSUM);
        let checksum = claims.checksum.filter(|_| is_agreed);
        let to_fill = claims.checksum.filter(|_| !is_agreed);
        if to_fill.is_some_and(|open| checksum::complete(bytes, open).is_none()) {
            return Outcome::Dropped;
        }
        Outcome::Frame(Incoming {
            len,
            checksum,
            segment_size: claims.segment_size,
        })
    }
}
