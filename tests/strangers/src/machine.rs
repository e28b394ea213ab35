//! A machine with one device, found by the PCI code of `virtio-drivers`.
// UNSAFETY: a trait of it has an unsafe function.
#![expect(unsafe_code, reason = "`ConfigurationAccess` has an unsafe function")]

use std::cell::RefCell;
use std::rc::Rc;

use pci::Registers;
use testkit::fake_pci::{FakeEcam, FakePci};
use testkit::fake_virtio::{FakeVirtio, Personality, Style, plug};
use testkit::shared_memory::SharedMemory;
use virtio_drivers::transport::pci::bus::{
    BarInfo, Command, ConfigurationAccess, DeviceFunction, MemoryBarType, PciRoot,
};

use crate::hal::use_memory;
use crate::transport::{Part, Parts, STRANGERS, StrangeTransport};

/// Entries of the queues: as many as `virtio-drivers` wants at most.
pub const QUEUE_SIZE: u16 = 16;
/// Shared memory.
const MEMORY: usize = 8 << 20;
/// Where BARs without an address go.
const FREE: u64 = 0x6000_0000;
/// The capability of virtio's parts.
const VENDOR_SPECIFIC: u8 = 9;

/// Configuration space for `virtio-drivers`.
pub struct Access(pub FakeEcam);

impl Access {
    fn at(device: DeviceFunction, register: u8) -> u64 {
        let DeviceFunction {
            bus,
            device,
            function,
        } = device;
        u64::from(bus) << 20
            | u64::from(device) << 15
            | u64::from(function) << 12
            | u64::from(register)
    }
}

impl ConfigurationAccess for Access {
    fn read_word(&self, device: DeviceFunction, register: u8) -> u32 {
        self.0
            .read32(Self::at(device, register))
            .any_value(STRANGERS)
    }

    fn write_word(&mut self, device: DeviceFunction, register: u8, word: u32) {
        self.0.write32(Self::at(device, register), word);
    }

    unsafe fn unsafe_clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// A machine with one device.
pub struct Machine {
    pub pci: FakePci,
    pub device: Rc<FakeVirtio>,
}

impl Machine {
    /// A machine of `style` whose device has `personality`.
    pub fn new(style: Style, personality: Rc<RefCell<dyn Personality>>) -> Self {
        Self::with_queues(style, QUEUE_SIZE, personality)
    }

    /// The same, with queues of `size` entries.
    pub fn with_queues(style: Style, size: u16, personality: Rc<RefCell<dyn Personality>>) -> Self {
        let pci = FakePci::default();
        let (_window, memory) = SharedMemory::new(MEMORY);
        use_memory(memory.clone());
        let device = plug(&pci, style, 3, memory, size, personality);
        Self { pci, device }
    }

    /// Finds the device, places its BARs, and says how it is reached.
    pub fn transport(&self) -> StrangeTransport {
        let mut root = PciRoot::new(Access(self.pci.ecam(0)));
        let (function, info) = root.enumerate_bus(0).next().expect("a device");
        assert_eq!(info.vendor_id, 0x1af4);
        let bars = place(&mut root, function);
        let parts = parts(&root, &Access(self.pci.ecam(0)), function);
        let kind = info.device_id - 0x1040;
        StrangeTransport::new(&self.pci, kind, bars, parts)
    }
}

/// Gives an address to each memory BAR that has none, and turns decoding on; gives all addresses.
fn place(root: &mut PciRoot<Access>, function: DeviceFunction) -> [u64; 6] {
    let (_, command) = root.get_status_command(function);
    let mut bars = [0; 6];
    let mut free = FREE;
    let mut index = 0;
    while index < 6 {
        let info = root
            .bar_info(function, index)
            .expect("a BAR that can be sized");
        let two = info.as_ref().is_some_and(BarInfo::takes_two_entries);
        if let Some(BarInfo::Memory {
            address_type,
            address,
            size,
            ..
        }) = info
            && size != 0
        {
            let mut at = address;
            if at == 0 {
                at = free.next_multiple_of(size);
                free = at + size;
                match address_type {
                    MemoryBarType::Width64 => root.set_bar_64(function, index, at),
                    _ => root.set_bar_32(function, index, at as u32),
                }
            }
            bars[usize::from(index)] = at;
        }
        index += if two { 2 } else { 1 };
    }
    root.set_command(
        function,
        command | Command::MEMORY_SPACE | Command::BUS_MASTER,
    );
    bars
}

/// Where the parts of the device are, as its capabilities say.
fn parts(root: &PciRoot<Access>, access: &Access, function: DeviceFunction) -> Parts {
    let mut parts = Parts::default();
    for capability in root.capabilities(function) {
        if capability.id != VENDOR_SPECIFIC {
            continue;
        }
        let word = |at: u8| access.read_word(function, capability.offset + at);
        let part = Part {
            bar: word(4) as u8,
            offset: word(8).into(),
        };
        match word(0) >> 24 {
            1 => parts.common = part,
            2 => (parts.notify, parts.multiplier) = (part, word(16).into()),
            3 => parts.isr = part,
            4 => parts.device = part,
            _ => {}
        }
    }
    parts
}
