//! The console, and its ports: streams of bytes to the host and from it.
//!
//! Port 0 of a device with one port is the console. With more, messages say which there are, what they
//! are called, and which of them is a console. All that comes is the host's word.
//!
//! Ref: virtio 1.2, 5.3 "Console Device".

mod channel;
mod control;
mod counters;
mod port;
mod state;

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use bounce::{Pool, Shared, Spacing, World};
use clock::Instant;

use crate::console::channel::{Channel, INPUT, OUTPUT};
pub use crate::console::counters::ConsoleCounters;
pub use crate::console::port::Port;
pub use crate::console::state::MAX_PORTS;
use crate::console::state::{State, channel_bytes, control_bytes, least_with_ports, name, write};
use crate::device::Device;
use crate::queue::ring_bytes;
use crate::{Environment, Error, Features, Interrupt, Kind, Needs, StreamError, Transport};

/// How long a host may take to name a port.
const NAMING: Duration = Duration::from_secs(2);
/// How long nobody looks at a device that nobody waits for.
const QUIET: Duration = Duration::from_millis(10);

/// A console that is running.
///
/// A device that breaks the rules is reset, and every port ends with an error; [`Self::take_failure`]
/// says why, once.
pub struct Console<W: World = Shared> {
    state: RefCell<State<W>>,
    device: Device<W>,
    /// Until when it need not be looked at, if nothing is asked of it before.
    quiet: Cell<Option<Instant>>,
}

impl<W: World> Console<W> {
    /// Bytes that a device leases.
    pub fn needs(spacing: Spacing) -> Needs {
        let one = INPUT.bytes(ring_bytes(), spacing) + OUTPUT.bytes(ring_bytes(), spacing);
        let control = control_bytes(spacing);
        let more = usize::from(MAX_PORTS - 1) * channel_bytes(spacing);
        Needs {
            least: one,
            wanted: one + control + more,
        }
    }

    /// Resets the device, agrees on features, and sets up the console and as many ports as there is room
    /// for.
    ///
    /// # Errors
    ///
    /// Any [`Error`]; the device is then reset.
    pub fn start(
        transport: Transport,
        pool: &Pool<W>,
        environment: Environment,
    ) -> Result<Self, Error> {
        let device = Device::new(transport, Kind::Console, pool)?;
        let wanted = match pool.left() >= least_with_ports(pool.spacing()) {
            true => Features::CONSOLE_MULTIPORT,
            false => Features::default(),
        };
        let features = device.negotiate(|_| wanted, environment)?;
        let state = if features.contains(Features::CONSOLE_MULTIPORT) {
            State::with_ports(&device, features)?
        } else {
            State::alone(&device, features)?
        };
        device.transport().driver_ok()?;
        let console = Self {
            state: RefCell::new(state),
            device,
            quiet: Cell::new(None),
        };
        console.poll();
        match console.device.failure() {
            Some(error) => Err(error),
            None => Ok(console),
        }
    }

    /// Starts a device anew that had failed. Does nothing while it runs. What was on its way is lost. Ports are
    /// there again, under the names that they had, when the host says so.
    ///
    /// # Errors
    ///
    /// [`Error::ResetTimedOut`] if the device does not confirm a reset: then its memory stays leased, and this
    /// can be tried again. Otherwise as for [`Self::start`].
    pub fn restart(&self) -> Result<(), Error> {
        let set_up = |features| self.state.borrow_mut().restart(&self.device, features);
        if self.device.restart(set_up)? {
            self.poll();
        }
        self.device.failure().map_or(Ok(()), Err)
    }

    /// Looks at messages and completions, wakes tasks, tells the device of what it has not seen, and says
    /// when to call again at the latest; `None` while nobody waits.
    pub fn poll(&self) -> Option<Instant> {
        let now = self.device.transport().clock().now();
        self.with(|state| state.drive(now)).ok().flatten()
    }

    /// The same for a loop that has many turns: while nobody waits for it and nothing was asked of it, the device is
    /// looked at from time to time only.
    pub fn poll_in_turn(&self) -> Option<Instant> {
        let now = self.device.transport().clock().now();
        if self.quiet.get().is_some_and(|until| now < until) {
            return None;
        }
        let next = self.poll();
        if !self.state.borrow().is_waited_for() {
            self.quiet.set(Some(now.after(QUIET)));
        }
        next
    }

    /// Waits until there is a console, for `patience` at most; says whether there is one.
    pub fn await_console(&self, patience: Duration) -> bool {
        let clock = Rc::clone(self.device.transport().clock());
        let mut found = false;
        clock.wait(patience, &mut || {
            self.poll();
            let state = self.state.borrow();
            let consoles = state.channels.iter().filter(|c| c.is_console);
            found = consoles.filter(|channel| channel.listens()).count() != 0;
            found || self.device.failure().is_some()
        });
        found
    }

    /// Queues as much of `text` as there is room for on the console; says how much that is. The device
    /// hears of it by [`Self::poll`].
    ///
    /// # Errors
    ///
    /// The one that ended the device.
    pub fn print(&self, text: &[u8]) -> Result<usize, Error> {
        self.with(|state| {
            let channel = state.channels.iter_mut().find(|c| c.is_console);
            let Some(channel) = channel.filter(|channel| channel.is_there()) else {
                return Ok(0);
            };
            let written = write(channel, text)?;
            state.counters.sent += written as u64;
            Ok(written)
        })
    }

    /// Whether the device has taken all that was printed.
    pub fn has_printed(&self) -> bool {
        let looked = self.with(|state| {
            let mut consoles = state
                .channels
                .iter_mut()
                .filter(|channel| channel.is_console);
            consoles.try_fold(true, |all, channel| {
                // Nobody else takes back what it is done with, while there is room.
                channel.output.reclaim()?;
                Ok(all && channel.output.is_idle())
            })
        });
        looked.unwrap_or(false)
    }

