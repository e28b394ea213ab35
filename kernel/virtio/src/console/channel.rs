//! One port: two queues, what the host says of it, and who waits for it.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::task::Waker;
use core::time::Duration;

use bounce::{Spacing, World};
use clock::Instant;

use crate::attention::Attention;
use crate::console::control::{Heard, Said};
use crate::device::Device;
use crate::lanes::{Inbound, Outbound, Shape};
use crate::waiters::join;
use crate::{Error, Features};

/// How long the host may take nothing from a port that somebody writes to, as far as we looked on.
const DEADLINE: Duration = Duration::from_secs(10);
/// Buffers for what comes in.
pub(crate) const INPUT: Shape = Shape::short(4, 1024);
/// Slots for what goes out.
pub(crate) const OUTPUT: Shape = Shape::short(4, 4096);

/// One port.
pub(crate) struct Channel<W: World> {
    number: u16,
    pub(crate) input: Inbound<W>,
    pub(crate) output: Outbound<W>,
    pub(crate) name: Option<Box<str>>,
    /// Whether the host prints lines of it.
    pub(crate) is_console: bool,
    /// Whether there is one.
    is_there: bool,
    /// Whether its buffers were lent.
    is_lent: bool,
    /// Whether somebody on the host listens; `None` if nobody ever did.
    is_open: Option<bool>,
    owes_ready: bool,
    owes_open: bool,
    was_opened: bool,
    readers: Vec<Waker>,
    writers: Vec<Waker>,
    /// Since when somebody waits to write, and nothing came back.
    stalled: Option<Attention>,
}

impl<W: World> Channel<W> {
    /// Sets the queues of port `number` up, in these shapes.
    pub(crate) fn start(
        device: &Device<W>,
        number: u16,
        [input, output]: [Shape; 2],
        features: Features,
    ) -> Result<Self, Error> {
        let first = first_queue(number);
        Ok(Self {
            number,
            input: Inbound::start(device, first, input, features)?,
            output: Outbound::start(device, first + 1, output, features)?,
            name: None,
            is_console: false,
            is_there: false,
            is_lent: false,
            is_open: None,
            owes_ready: false,
            owes_open: false,
            was_opened: false,
            readers: Vec::new(),
            writers: Vec::new(),
            stalled: None,
        })
    }

    /// Sets its queues up anew, after a reset. It is not there before the host says so, and has the name that it
    /// had: who uses it found it by that.
    pub(crate) fn restart(&mut self, device: &Device<W>, features: Features) -> Result<(), Error> {
        self.input.restart(device, features)?;
        self.output.restart(device, features)?;
        (self.is_there, self.is_lent, self.is_console) = (false, false, false);
        (self.owes_ready, self.owes_open) = (false, false);
        self.is_open = None;
        self.stalled = None;
        Ok(())
    }

