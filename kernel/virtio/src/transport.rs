//! The modern PCI transport: status, features, queues, doorbells.

use alloc::rc::Rc;
use core::cell::Cell;
use core::ops::RangeInclusive;
use core::time::Duration;

use bounce::{DeviceAddress, World};
use clock::Clock;
use pci::{Function, Mapper, Placement, Registers};
use untrusted::Untrusted;

use crate::features::halves;
use crate::messages::{Messages, NO_VECTOR};
use crate::structures::{Structure, Structures};
use crate::{Environment, Error, Features, Interrupt, Kind, Part};

/// Offsets in the common configuration.
///
/// Ref: virtio 1.2, 4.1.4.3 "Common configuration structure layout".
mod common {
    pub(super) const DEVICE_FEATURE_SELECT: u64 = 0;
    pub(super) const DEVICE_FEATURE: u64 = 4;
    pub(super) const DRIVER_FEATURE_SELECT: u64 = 8;
    pub(super) const DRIVER_FEATURE: u64 = 12;
    pub(super) const CONFIG_VECTOR: u64 = 16;
    pub(super) const NUM_QUEUES: u64 = 18;
    pub(super) const DEVICE_STATUS: u64 = 20;
    pub(super) const CONFIG_GENERATION: u64 = 21;
    pub(super) const QUEUE_SELECT: u64 = 22;
    pub(super) const QUEUE_SIZE: u64 = 24;
    pub(super) const QUEUE_VECTOR: u64 = 26;
    pub(super) const QUEUE_ENABLE: u64 = 28;
    pub(super) const QUEUE_NOTIFY_OFF: u64 = 30;
    pub(super) const QUEUE_DESC: u64 = 32;
    pub(super) const QUEUE_DRIVER: u64 = 40;
    pub(super) const QUEUE_DEVICE: u64 = 48;
}

/// Bits of the device status.
///
/// Ref: virtio 1.2, 2.1 "Device Status Field".
mod status {
    pub(super) const ACKNOWLEDGE: u8 = 1;
    pub(super) const DRIVER: u8 = 2;
    pub(super) const DRIVER_OK: u8 = 4;
    pub(super) const FEATURES_OK: u8 = 8;
    pub(super) const NEEDS_RESET: u8 = 0x40;
    pub(super) const FAILED: u8 = 0x80;
}

/// How long a device may take to reset.
const RESET_DEADLINE: Duration = Duration::from_secs(2);
/// How often the configuration is read again when its generation changes meanwhile.
const CONFIG_RETRIES: usize = 8;
/// Most entries of a queue. Hosts that cannot be told a size have this one.
pub(crate) const MAX_QUEUE_SIZE: u16 = 256;

/// A virtio function, found and mapped, not yet started.
pub struct Transport {
    kind: Kind,
    structures: Structures,
    interrupt: Rc<Interrupt>,
    clock: Rc<dyn Clock>,
    /// The status bits that we set.
    status: Cell<u8>,
    /// Queues of the device, once it was asked after a reset: each question is an exit.
    queues: Cell<Option<u16>>,
    /// The queue that registers are about.
    selected: Cell<Option<u16>>,
}

/// Addresses of the three parts of a queue.
pub(crate) struct QueueAddresses<W: World> {
    pub(crate) descriptors: DeviceAddress<W>,
    pub(crate) available: DeviceAddress<W>,
    pub(crate) used: DeviceAddress<W>,
}

/// The doorbell of one queue.
pub(crate) struct Doorbell {
    notify: Structure,
    at: u64,
    queue: u16,
}

impl Doorbell {
    /// Tells the device to look at the queue: one store.
    pub(crate) fn ring(&self) {
        self.notify.write16(self.at, self.queue);
    }

    /// Number of the queue.
    pub(crate) fn queue(&self) -> u16 {
        self.queue
    }
}