    /// Names of the ports that the host has.
    pub fn ports(&self) -> Vec<alloc::string::String> {
        let state = self.state.borrow();
        let there = state.channels.iter().filter(|channel| channel.is_there());
        there.filter_map(|c| name(c).map(Into::into)).collect()
    }

    /// The interrupt of the device, to be acknowledged when it is raised.
    pub fn interrupt(&self) -> Rc<Interrupt> {
        Rc::clone(self.device.transport().interrupt())
    }

    /// What the device did so far.
    pub fn counters(&self) -> ConsoleCounters {
        let state = self.state.borrow();
        let ports = state.channels.iter().map(Channel::rung).sum::<u64>();
        let control = state.control.as_ref();
        let control = control.map_or(0, |c| c.input.lane.rung() + c.output.lane.rung());
        ConsoleCounters {
            doorbells: ports + control,
            ..state.counters
        }
    }

    /// Why the device was stopped; `None` while it runs.
    pub fn failure(&self) -> Option<Error> {
        self.device.failure()
    }

    /// Why the device was stopped, the first time this is asked after it happened.
    pub fn take_failure(&self) -> Option<Error> {
        self.device.take_failure()
    }

    /// The port called `name`, which is opened if the host has it.
    fn find(&self, wanted: &str) -> Option<usize> {
        self.with(|state| Ok(state.find(wanted))).ok().flatten()
    }

    fn write_now(&self, index: usize, from: &[u8]) -> Result<usize, Error> {
        self.with(|state| state.write(index, from))
    }

    fn poll_open(
        &self,
        wanted: &str,
        deadline: &mut Option<Instant>,
        context: &Context<'_>,
    ) -> Poll<Result<usize, StreamError>> {
        let now = self.device.transport().clock().now();
        let found = self.with(|state| {
            let found = state.find(wanted);
            if found.is_some() {
                return Ok(found);
            }
            let end = *deadline.get_or_insert(now.after(NAMING));
            if now < end {
                let (seekers, waker) = (&mut state.seekers, context.waker());
                seekers.retain(|(_, other)| !other.will_wake(waker));
                seekers.push((end, waker.clone()));
            }
            Ok(None)
        });
        match found {
            Err(error) => Poll::Ready(Err(error.into())),
            Ok(Some(index)) => Poll::Ready(Ok(index)),
            Ok(None) if deadline.is_some_and(|end| now >= end) => {
                Poll::Ready(Err(StreamError::NoPort))
            }
            Ok(None) => Poll::Pending,
        }
    }

    fn poll_read(
        &self,
        index: usize,
        into: &mut [u8],
        context: &Context<'_>,
    ) -> Poll<Result<usize, StreamError>> {
        if into.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let taken = self.with(|state| {
            let channel = state.channels.get_mut(index).ok_or(Error::QueueFull)?;
            if channel.input.has_some()? {
                let taken = channel.input.take(into)?;
                state.counters.received += taken as u64;
                return Ok(Some(taken));
            }
            if channel.has_ended() {
                return Ok(Some(0));
            }
            channel.wait_to_read(context.waker());
            Ok(None)
        });
        ready(taken)
    }

    fn poll_write(
        &self,
        index: usize,
        from: &[u8],
        context: &Context<'_>,
    ) -> Poll<Result<usize, StreamError>> {
        if from.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.poll_out(index, context, |state| {
            let written = state.write(index, from)?;
            Ok((written != 0).then_some(written))
        })
    }

    fn poll_flush(&self, index: usize, context: &Context<'_>) -> Poll<Result<(), StreamError>> {
        let flushed = self.poll_out(index, context, |state| {
            let channel = state.channels.get_mut(index).ok_or(Error::QueueFull)?;
            channel.output.lane.notify()?;
            channel.output.reclaim()?;
            Ok(channel.output.is_idle().then_some(0))
        });
        flushed.map_ok(|_| ())
    }

    /// Does `work`; while it has no result, waits for the device to take something.
    fn poll_out(
        &self,
        index: usize,
        context: &Context<'_>,
        work: impl FnOnce(&mut State<W>) -> Result<Option<usize>, Error>,
    ) -> Poll<Result<usize, StreamError>> {
        let now = self.device.transport().clock().now();
        let mut late = false;
        let done = self.with(|state| {
            let done = work(state)?;
            let channel = state.channels.get_mut(index).ok_or(Error::QueueFull)?;
            match done {
                Some(_) => channel.went_on(),
                None if channel.take_timeout(now) => late = true,
                None => channel.wait_to_write(context.waker(), now),
            }
            Ok(done)
        });
        if late {
            return Poll::Ready(Err(StreamError::TimedOut));
        }
        ready(done)
    }

    /// Runs `work` on the state of a device that runs, then wakes the tasks that it found. An error ends
    /// the device.
    fn with<T>(&self, work: impl FnOnce(&mut State<W>) -> Result<T, Error>) -> Result<T, Error> {
        self.quiet.set(None);
        let mut state = self.state.borrow_mut();
        let result = self.device.run(|| work(&mut state));
        if result.is_err() {
            state.wake_all();
        }
        let woken = core::mem::take(&mut state.woken);
        drop(state);
        woken.into_iter().for_each(Waker::wake);
        result
    }
}

fn ready<T>(result: Result<Option<T>, Error>) -> Poll<Result<T, StreamError>> {
    match result {
        Ok(Some(value)) => Poll::Ready(Ok(value)),
        Ok(None) => Poll::Pending,
        Err(error) => Poll::Ready(Err(error.into())),
    }
}
