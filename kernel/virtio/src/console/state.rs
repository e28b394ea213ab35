//! What is known of the ports, and how it changes: messages are heard and answered.

use alloc::vec::Vec;
use core::task::Waker;

use bounce::{Spacing, World};
use clock::Instant;

use crate::console::channel::{Channel, INPUT, OUTPUT};
use crate::console::control::{Heard, Said};
use crate::console::counters::ConsoleCounters;
use crate::device::Device;
use crate::lanes::{Inbound, Outbound, Shape};
use crate::queue::ring_bytes;
use crate::waiters::join;
use crate::{Error, Features};

/// Most ports that are used, the console among them.
pub const MAX_PORTS: u16 = 8;
/// What the console is called.
const CONSOLE: &str = "hvc0";
/// Queues of messages about ports.
const CONTROL_IN: u16 = 2;
const CONTROL_OUT: u16 = 3;
/// Bytes of a message of the device's, at most: no more are lent for one.
const MESSAGE: usize = 128;
/// Messages that may come before we look: for each port that it is there, that it is a console, that it
/// is open, and its name. QEMU throws away what finds no buffer.
const MESSAGES_IN: Shape = Shape::short(4 * MAX_PORTS, MESSAGE);
const MESSAGES_OUT: Shape = Shape::short(2 * MAX_PORTS, 64);

pub(crate) struct State<W: World> {
    pub(crate) channels: Vec<Channel<W>>,
    pub(crate) control: Option<Control<W>>,
    /// Who looks for a port by its name, and until when.
    pub(crate) seekers: Vec<(Instant, Waker)>,
    pub(crate) counters: ConsoleCounters,
    pub(crate) woken: Vec<Waker>,
}

/// The queues of messages about ports.
pub(crate) struct Control<W: World> {
    pub(crate) input: Inbound<W>,
    pub(crate) output: Outbound<W>,
    pub(crate) owes_ready: bool,
}

impl<W: World> State<W> {
    pub(crate) fn new(channels: Vec<Channel<W>>, control: Option<Control<W>>) -> Self {
        Self {
            channels,
            control,
            seekers: Vec::new(),
            counters: ConsoleCounters::default(),
            woken: Vec::new(),
        }
    }

    /// A device that has a console and nothing else.
    pub(crate) fn alone(device: &Device<W>, features: Features) -> Result<Self, Error> {
        // A console alone is there for its few exits, and has the room for its queues.
        let shapes = [INPUT, OUTPUT].map(Shape::in_own_queue);
        let mut channel = Channel::start(device, 0, shapes, features)?;
        channel.be_the_only_one()?;
        Ok(Self::new(Vec::from([channel]), None))
    }

    /// A device with messages about ports. Ports for which the pool has no room are not used.
    pub(crate) fn with_ports(device: &Device<W>, features: Features) -> Result<Self, Error> {
        // Ref: virtio 1.2, 5.3.4 "Device configuration layout".
        let most = device.transport().config(|config| config.read32(4))?;
        let most = u16::try_from(most.capped(MAX_PORTS.into())).unwrap_or(MAX_PORTS);
        let most = most.clamp(1, MAX_PORTS);
        let mut channels = Vec::from([Channel::start(device, 0, [INPUT, OUTPUT], features)?]);
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
            channels.push(Channel::start(device, number, [INPUT, OUTPUT], features)?);
        }
        Ok(Self::new(channels, Some(control)))
    }

    /// Sets all queues up anew, after a reset.
    pub(crate) fn restart(&mut self, device: &Device<W>, features: Features) -> Result<(), Error> {
        for channel in &mut self.channels {
            channel.restart(device, features)?;
        }
        match (&mut self.control, self.channels.first_mut()) {
            (Some(control), _) => {
                control.input.restart(device, features)?;
                control.output.restart(device, features)?;
                control.owes_ready = true;
                control.input.lend_all()
            }
            (None, Some(only)) => only.be_the_only_one(),
            (None, None) => Ok(()),
        }
    }

    /// The port called `wanted`, which is opened if it is there.
    pub(crate) fn find(&mut self, wanted: &str) -> Option<usize> {
        let mut channels = self.channels.iter();
        let found = channels.position(|c| c.is_there() && name(c) == Some(wanted))?;
        self.channels.get_mut(found)?.open();
        Some(found)
    }

    /// Queues as much of `from` as there is room for, if somebody on the host listens.
    pub(crate) fn write(&mut self, index: usize, from: &[u8]) -> Result<usize, Error> {
        let channel = self.channels.get_mut(index).ok_or(Error::QueueFull)?;
        let written = match channel.listens() {
            true => write(channel, from)?,
            false => 0,
        };
        self.counters.sent += written as u64;
        Ok(written)
    }

    /// Brings everything up to date, and says when to look again.
    pub(crate) fn drive(&mut self, now: Instant) -> Result<Option<Instant>, Error> {
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
    pub(crate) fn hear(&mut self) -> Result<bool, Error> {
        let Some(control) = &mut self.control else {
            return Ok(false);
        };
        let mut has_news = false;
        for _ in 0..control.input.lane.count() {
            if !control.input.has_some()? {
                break;
            }
            let mut bytes = [0; MESSAGE];
            let taken = control.input.take(&mut bytes)?;
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
        control.input.lane.notify()?;
        Ok(has_news)
    }

    /// Says what is owed, as far as there is room for it.
    pub(crate) fn say(&mut self) -> Result<(), Error> {
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
        control.output.lane.notify()
    }

    /// Whether anybody waits for something that the device does, or has something to say to it.
    pub(crate) fn is_waited_for(&self) -> bool {
        let owes_ready = self.control.as_ref().is_some_and(|c| c.owes_ready);
        let mut channels = self.channels.iter();
        owes_ready || !self.seekers.is_empty() || channels.any(Channel::is_waited_for)
    }

    pub(crate) fn wake_all(&mut self) {
        let woken = &mut self.woken;
        for channel in &mut self.channels {
            channel.wake_all(woken);
        }
        woken.extend(self.seekers.drain(..).map(|(_, waker)| waker));
    }
}

/// Queues as much of `text` as there is room for.
pub(crate) fn write<W: World>(channel: &mut Channel<W>, text: &[u8]) -> Result<usize, Error> {
    let mut written = 0;
    for piece in text.chunks(channel.output.lane.each()) {
        if channel.output.room() == 0 && !channel.output.reclaim()? {
            break;
        }
        channel.output.send(&[piece])?;
        written += piece.len();
    }
    Ok(written)
}

/// What a port is called.
pub(crate) fn name<W: World>(channel: &Channel<W>) -> Option<&str> {
    let console = channel.is_console.then_some(CONSOLE);
    channel.name.as_deref().or(console)
}

pub(crate) fn channel_bytes(spacing: Spacing) -> usize {
    INPUT.short_bytes(spacing) + OUTPUT.short_bytes(spacing)
}

/// Bytes for a console and messages about ports, however long the queues of the device are.
pub(crate) fn least_with_ports(spacing: Spacing) -> usize {
    let shapes = [INPUT, OUTPUT, MESSAGES_IN, MESSAGES_OUT];
    let bytes = shapes.map(|shape| shape.bytes(ring_bytes(), spacing));
    bytes.iter().sum()
}

pub(crate) fn control_bytes(spacing: Spacing) -> usize {
    MESSAGES_IN.short_bytes(spacing) + MESSAGES_OUT.short_bytes(spacing)
}
