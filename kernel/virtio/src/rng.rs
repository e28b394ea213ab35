//! The source of random bytes. What it gives comes from the host: it may be mixed into a generator
//! that is seeded elsewhere, and nothing more.
//!
//! Ref: virtio 1.2, 5.4 "Entropy Device".

use alloc::rc::Rc;
use core::time::Duration;

use bounce::{Pool, Purpose, Shared, Slot, Spacing, World};
use clock::Clock;

use crate::device::Device;
use crate::queue::{Completion, Interrupts, Lend, Queue, RING_ALIGN, ring_bytes};
use crate::{Environment, Error, Features, Kind, Needs, Transport};

const REQUEST_QUEUE: u16 = 0;
const BYTES: usize = 64;
/// How long the device may take.
const DEADLINE: Duration = Duration::from_secs(2);

/// A source of random bytes that is running. Waiting is busy, so it is for boot alone.
pub struct Rng<W: World = Shared> {
    source: Source<W>,
    device: Device<W>,
}

struct Source<W: World> {
    queue: Queue<W>,
    slot: Rc<Slot<W>>,
}

impl<W: World> Rng<W> {
    /// Bytes that a device leases.
    pub fn needs(spacing: Spacing) -> Needs {
        let rings = spacing.bytes(1, ring_bytes(), RING_ALIGN);
        Needs::exactly(rings + spacing.bytes(1, BYTES, BYTES))
    }

    /// Resets the device and agrees on features.
    ///
    /// # Errors
    ///
    /// Any [`Error`]; the device is then reset.
    pub fn start(
        transport: Transport,
        pool: &Pool<W>,
        environment: Environment,
    ) -> Result<Self, Error> {
        let device = Device::new(transport, Kind::Rng, pool)?;
        let features = device
            .transport()
            .negotiate(|_| Features::default(), environment)?;
        let queue = Queue::start(&device, REQUEST_QUEUE, 1, features, Interrupts::Silent)?;
        let slot = device.lease(BYTES, BYTES)?;
        slot.label(REQUEST_QUEUE, 0, Purpose::Entropy);
        device.transport().driver_ok()?;
        Ok(Self {
            source: Source { queue, slot },
            device,
        })
    }

    /// Fills up to 64 bytes of `into` with what the host gives, and says how many.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`], and whatever rule the device breaks; the device is then stopped, and
    /// gives that error for ever.
    pub fn read(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        let Self { source, device } = self;
        device.run(|| source.request(device.transport().clock().as_ref(), into))
    }
}

impl<W: World> Source<W> {
    fn request(&mut self, clock: &dyn Clock, into: &mut [u8]) -> Result<usize, Error> {
        let wanted = into.len().min(BYTES);
        let len = u32::try_from(wanted).map_err(|_| Error::QueueFull)?;
        if len == 0 {
            return Ok(0);
        }
        self.slot.clear();
        let run = Lend {
            address: self.slot.address(0)?,
            len,
            writable: true,
        };
        self.queue.add(&[run], len, 0)?;
        self.queue.notify()?;
        let given = self.wait(clock)?.len as usize;
        let into = into.get_mut(..given).ok_or(Error::QueueFull)?;
        let bytes = self.slot.copy_in(0, into)?;
        bytes.opaque("mixed into a generator that has a seed");
        Ok(given)
    }

    fn wait(&mut self, clock: &dyn Clock) -> Result<Completion, Error> {
        let mut taken = Ok(None);
        clock.wait(DEADLINE, &mut || {
            taken = self.queue.take();
            !matches!(taken, Ok(None))
        });
        taken?.ok_or(Error::TimedOut)
    }
}
