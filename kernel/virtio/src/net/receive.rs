//! Frames in: buffers lent to the device, copied out of once, and lent again.

use alloc::rc::Rc;
use alloc::vec::Vec;

use bounce::{Slot, World};

use crate::device::Device;
use crate::needs::Want;
use crate::net::header::{HEADER, Header};
use crate::net::{MIN_FRAME, checksum};
use crate::queue::{Completion, Lend, Queue};
use crate::{Error, Features};

/// Bytes of a receive buffer: header and a frame of 1514 bytes fit.
const BUFFER: u32 = 2048;
/// Fewest buffers to work with.
const LEAST: usize = 4;

/// Buffers for a queue of `size` entries.
pub(crate) fn buffers(size: u16) -> Want {
    Want {
        least: usize::from(size).min(LEAST),
        wanted: size.into(),
        len: BUFFER as usize,
        align: 64,
    }
}

/// What came of looking for a frame.
pub(crate) enum Outcome {
    Nothing,
    Dropped,
    Frame(usize),
}

/// A frame while its pieces are put together.
struct Assembly<'a> {
    into: &'a mut [u8],
    len: usize,
    /// Whether everything fitted so far.
    whole: bool,
}

/// The receive side.
pub(crate) struct Receive<W: World> {
    queue: Queue<W>,
    buffers: Vec<Rc<Slot<W>>>,
    mergeable: bool,
}

impl<W: World> Receive<W> {
    /// Leases `count` buffers, at most as many as the queue has entries, and lends all of them.
    pub(crate) fn start(
        device: &Device<W>,
        queue: Queue<W>,
        count: usize,
        features: Features,
    ) -> Result<Self, Error> {
        let lease = |_| device.lease(BUFFER as usize, 64);
        let buffers: Vec<_> = (0..count).map(lease).collect::<Result<_, _>>()?;
        let count = u16::try_from(count).map_err(|_| Error::QueueFull)?;
        let mergeable = features.contains(Features::NET_MRG_RXBUF);
        let mut receive = Self {
            queue,
            buffers,
            mergeable,
        };
        for tag in 0..count {
            receive.lend(tag)?;
        }
        Ok(receive)
    }

    /// Buffers that the device has at most.
    pub(crate) fn buffers(&self) -> u16 {
        u16::try_from(self.buffers.len()).unwrap_or(u16::MAX)
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
    pub(crate) fn next(&mut self, into: &mut [u8]) -> Result<Outcome, Error> {
        let Some(first) = self.queue.take()? else {
            self.queue.notify()?;
            return Ok(Outcome::Nothing);
        };
        let mut frame = Assembly {
            into,
            len: 0,
            whole: true,
        };
        let Some(header) = self.take_first(first, &mut frame)? else {
            return Ok(Outcome::Dropped);
        };
        let claimed = if self.mergeable { header.buffers } else { 1 };
        for _ in 1..claimed {
            // All pieces of a frame are announced together.
            let piece = self
                .queue
                .take()?
                .ok_or(Error::MissingBuffers { claimed })?;
            self.take_piece(piece, 0, &mut frame)?;
        }
        self.queue.publish()?;
        if claimed == 0 || !frame.whole || frame.len < MIN_FRAME {
            return Ok(Outcome::Dropped);
        }
        Ok(finish(frame, header))
    }

    /// Takes the header and what follows it; `None` if there is no whole header.
    fn take_first(
        &mut self,
        first: Completion,
        frame: &mut Assembly<'_>,
    ) -> Result<Option<Header>, Error> {
        let mut bytes = [0; HEADER];
        if (first.len as usize) < HEADER {
            self.lend(first.tag)?;
            self.queue.publish()?;
            return Ok(None);
        }
        self.buffer(first.tag)?.copy_in(0, &mut bytes)?;
        self.take_piece(first, HEADER, frame)?;
        Ok(Some(Header::from_bytes(bytes)))
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
            Some(into) => self.buffer(piece.tag)?.copy_in(skip, into)?,
            None => frame.whole = false,
        }
        frame.len = end;
        self.lend(piece.tag)
    }

    fn buffer(&self, tag: u16) -> Result<&Slot<W>, Error> {
        let buffer = self.buffers.get(usize::from(tag));
        buffer.map(Rc::as_ref).ok_or(Error::QueueFull)
    }

    /// Lends buffer `tag`. It is not cleared: what is in it came from the device.
    fn lend(&mut self, tag: u16) -> Result<(), Error> {
        let run = Lend {
            address: self.buffer(tag)?.address(0)?,
            len: BUFFER,
            writable: true,
        };
        self.queue.add(&[run], BUFFER, tag)
    }
}

/// Fills in what the host left open, and says how long the frame is.
fn finish(frame: Assembly<'_>, header: Header) -> Outcome {
    let Some(bytes) = frame.into.get_mut(..frame.len) else {
        return Outcome::Dropped;
    };
    let filled = header.checksum.map(|open| checksum::complete(bytes, open));
    match filled {
        Some(None) => Outcome::Dropped,
        Some(Some(())) | None => Outcome::Frame(frame.len),
    }
}
