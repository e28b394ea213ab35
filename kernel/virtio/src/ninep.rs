//! Folders of the host: carries messages of 9P2000.L, and knows nothing of them but their heads.
//!
//! A request is one run that the device reads and one that it writes, both in a slot that the request has for
//! life. Data is copied once: from the user into the slot, or out of it. A device that answers with another
//! size than it says, or to another request, is reset; so is one that is late.
//!
//! Ref: Linux, `net/9p/trans_virtio.c`; virtio device 9 has no section of its own in virtio 1.2.

mod requests;

use alloc::rc::Rc;
use alloc::string::String;
use core::cell::RefCell;
use core::future::poll_fn;
use core::task::{Context, Poll};

use bounce::{Pool, Shared, Shortage, Spacing, World};
use clock::Instant;

use crate::device::Device;
use crate::needs;
use crate::ninep::requests::{ALIGN, MAX_MESSAGE, REQUEST_QUEUE, Requests, SLOT, WANTED};
use crate::queue::{Interrupts, Queue, RING_ALIGN, ring_bytes};
use crate::waiting::Ticket;
use crate::{Environment, Error, Features, Interrupt, Kind, Needs, Transport};

/// Descriptors of a request: what the device reads, and what it writes.
const CHAIN: u16 = 2;
/// Most bytes of a name.
const MAX_NAME: u16 = 64;

/// What the device did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NinePCounters {
    /// Messages sent.
    pub messages: u64,
    /// Doorbells rung.
    pub doorbells: u64,
}

/// A folder of the host that is running.
pub struct NineP<W: World = Shared> {
    requests: RefCell<Requests<W>>,
    name: Rc<str>,
    device: Device<W>,
}

/// One message on its way. Dropping it leaves it to the device, and nobody waits for it.
struct Exchange<'d, W: World> {
    driver: &'d NineP<W>,
    request: Option<u16>,
    ticket: Option<Ticket>,
}

/// Asks a device for the name of its folder, and leaves it reset.
///
/// # Errors
///
/// Any [`Error`].
pub fn share_name(transport: &Transport, environment: Environment) -> Result<Rc<str>, Error> {
    if transport.kind() != Kind::NineP {
        return Err(Error::WrongKind);
    }
    let name = transport
        .negotiate(|_| Features::NINEP_NAME, environment)
        .and_then(|features| read_name(transport, features));
    transport.reset()?;
    name
}

impl<W: World> NineP<W> {
    /// Bytes that a device leases.
    pub fn needs(spacing: Spacing) -> Needs {
        let rings = spacing.bytes(1, ring_bytes(), RING_ALIGN);
        Needs::of(rings, &[WANTED], spacing)
    }

    /// Resets the device, agrees on features, and latches the name of its folder.
    ///
    /// # Errors
    ///
    /// Any [`Error`]; the device is then reset.
    pub fn start(
        transport: Transport,
        pool: &Pool<W>,
        environment: Environment,
    ) -> Result<Self, Error> {
        let device = Device::new(transport, Kind::NineP, pool)?;
        let features = device.negotiate(|_| Features::NINEP_NAME, environment)?;
        // A host shows its configuration after FEATURES_OK at the latest.
        let name = read_name(device.transport(), features)?;
        let queue = Queue::start(&device, REQUEST_QUEUE, CHAIN, features, Interrupts::Wanted)?;
        let [count] = needs::divide(pool, [WANTED])?;
        let count = count.min(usize::from(queue.size() / CHAIN));
        let slots = (0..count).map(|_| device.lease(SLOT, ALIGN));
        let slots = slots.collect::<Result<_, Error>>()?;
        device.transport().driver_ok()?;
        let now = device.transport().clock().now();
        let requests = RefCell::new(Requests::new(queue, slots, now));
        Ok(Self {
            requests,
            name,
            device,
        })
    }

    /// Starts a device anew that had failed. Does nothing while it runs. The host has forgotten who we are, and
    /// which files are open.
    ///
    /// # Errors
    ///
    /// [`Error::ResetTimedOut`] if the device does not confirm a reset: then its memory stays leased, and this
    /// can be tried again. [`Error::BadName`] if it is another folder now. Otherwise as for [`Self::start`].
    pub fn restart(&self) -> Result<(), Error> {
        self.with(|requests| {
            if let Some(failure) = self.device.failure() {
                requests.end_all(failure);
            }
            let restarted = self.device.restart(|features| {
                if read_name(self.device.transport(), features)? != self.name {
                    return Err(Error::BadName);
                }
                requests.restart(&self.device, features)
            });
            restarted.map(|_| ())
        })
    }

    /// The name of the folder, as it was when the device started. It is the host's choice.
    pub fn name(&self) -> Rc<str> {
        Rc::clone(&self.name)
    }

    /// Takes answers, ends a device that is late, wakes tasks, and says when to call again at the latest;
    /// `None` while nothing is on its way.
    pub fn poll(&self) -> Option<Instant> {
        self.with(|requests| {
            self.drive(requests).ok()?;
            self.device.run(|| requests.settle()).ok().flatten()
        })
    }

