//! The console, and its ports: streams of bytes to the host and from it.
//!
//! Port 0 of a device with one port is the console. With more, messages say which there are, what they
//! are called, and which of them is a console. All that comes is the host's word.
//!
//! Ref: virtio 1.2, 5.3 "Console Device".

mod channel;
mod control;
mod port;

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use bounce::{Pool, Shared, Spacing, World};
use clock::Instant;

use crate::console::channel::{Channel, INPUT, OUTPUT, join};
use crate::console::control::{HEADER, Heard, MAX_NAME, Said};
pub use crate::console::port::Port;
use crate::device::Device;
use crate::lanes::{Inbound, Outbound, Shape};
use crate::queue::ring_bytes;
use crate::{Environment, Error, Features, Interrupt, Kind, Needs, StreamError, Transport};

/// Most ports that are used, the console among them.
pub const MAX_PORTS: u16 = 8;
/// What the console is called.
const CONSOLE: &str = "hvc0";
/// Queues of messages about ports.
const CONTROL_IN: u16 = 2;
const CONTROL_OUT: u16 = 3;
/// Messages that may come before we look: for each port that it is there, that it is a console, that it
/// is open, and its name. QEMU throws away what finds no buffer.
const MESSAGES_IN: Shape = Shape {
    count: 4 * MAX_PORTS,
    each: 128,
};
const MESSAGES_OUT: Shape = Shape {
    count: 2 * MAX_PORTS,
    each: 64,
};
/// How long a host may take to name a port.
const NAMING: Duration = Duration::from_secs(2);

/// What the device did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConsoleCounters {
    /// Bytes written to ports.
    pub sent: u64,
    /// Bytes read from ports.
    pub received: u64,
    /// Messages about ports that mean nothing.
    pub ignored: u64,
    /// Doorbells rung.
    pub doorbells: u64,
}

/// A console that is running.
///
/// A device that breaks the rules is reset, and every port ends with an error; [`Self::take_failure`]
/// says why, once.
pub struct Console<W: World = Shared> {
    state: RefCell<State<W>>,
    device: Device<W>,
}

struct State<W: World> {
    channels: Vec<Channel<W>>,
    control: Option<Control<W>>,
    /// Who looks for a port by its name, and until when.
    seekers: Vec<(Instant, Waker)>,
    counters: ConsoleCounters,
    woken: Vec<Waker>,
}

/// The queues of messages about ports.
struct Control<W: World> {
    input: Inbound<W>,
    output: Outbound<W>,
    owes_ready: bool,
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
        if transport.kind() != Kind::Console {
            return Err(Error::WrongKind);
        }
        let device = Device::new(transport, pool);
        let wanted = match pool.left() >= least_with_ports(pool.spacing()) {
            true => Features::CONSOLE_MULTIPORT,
            false => Features::default(),
        };
        let features = device.transport().negotiate(|_| wanted, environment)?;
        let state = if features.contains(Features::CONSOLE_MULTIPORT) {
            State::with_ports(&device, features)?
        } else {
            State::alone(&device, features)?
        };
        device.transport().driver_ok()?;
        let state = RefCell::new(state);
        let console = Self { state, device };
        console.poll();
        match console.device.failure() {
            Some(error) => Err(error),
            None => Ok(console),
        }
    }

    /// Looks at messages and completions, wakes tasks, tells the device of what it has not seen, and says
    /// when to call again at the latest; `None` while nobody waits.
    pub fn poll(&self) -> Option<Instant> {
        let now = self.device.transport().clock().now();
        self.with(|state| state.drive(now)).ok().flatten()
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
        let state = self.state.borrow();
        let mut consoles = state.channels.iter().filter(|channel| channel.is_console);
        consoles.all(|channel| channel.output.is_idle())
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
        let control = control.map_or(0, |c| c.input.rung() + c.output.rung());
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
            if channel.input.waiting()? != 0 {
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
            channel.output.notify()?;
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
        self.device.check();
        let mut state = self.state.borrow_mut();
        let mut result = match self.device.failure() {
            None => work(&mut state).inspect_err(|error| self.device.fail(*error)),
            Some(error) => Err(error),
        };
        if let Some(error) = self.device.failure() {
            state.wake_all();
            result = Err(error);
        }
        let woken = core::mem::take(&mut state.woken);
        drop(state);
        woken.into_iter().for_each(Waker::wake);
        result
    }
}

impl<W: World> State<W> {
    fn new(channels: Vec<Channel<W>>, control: Option<Control<W>>) -> Self {
        Self {
            channels,
            control,
            seekers: Vec::new(),
            counters: ConsoleCounters::default(),
            woken: Vec::new(),
        }
    }

    /// A device that has a console and nothing else.
    fn alone(device: &Device<W>, features: Features) -> Result<Self, Error> {
        let mut channel = Channel::start(device, 0, features)?;
        channel.be_the_only_one()?;
        Ok(Self::new(Vec::from([channel]), None))
    }

