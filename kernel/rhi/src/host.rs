//! The calls, each with an end.

use alloc::{vec, vec::Vec};
use core::time::Duration;

use clock::Clock;
use rsi::{Conduit, Granule, HOST_CALL_SIZE, HostCall, Rsi, VdevId};
use untrusted::Untrusted;

use crate::{Call, Error, Inbox, Status};

/// How long one thing that is asked of a device may take. A device that signs takes less than a
/// second; the number is ours.
const PATIENCE: Duration = Duration::from_secs(10);

/// Version 1.0, and whatever is compatible.
const MAJOR: u64 = 1;
/// Objects, measurements, reports, states. Linux asks for the same.
const NEEDED: u64 = 0x3b;
/// What takes parameters gets as much as the largest of the layouts that are about.
const PARAMETERS: usize = 1024;
/// Measurements as they are, and not their digests.
const RAW: u8 = 1;

/// What the host keeps of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    /// How platform and device agreed to speak.
    Negotiation,
    /// The device's certificates.
    Certificates,
    /// The last measurements.
    Measurements,
    /// The last interface report.
    Report,
}

impl Object {
    /// The numbers that hosts have for it. About the first of them they disagree.
    const fn kinds(self) -> &'static [u64] {
        match self {
            Self::Negotiation => &[0, 4],
            Self::Certificates => &[1],
            Self::Measurements => &[2],
            Self::Report => &[3],
        }
    }
}

/// A state that the host can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TdiState {
    /// The host's.
    Unlocked = 0,
    /// Its configuration stands.
    Locked = 1,
    /// It works for the realm.
    Run = 2,
}

/// Why any status may come.
const NAMED: &str = "each has a name, or is kept as it is";

/// The host, and the memory through which it is spoken with.
pub struct Host<'a, C> {
    rsi: &'a Rsi<C>,
    page: &'a mut dyn Granule,
    inbox: &'a dyn Inbox,
    clock: &'a dyn Clock,
}

impl<'a, C: Conduit> Host<'a, C> {
    /// Takes `page` for the registers of calls, and `inbox` for what is longer.
    pub fn new(
        rsi: &'a Rsi<C>,
        page: &'a mut dyn Granule,
        inbox: &'a dyn Inbox,
        clock: &'a dyn Clock,
    ) -> Self {
        Self {
            rsi,
            page,
            inbox,
            clock,
        }
    }

    /// Whether the host has all services that are needed.
    ///
    /// # Errors
    ///
    /// [`Error::NotOffered`], [`Error::Rsi`].
    pub fn check(&mut self) -> Result<(), Error> {
        const COMPARED: &str = "compared with what we need";
        let [version, ..] = self.ask_host(Call::Version, &[])?;
        let version = version.any_value(COMPARED);
        let is_known = version >> 16 == MAJOR;
        let features = if is_known {
            let [features, ..] = self.ask_host(Call::Features, &[])?;
            features.any_value(COMPARED)
        } else {
            0
        };
        if features & NEEDED != NEEDED || features == u64::MAX {
            return Err(Error::NotOffered { version, features });
        }
        Ok(())
    }

    /// Copies `object` of `device` to private memory.
    ///
    /// It is read at once and as a whole: hosts do not agree on what an offset means.
    ///
    /// # Errors
    ///
    /// [`Error::Size`], [`Error::Short`], [`Error::Refused`], [`Error::TooSlow`].
    pub fn read(&mut self, device: VdevId, object: Object) -> Result<Vec<u8>, Error> {
        let mut kinds = object.kinds().iter().copied();
        let mut kind = kinds.next().unwrap_or_default();
        let (size, kind) = loop {
            let asked = self.repeat(Call::ObjectSize, &[device.get(), kind]);
            match (asked, kinds.next()) {
                (Ok(size), _) => break (size, kind),
                (Err(Error::Refused { .. }), Some(other)) => kind = other,
                (Err(error), _) => return Err(error),
            }
        };
        let room = self.inbox.room();
        let size = size.check(|size| {
            let fitting = usize::try_from(size).ok();
            let fitting = fitting.filter(|size| (1..=room).contains(size));
            fitting.ok_or(Error::Size { size, room })
        })?;
        let operands = [device.get(), kind, self.inbox.address(), room as u64, 0];
        let copied = self.repeat(Call::ObjectRead, &operands)?;
        copied.check(|copied| match copied {
            whole if whole == size as u64 => Ok(()),
            copied => Err(Error::Short { size, copied }),
        })?;
        let mut bytes = vec![0; size];
        let object = self.inbox.take_in(&mut bytes);
        object.opaque("tdisp compares it with the digest of the RMM, and then parses it");
        Ok(bytes)
    }