    /// The interrupt of the device, to be acknowledged when it is raised.
    pub fn interrupt(&self) -> Rc<Interrupt> {
        Rc::clone(self.device.transport().interrupt())
    }

    /// What the device did so far.
    pub fn counters(&self) -> NinePCounters {
        self.requests.borrow().counters()
    }

    /// Why the device was stopped; `None` while it runs.
    pub fn failure(&self) -> Option<Error> {
        self.device.failure()
    }

    /// Why the device was stopped, the first time this is asked after it happened.
    pub fn take_failure(&self) -> Option<Error> {
        self.device.take_failure()
    }

    /// Runs `work`, then wakes the tasks that it found.
    fn with<R>(&self, work: impl FnOnce(&mut Requests<W>) -> R) -> R {
        let mut requests = self.requests.borrow_mut();
        let result = work(&mut requests);
        if let Some(error) = self.device.failure() {
            requests.end_all(error);
        }
        while let Some(waker) = requests.woken() {
            drop(requests);
            waker.wake();
            requests = self.requests.borrow_mut();
        }
        result
    }

    /// Brings the requests up to date with what the device did and with the time.
    fn drive(&self, requests: &mut Requests<W>) -> Result<(), Error> {
        let now = self.device.transport().clock().now();
        self.device.run(|| requests.look(now))
    }
}

impl<W: World> ninep::Transport for NineP<W> {
    type Error = Error;

    fn max_message(&self) -> usize {
        MAX_MESSAGE
    }

    async fn exchange(
        &self,
        request: (&mut [u8], &[u8]),
        mut reply: [&mut [u8]; 2],
    ) -> Result<usize, Error> {
        let mut exchange = Exchange {
            driver: self,
            request: None,
            ticket: None,
        };
        let (head, data) = request;
        poll_fn(|context| exchange.poll(context, (head, data), &mut reply)).await
    }

    fn is_settled(&self) -> bool {
        self.requests.borrow().is_settled()
    }
}

impl<W: World> Exchange<'_, W> {
    fn poll(
        &mut self,
        context: &Context<'_>,
        request: (&mut [u8], &[u8]),
        reply: &mut [&mut [u8]; 2],
    ) -> Poll<Result<usize, Error>> {
        let driver = self.driver;
        driver.with(|requests| {
            let driven = driver.drive(requests);
            let result = match (self.request, driven) {
                (Some(index), _) => requests.finish(index, context.waker(), reply),
                (None, Err(error)) => Poll::Ready(Err(error)),
                (None, Ok(())) => self.submit(requests, context, request, reply),
            };
            if let Poll::Ready(result) = &result {
                requests.waiting().leave(self.ticket.take());
                self.request = None;
                // What was asked for too much is the caller's fault, and no lie.
                if let Err(error) = result
                    && *error != Error::QueueFull
                {
                    driver.device.fail(*error);
                }
            }
            result
        })
    }

    /// Sends the message by a free request, or waits for one.
    fn submit(
        &mut self,
        requests: &mut Requests<W>,
        context: &Context<'_>,
        (head, data): (&mut [u8], &[u8]),
        reply: &[&mut [u8]; 2],
    ) -> Poll<Result<usize, Error>> {
        let Some(index) = requests.reserve() else {
            self.driver.device.pool().note_shortage(Shortage {
                queue: Some(REQUEST_QUEUE),
                wanted: head.len() + data.len(),
                free: 0,
                largest: 0,
            });
            let waiting = requests.waiting();
            self.ticket = Some(waiting.join(self.ticket, context.waker()));
            return Poll::Pending;
        };
        let room = reply.iter().map(|part| part.len()).sum();
        match requests.submit(index, (head, data), room, context.waker()) {
            Ok(()) => {
                self.request = Some(index);
                requests.waiting().leave(self.ticket.take());
                Poll::Pending
            }
            Err(error) => {
                requests.release(index);
                Poll::Ready(Err(error))
            }
        }
    }
}

impl<W: World> Drop for Exchange<'_, W> {
    fn drop(&mut self) {
        self.driver.with(|requests| {
            requests.waiting().leave(self.ticket.take());
            if let Some(index) = self.request.take() {
                requests.abandon(index);
            }
        });
    }
}

/// Reads the name, if that there is one was agreed on: its length, and its bytes. It goes into messages and is
/// compared with what a user asks for.
fn read_name(transport: &Transport, features: Features) -> Result<Rc<str>, Error> {
    if let Some(bit) = Features::NINEP_NAME.lowest_missing(features) {
        return Err(Error::MissingFeature { bit });
    }
    let bytes = transport.config(|config| {
        let len = config.read16(0)?.at_most(MAX_NAME);
        let len = len.filter(|len| *len != 0).ok_or(Error::BadName)?;
        let byte = |at: u16| {
            let byte = config.read8(2 + u64::from(at))?;
            Ok(byte.any_value("a name with control characters is refused below"))
        };
        (0..len).map(byte).collect::<Result<_, Error>>()
    })?;
    let name = String::from_utf8(bytes).map_err(|_| Error::BadName)?;
    match name.contains(|c: char| c.is_control() || c.is_whitespace() || c == ',') {
        true => Err(Error::BadName),
        false => Ok(name.into()),
    }
}