    /// A device with messages about ports. Ports for which the pool has no room are not used.
    fn with_ports(device: &Device<W>, features: Features) -> Result<Self, Error> {
        // Ref: virtio 1.2, 5.3.4 "Device configuration layout".
        let most = device.transport().config(|config| config.read32(4))?;
        let most = u16::try_from(most).unwrap_or(MAX_PORTS).clamp(1, MAX_PORTS);
        let mut channels = Vec::from([Channel::start(device, 0, features)?]);
        let mut control = Control {
            input: Inbound::start(device, CONTROL_IN, MESSAGES_IN, features)?,
            output: Outbound::start(device, CONTROL_OUT, MESSAGES_OUT, features)?,
            owes_ready: true,
        };
        control.input.lend_all()?;
        for number in 1..most {
            let each = channels
                .first()
                .map_or(0, |c| c.bytes(device.pool().spacing()));
            if device.pool().left() < each {
                break;
            }
            channels.push(Channel::start(device, number, features)?);
        }
        Ok(Self::new(channels, Some(control)))
    }

    /// The port called `wanted`, which is opened if it is there.
    fn find(&mut self, wanted: &str) -> Option<usize> {
        let mut channels = self.channels.iter();
        let found = channels.position(|c| c.is_there() && name(c) == Some(wanted))?;
        self.channels.get_mut(found)?.open();
        Some(found)
    }

    /// Queues as much of `from` as there is room for, if somebody on the host listens.
    fn write(&mut self, index: usize, from: &[u8]) -> Result<usize, Error> {
        let channel = self.channels.get_mut(index).ok_or(Error::QueueFull)?;
        let written = match channel.listens() {
            true => write(channel, from)?,
            false => 0,
        };
        self.counters.sent += written as u64;
        Ok(written)
    }

    /// Brings everything up to date, and says when to look again.
    fn drive(&mut self, now: Instant) -> Result<Option<Instant>, Error> {
        let has_news = self.hear()?;
        self.say()?;
        let mut next = None;
        for channel in &mut self.channels {
            let again = channel.look(now, &mut self.woken)?;
            next = next.into_iter().chain(again).min();
            channel.notify()?;
        }
        let woken = &mut self.woken;
        self.seekers.retain(|(end, waker)| {
            let stays = !has_news && now < *end;
            if !stays {
                join(woken, waker);
            }
            stays
        });
        let seekers = self.seekers.iter().map(|(end, _)| *end);
        Ok(next.into_iter().chain(seekers).min())
    }

    /// Takes messages, no more than there are buffers; says whether one of them was news.
    fn hear(&mut self) -> Result<bool, Error> {
        let Some(control) = &mut self.control else {
            return Ok(false);
        };
        let mut has_news = false;
        for _ in 0..control.input.buffers() {
            let len = control.input.waiting()?;
            if len == 0 {
                break;
            }
            let mut bytes = [0; HEADER + MAX_NAME + 2];
            let taken = control.input.take(&mut bytes)?;
            if taken < len {
                control.input.skip_all()?;
            }
            let message = Heard::from_bytes(bytes.get(..taken).unwrap_or_default());
            let known = message.and_then(|(port, heard)| {
                let channel = self.channels.get_mut(port)?;
                Some(channel.hear(heard))
            });
            match known.transpose()? {
                Some(true) => has_news = true,
                _ => self.counters.ignored += 1,
            }
        }
        control.input.notify()?;
        Ok(has_news)
    }

    /// Says what is owed, as far as there is room for it.
    fn say(&mut self) -> Result<(), Error> {
        let Some(control) = &mut self.control else {
            return Ok(());
        };
        if control.output.room() < usize::from(MESSAGES_OUT.count) {
            control.output.reclaim()?;
        }
        if control.owes_ready && control.output.send(&[&Said::DeviceReady.to_bytes()])? {
            control.owes_ready = false;
        }
        for channel in &mut self.channels {
            while let Some(said) = channel.owed() {
                if !control.output.send(&[&said.to_bytes()])? {
                    break;
                }
                channel.told();
            }
        }
        control.output.notify()
    }

    fn wake_all(&mut self) {
        let woken = &mut self.woken;
        for channel in &mut self.channels {
            channel.wake_all(woken);
        }
        woken.extend(self.seekers.drain(..).map(|(_, waker)| waker));
    }
}

/// Queues as much of `text` as there is room for.
fn write<W: World>(channel: &mut Channel<W>, text: &[u8]) -> Result<usize, Error> {
    let mut written = 0;
    for piece in text.chunks(channel.output.each()) {
        if channel.output.room() == 0 && !channel.output.reclaim()? {
            break;
        }
        channel.output.send(&[piece])?;
        written += piece.len();
    }
    Ok(written)
}

/// What a port is called.
fn name<W: World>(channel: &Channel<W>) -> Option<&str> {
    let console = channel.is_console.then_some(CONSOLE);
    channel.name.as_deref().or(console)
}

fn ready<T>(result: Result<Option<T>, Error>) -> Poll<Result<T, StreamError>> {
    match result {
        Ok(Some(value)) => Poll::Ready(Ok(value)),
        Ok(None) => Poll::Pending,
        Err(error) => Poll::Ready(Err(error.into())),
    }
}

fn channel_bytes(spacing: Spacing) -> usize {
    INPUT.short_bytes(spacing) + OUTPUT.short_bytes(spacing)
}

/// Bytes for a console and messages about ports, however long the queues of the device are.
fn least_with_ports(spacing: Spacing) -> usize {
    let shapes = [INPUT, OUTPUT, MESSAGES_IN, MESSAGES_OUT];
    let bytes = shapes.map(|shape| shape.bytes(ring_bytes(), spacing));
    bytes.iter().sum()
}

fn control_bytes(spacing: Spacing) -> usize {
    MESSAGES_IN.short_bytes(spacing) + MESSAGES_OUT.short_bytes(spacing)
}