    /// Takes what the device says of it; says whether that is news.
    pub(crate) fn hear(&mut self, heard: Heard<'_>) -> Result<bool, Error> {
        match heard {
            Heard::Added if !self.is_there => {
                self.is_there = true;
                self.owes_ready = true;
                // A device that was started anew has to hear it again.
                self.owes_open |= self.was_opened;
                if !core::mem::replace(&mut self.is_lent, true) {
                    self.input.lend_all()?;
                }
            }
            Heard::Removed if self.is_there => {
                self.is_there = false;
                self.is_open = self.is_open.map(|_| false);
            }
            Heard::Console if self.is_there && !self.is_console => {
                self.is_console = true;
                self.open();
            }
            Heard::Open(open) if self.is_there => self.is_open = Some(open),
            // A name stays what it was: who uses the port found it by that.
            Heard::Name(name) if self.is_there && self.name.is_none() => {
                self.name = Some(name.into());
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Makes it the only port of a device without messages about ports: it is there, and a console.
    pub(crate) fn be_the_only_one(&mut self) -> Result<(), Error> {
        self.hear(Heard::Added)?;
        (self.owes_ready, self.owes_open) = (false, false);
        self.is_open = Some(true);
        self.is_console = true;
        self.was_opened = true;
        Ok(())
    }

    /// Tells the device, when it can be told, that somebody here listens.
    pub(crate) fn open(&mut self) {
        self.owes_open |= !core::mem::replace(&mut self.was_opened, true);
    }

    /// What is to be said to the device.
    pub(crate) fn owed(&self) -> Option<Said> {
        match (self.owes_ready, self.owes_open) {
            (true, _) => Some(Said::PortReady(self.number.into())),
            (false, true) => Some(Said::PortOpen(self.number.into())),
            (false, false) => None,
        }
    }

    /// Notes that what was [`Self::owed`] was said.
    pub(crate) fn told(&mut self) {
        if !core::mem::take(&mut self.owes_ready) {
            self.owes_open = false;
        }
    }

    /// Whether what is written now is taken by somebody.
    pub(crate) fn listens(&self) -> bool {
        self.is_there && self.is_open == Some(true)
    }

    /// Whether nothing comes any more.
    pub(crate) fn has_ended(&self) -> bool {
        !self.is_there || self.is_open == Some(false)
    }

    /// Whether the host has it.
    pub(crate) fn is_there(&self) -> bool {
        self.is_there
    }

    /// Looks what the device did: takes slots back, notes the time, and finds whom to wake. Says when to
    /// look again.
    pub(crate) fn look(
        &mut self,
        now: Instant,
        woken: &mut Vec<Waker>,
    ) -> Result<Option<Instant>, Error> {
        if !self.readers.is_empty() && (self.input.has_some()? || self.has_ended()) {
            woken.append(&mut self.readers);
        }
        if self.writers.is_empty() {
            return Ok(None);
        }
        if self.output.reclaim_or_ask()? && self.listens() {
            self.stalled = None;
            woken.append(&mut self.writers);
            return Ok(None);
        }
        let stalled = self.stalled.get_or_insert(Attention::new(now));
        if stalled.look(now) >= DEADLINE {
            woken.append(&mut self.writers);
            return Ok(None);
        }
        Ok(Some(stalled.next_look(DEADLINE)))
    }

    /// Whether who waits to write has waited for too long. It counts anew after that.
    pub(crate) fn take_timeout(&mut self, now: Instant) -> bool {
        let late = |stalled: &mut Attention| stalled.look(now) >= DEADLINE;
        self.stalled.take_if(late).is_some()
    }

    /// Notes that something went on.
    pub(crate) fn went_on(&mut self) {
        self.stalled = None;
    }

    pub(crate) fn wait_to_read(&mut self, waker: &Waker) {
        join(&mut self.readers, waker);
    }

    pub(crate) fn wait_to_write(&mut self, waker: &Waker, now: Instant) {
        join(&mut self.writers, waker);
        self.stalled.get_or_insert(Attention::new(now));
    }

    /// Whether anybody waits, or something is to be said.
    pub(crate) fn is_waited_for(&self) -> bool {
        !self.readers.is_empty() || !self.writers.is_empty() || self.owed().is_some()
    }

    /// Everybody who waits.
    pub(crate) fn wake_all(&mut self, woken: &mut Vec<Waker>) {
        woken.append(&mut self.readers);
        woken.append(&mut self.writers);
    }

    /// Tells the device what it has not seen.
    pub(crate) fn notify(&mut self) -> Result<(), Error> {
        self.output.lane.notify()?;
        self.input.lane.notify()
    }

    /// Bytes that another port takes whose queues are as long.
    pub(crate) fn bytes(&self, spacing: Spacing) -> usize {
        let (input, output) = (self.input.lane.ring_bytes(), self.output.lane.ring_bytes());
        INPUT.bytes(input, spacing) + OUTPUT.bytes(output, spacing)
    }

    /// Doorbells rung.
    pub(crate) fn rung(&self) -> u64 {
        self.input.lane.rung() + self.output.lane.rung()
    }
}

/// The first queue of port `number`.
///
/// Ref: virtio 1.2, 5.3.2 "Virtqueues".
const fn first_queue(number: u16) -> u16 {
    if number == 0 { 0 } else { 2 + 2 * number }
}
