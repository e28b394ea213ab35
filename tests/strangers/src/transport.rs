//! The registers of a fake, as `virtio-drivers` wants them. Its own PCI transport goes by pointers, and
//! the registers of a fake are no memory.

use pci::{Mapper, Registers};
use testkit::fake_pci::{FakeBar, FakePci};
use virtio_drivers::transport::{DeviceStatus, DeviceType, InterruptStatus, Transport};
use virtio_drivers::{PhysAddr, Result};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// The feature ACCESS_PLATFORM. `virtio-drivers` 0.13 does not know it, so it is accepted here.
pub const ACCESS_PLATFORM: u64 = 1 << 33;
/// Bytes of each part that are mapped: of a BAR that is as small as lkvm's.
const MAPPED: u64 = 0x38;
/// What these drivers make of what a device says is theirs to answer for.
pub const STRANGERS: &str = "the drivers of strangers check it, or not";

/// Where a part of a device is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Part {
    pub bar: u8,
    pub offset: u64,
}

/// Where all parts are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parts {
    pub common: Part,
    pub notify: Part,
    pub isr: Part,
    pub device: Part,
    /// Bytes from one doorbell to the next.
    pub multiplier: u64,
}

/// A fake as `virtio-drivers` sees it.
pub struct StrangeTransport {
    kind: u16,
    common: FakeBar,
    notify: FakeBar,
    isr: FakeBar,
    device: FakeBar,
    multiplier: u64,
    /// Features that are accepted besides those that the driver knows.
    pub accepts: u64,
}

impl StrangeTransport {
    pub fn new(pci: &FakePci, kind: u16, bars: [u64; 6], parts: Parts) -> Self {
        let map = |part: Part| {
            let at = bars[usize::from(part.bar)] + part.offset;
            pci.map(at, MAPPED).expect("PCI memory")
        };
        Self {
            kind,
            common: map(parts.common),
            notify: map(parts.notify),
            isr: map(parts.isr),
            device: map(parts.device),
            multiplier: parts.multiplier,
            accepts: ACCESS_PLATFORM,
        }
    }

    fn select(&self, queue: u16) {
        self.common.write16(22, queue);
    }

    fn write64(&self, at: u64, value: u64) {
        self.common.write32(at, value as u32);
        self.common.write32(at + 4, (value >> 32) as u32);
    }
}

impl Transport for StrangeTransport {
    fn device_type(&self) -> DeviceType {
        DeviceType::try_from(u32::from(self.kind)).expect("a device type")
    }

    fn read_device_features(&mut self) -> u64 {
        let half = |select| {
            self.common.write32(0, select);
            u64::from(self.common.read32(4).any_value(STRANGERS))
        };
        half(0) | half(1) << 32
    }

    fn write_driver_features(&mut self, features: u64) {
        let features = features | self.accepts;
        for (select, half) in [(0, features as u32), (1, (features >> 32) as u32)] {
            self.common.write32(8, select);
            self.common.write32(12, half);
        }
    }

    fn max_queue_size(&mut self, queue: u16) -> u32 {
        self.select(queue);
        self.common.read16(24).any_value(STRANGERS).into()
    }

    fn notify(&mut self, queue: u16) {
        self.select(queue);
        let doorbell = u64::from(self.common.read16(30).any_value(STRANGERS)) * self.multiplier;
        self.notify.write16(doorbell, queue);
    }

    fn get_status(&self) -> DeviceStatus {
        DeviceStatus::from_bits_truncate(self.common.read8(20).any_value(STRANGERS).into())
    }

    fn set_status(&mut self, status: DeviceStatus) {
        self.common.write8(20, status.bits() as u8);
    }

    fn set_guest_page_size(&mut self, _: u32) {}

    fn requires_legacy_layout(&self) -> bool {
        false
    }

    fn queue_set(
        &mut self,
        queue: u16,
        size: u32,
        table: PhysAddr,
        driver: PhysAddr,
        device: PhysAddr,
    ) {
        self.select(queue);
        self.common.write16(24, size as u16);
        self.write64(32, table);
        self.write64(40, driver);
        self.write64(48, device);
        self.common.write16(28, 1);
    }

    fn queue_unset(&mut self, _: u16) {}

    fn queue_used(&mut self, queue: u16) -> bool {
        self.select(queue);
        self.common.read16(28).any_value(STRANGERS) == 1
    }

    fn ack_interrupt(&mut self) -> InterruptStatus {
        InterruptStatus::from_bits_retain(self.isr.read8(0).any_value(STRANGERS).into())
    }

    fn read_config_generation(&self) -> u32 {
        self.common.read8(21).any_value(STRANGERS).into()
    }

    fn read_config_space<T: FromBytes + IntoBytes>(&self, offset: usize) -> Result<T> {
        let bytes: Vec<u8> = (0..size_of::<T>())
            .map(|at| self.device.read8((offset + at) as u64).any_value(STRANGERS))
            .collect();
        Ok(T::read_from_bytes(&bytes).expect("as many bytes as it has"))
    }

    fn write_config_space<T: IntoBytes + Immutable>(&mut self, _: usize, _: T) -> Result<()> {
        Ok(())
    }
}