impl Transport {
    /// Checks what `function` says of itself, gives it addresses, and maps its registers.
    ///
    /// # Errors
    ///
    /// [`Error::WrongKind`] if it is not virtio, [`Error::LegacyOnly`], [`Error::MissingPart`], and
    /// whatever is wrong with its BARs.
    pub fn open<R: Registers + Clone + 'static, M: Mapper>(
        function: &Function<'_, R>,
        placement: &mut Placement,
        mapper: &M,
        clock: Rc<dyn Clock>,
    ) -> Result<Self, Error>
    where
        M::Registers: 'static,
    {
        let kind = Kind::of(&function.identity()).ok_or(Error::WrongKind)?;
        let mut structures = Structures::open(function, placement, mapper)?;
        let messages = Messages::new(structures.msi_x.take());
        let interrupt = Rc::new(Interrupt::new(structures.isr.clone(), messages));
        Ok(Self {
            kind,
            structures,
            interrupt,
            clock,
            status: Cell::new(0),
            queues: Cell::new(None),
            selected: Cell::new(None),
        })
    }

    /// Which kind of device it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Where its BARs are.
    pub fn bars(&self) -> &pci::Bars {
        &self.structures.bars
    }

    /// The registers that the driver reads and writes: address without the shared bit, and length.
    /// Those of MSI-X are not among them.
    pub fn register_runs(&self) -> &[(u64, u64)] {
        &self.structures.runs
    }

    /// Resets a device that has no driver, and gives its registers up.
    ///
    /// # Errors
    ///
    /// [`Error::ResetTimedOut`].
    pub fn quiesce(self) -> Result<(), Error> {
        self.reset()
    }

    pub(crate) fn clock(&self) -> &Rc<dyn Clock> {
        &self.clock
    }

    /// The interrupts of the device.
    pub fn interrupt(&self) -> &Rc<Interrupt> {
        &self.interrupt
    }

    /// Tells the device a vector, by the register at `at`, and reads back whether it took it.
    fn tell_vector(&self, at: u64, vector: Option<u16>) {
        let Some(vector) = vector else {
            return;
        };
        let common = &self.structures.common;
        common.write16(at, vector);
        if !common.read16(at).is(vector) {
            common.write16(at, NO_VECTOR);
            self.interrupt.give_messages_up();
        }
    }

    /// Resets the device and waits until it says so.
    pub(crate) fn reset(&self) -> Result<(), Error> {
        self.status.set(0);
        self.queues.set(None);
        self.selected.set(None);
        self.structures.common.write8(common::DEVICE_STATUS, 0);
        let mut is_reset = || self.structures.common.read8(common::DEVICE_STATUS).is(0);
        if self.clock.wait(RESET_DEADLINE, &mut is_reset) {
            Ok(())
        } else {
            Err(Error::ResetTimedOut)
        }
    }

    /// Resets the device and agrees on features: those that `wanted` makes of what it offers, and all
    /// that `environment` requires.
    ///
    /// Ref: virtio 1.2, 3.1.1 "Driver Requirements: Device Initialization".
    pub(crate) fn negotiate(
        &self,
        wanted: impl FnOnce(Features) -> Features,
        environment: Environment,
    ) -> Result<Features, Error> {
        self.reset()?;
        self.add_status(status::ACKNOWLEDGE);
        self.add_status(status::DRIVER);
        self.tell_vector(common::CONFIG_VECTOR, self.interrupt.messages().of_config());
        let offered = self.offered();
        let required = environment.required();
        if let Some(bit) = required.lowest_missing(offered) {
            return Err(Error::MissingFeature { bit });
        }
        let ours = wanted(offered) | required | Features::ACCESS_PLATFORM | Features::EVENT_IDX;
        let accepted = offered.both(ours);
        self.accept(accepted);
        self.add_status(status::FEATURES_OK);
        if !self.read_status().has(status::FEATURES_OK) {
            return Err(Error::FeaturesRefused);
        }
        if !self.offered().contains(accepted) {
            return Err(Error::FeaturesChanged);
        }
        Ok(accepted)
    }

    /// Tells the device that the driver is ready, and checks that it still agrees.
    pub(crate) fn driver_ok(&self) -> Result<(), Error> {
        self.add_status(status::DRIVER_OK);
        self.check_status()
    }

    /// Reads the status: one exit.
    pub(crate) fn check_status(&self) -> Result<(), Error> {
        let ours = self.status.get();
        self.read_status().check(|status| {
            if status & status::NEEDS_RESET != 0 {
                return Err(Error::NeedsReset);
            }
            if status & ours != ours || status & status::FAILED != 0 {
                return Err(Error::StatusLost { status });
            }
            Ok(())
        })
    }

    /// Agrees on the size of queue `queue`: what the device has, if that is one of `sizes`; else the
    /// largest of them, if the device takes it. One that cannot be told keeps its own, as long as we can
    /// use that many entries. The least of `sizes` is the longest chain that the driver uses.
    pub(crate) fn queue_size(&self, queue: u16, sizes: RangeInclusive<u16>) -> Result<u16, Error> {
        let (least, most) = sizes.into_inner();
        let common = &self.structures.common;
        if queue >= self.queues() {
            return Err(Error::QueueRefused { queue });
        }
        self.select(queue);
        let mut size = common.read16(common::QUEUE_SIZE);
        if size.at_most(most).is_none() {
            common.write16(common::QUEUE_SIZE, most);
            size = common.read16(common::QUEUE_SIZE);
        }
        size.check(|size| {
            if size < least || size > MAX_QUEUE_SIZE || !size.is_power_of_two() {
                return Err(Error::QueueSize { queue, size });
            }
            Ok(size)
        })
    }

    /// How many queues the device has, as it said first.
    fn queues(&self) -> u16 {
        let known = self.queues.get();
        let queues = known.unwrap_or_else(|| {
            let said = self.structures.common.read16(common::NUM_QUEUES);
            said.any_value("the number of each queue is held against it")
        });
        self.queues.set(Some(queues));
        queues
    }

    /// Has the registers of queues be about `queue`.
    fn select(&self, queue: u16) {
        if self.selected.replace(Some(queue)) != Some(queue) {
            self.structures.common.write16(common::QUEUE_SELECT, queue);
        }
    }

    /// Tells the device where queue `queue` lies, and starts it. Addresses go in halves: a host
    /// exists that takes only the low half of a 64-bit store.
    pub(crate) fn enable_queue<W: World>(
        &self,
        queue: u16,
        addresses: &QueueAddresses<W>,
    ) -> Result<Doorbell, Error> {
        let common = &self.structures.common;
        self.select(queue);
        let fields = [
            (common::QUEUE_DESC, addresses.descriptors),
            (common::QUEUE_DRIVER, addresses.available),
            (common::QUEUE_DEVICE, addresses.used),
        ];
        for (at, address) in fields {
            let [low, high] = halves(address.get());
            common.write32(at, low);
            common.write32(at + 4, high);
        }
        self.tell_vector(
            common::QUEUE_VECTOR,
            self.interrupt.messages().of_queue(queue),
        );
        let doorbell = self.doorbell(queue)?;
        common.write16(common::QUEUE_ENABLE, 1);
        if !common.read16(common::QUEUE_ENABLE).is(1) {
            return Err(Error::QueueRefused { queue });
        }
        Ok(doorbell)
    }

    /// Reads a piece of the device configuration, again if it changes meanwhile.
    ///
    /// Ref: virtio 1.2, 2.5.1 "Driver Requirements: Device Configuration Space".
    pub(crate) fn config<T>(
        &self,
        mut read: impl FnMut(&Config<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let device = self.structures.device.as_ref();
        let config = Config(device.ok_or(Error::MissingPart(Part::Device))?);
        for _ in 0..CONFIG_RETRIES {
            let before = self.generation();
            let value = read(&config)?;
            if self.generation() == before {
                return Ok(value);
            }
        }
        Err(Error::ConfigUnstable)
    }

    /// Writes a word of the device configuration; one that is not there is left alone.
    pub(crate) fn write_config32(&self, at: u64, value: u32) {
        if let Some(device) = &self.structures.device {
            device.write32(at, value);
        }
    }

    fn generation(&self) -> u8 {
        let generation = self.structures.common.read8(common::CONFIG_GENERATION);
        generation.any_value("compared with another")
    }

    /// Finds the doorbell of the selected queue. A multiplier of 0 is one doorbell for all.
    ///
    /// Ref: virtio 1.2, 4.1.4.4 "Notification structure layout".
    fn doorbell(&self, queue: u16) -> Result<Doorbell, Error> {
        let offset = self.structures.common.read16(common::QUEUE_NOTIFY_OFF);
        let offset = offset.any_value("the doorbell has to lie inside its structure");
        // 16 bits times 32 bits stay below 64.
        let at = u64::from(offset) * u64::from(self.structures.multiplier);
        let notify = self.structures.notify.clone();
        if !notify.holds(at, 2) || !at.is_multiple_of(2) {
            return Err(Error::Doorbell { queue, at });
        }
        Ok(Doorbell { notify, at, queue })
    }

    fn offered(&self) -> Features {
        let common = &self.structures.common;
        let [low, high] = [0, 1].map(|word| {
            common.write32(common::DEVICE_FEATURE_SELECT, word);
            let word = common.read32(common::DEVICE_FEATURE);
            word.any_value("a set: what we do not know is not taken")
        });
        Features::from_words(low, high)
    }

    fn accept(&self, features: Features) {
        let common = &self.structures.common;
        for (word, bits) in (0..).zip(features.words()) {
            common.write32(common::DRIVER_FEATURE_SELECT, word);
            common.write32(common::DRIVER_FEATURE, bits);
        }
    }

    fn read_status(&self) -> Untrusted<u8> {
        self.structures.common.read8(common::DEVICE_STATUS)
    }

    fn add_status(&self, bit: u8) {
        self.status.set(self.status.get() | bit);
        self.structures
            .common
            .write8(common::DEVICE_STATUS, self.status.get());
    }
}

/// The device configuration while it is being read.
pub(crate) struct Config<'t>(&'t Structure);

impl Config<'_> {
    pub(crate) fn read8(&self, at: u64) -> Result<Untrusted<u8>, Error> {
        self.check(at, 1).map(|()| self.0.read8(at))
    }

    pub(crate) fn read16(&self, at: u64) -> Result<Untrusted<u16>, Error> {
        self.check(at, 2).map(|()| self.0.read16(at))
    }

    pub(crate) fn read32(&self, at: u64) -> Result<Untrusted<u32>, Error> {
        self.check(at, 4).map(|()| self.0.read32(at))
    }

    fn check(&self, at: u64, len: u64) -> Result<(), Error> {
        if self.0.holds(at, len) {
            Ok(())
        } else {
            Err(Error::Config { at })
        }
    }
}