    /// Has `device` measured: everything, signed, as it is.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`], [`Error::TooSlow`], [`Error::NoHandle`].
    pub fn get_measurements(&mut self, device: VdevId) -> Result<(), Error> {
        let mut parameters = [0; PARAMETERS];
        parameters[0] = RAW;
        self.inbox.put(&parameters);
        let operands = [device.get(), self.inbox.address()];
        self.complete(Call::GetMeasurements, &operands)
    }

    /// Has `device` report its registers.
    ///
    /// # Errors
    ///
    /// As [`Self::get_measurements`].
    pub fn get_interface_report(&mut self, device: VdevId) -> Result<(), Error> {
        self.complete(Call::GetInterfaceReport, &[device.get()])
    }

    /// Asks for another state of `device`. Whether it has it says the RMM.
    ///
    /// # Errors
    ///
    /// As [`Self::get_measurements`].
    pub fn set_tdi_state(&mut self, device: VdevId, state: TdiState) -> Result<(), Error> {
        self.complete(Call::SetTdiState, &[device.get(), state as u64])
    }

    /// Makes `call` and sees it through; `operands` begin with the device. What takes longer than
    /// our patience is given up.
    fn complete(&mut self, call: Call, operands: &[u64]) -> Result<(), Error> {
        let deadline = self.clock.deadline(PATIENCE);
        let device = operands.first().copied().unwrap_or_default();
        let (mut now, mut handle) = (call, None);
        loop {
            let going_on = [device, handle.unwrap_or_default()];
            let operands = if handle.is_some() {
                &going_on
            } else {
                operands
            };
            let [status, value, ..] = self.ask_host(now, operands)?;
            let value = value.any_value("a handle is given back as it came");
            match Status::from_code(status.any_value(NAMED)) {
                Status::Success => return Ok(()),
                Status::Busy => {}
                Status::Incomplete if handle.is_some() => {}
                Status::Incomplete if value != 0 => (now, handle) = (Call::Continue, Some(value)),
                Status::Incomplete => return Err(Error::NoHandle { call }),
                status => return Err(Error::Refused { call: now, status }),
            }
            if self.clock.now() >= deadline {
                // Whatever comes of that: the device is given up anyway.
                let _given_up = self.ask_host(Call::Abort, &[device]);
                return Err(Error::TooSlow { call });
            }
            self.clock.relax();
        }
    }

    /// Makes a `call` that gives a value, again while the host is busy.
    fn repeat(&mut self, call: Call, operands: &[u64]) -> Result<Untrusted<u64>, Error> {
        let deadline = self.clock.deadline(PATIENCE);
        loop {
            let [status, value, ..] = self.ask_host(call, operands)?;
            match Status::from_code(status.any_value(NAMED)) {
                Status::Success => return Ok(value),
                Status::Busy if self.clock.now() < deadline => self.clock.relax(),
                Status::Busy => return Err(Error::TooSlow { call }),
                status => return Err(Error::Refused { call, status }),
            }
        }
    }

    /// Makes one call; registers without an operand are 0.
    fn ask_host(&mut self, call: Call, operands: &[u64]) -> Result<[Untrusted<u64>; 31], Error> {
        let mut registers = [0; 31];
        for (register, value) in registers.iter_mut().skip(1).zip(operands) {
            *register = *value;
        }
        registers[0] = call.function();
        self.page.fill(0, &HostCall::new(0, registers).to_bytes());
        self.rsi.host_call(self.page.address())?;
        let mut bytes = [0; HOST_CALL_SIZE];
        let answer = self.page.take_answer(0, &mut bytes);
        answer.opaque("each register is marked again");
        Ok(HostCall::from_bytes(&bytes)
            .registers
            .map(Untrusted::from_host))
    }
}
