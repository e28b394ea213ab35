//! A host bridge with functions, as QEMU and as lkvm show them.

mod config;

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;

use pci::{Bdf, HostWindow, MapError, Mapper, Registers};
use untrusted::Untrusted;

pub use config::ConfigSpace;

/// Bytes of one bus in the configuration window.
const BUS: u64 = 1 << 20;
/// Where PCI memory is, as the bus and the CPU have it.
const MEMORY: Range<u64> = 0x5000_0000..0x8000_0000;

/// What is behind the BARs of a function.
pub trait BarModel {
    /// Reads `size` bytes at `at` of BAR `bar`.
    fn read(&self, bar: u8, at: u64, size: u8) -> u32;
    /// Writes `size` bytes at `at` of BAR `bar`.
    fn write(&self, bar: u8, at: u64, size: u8, value: u32);
}

struct Slot {
    bdf: Bdf,
    config: ConfigSpace,
    model: Rc<dyn BarModel>,
}

#[derive(Default)]
struct Host {
    slots: RefCell<Vec<Slot>>,
    accesses: Cell<u64>,
    died: Cell<Option<&'static str>>,
}

/// A host bridge with functions. Clones are the same bridge.
#[derive(Clone, Default)]
pub struct FakePci(Rc<Host>);

impl FakePci {
    /// Plugs a function in.
    pub fn plug(&self, bdf: Bdf, config: ConfigSpace, model: Rc<dyn BarModel>) {
        self.0.slots.borrow_mut().push(Slot { bdf, config, model });
    }

    /// Changes the configuration space of a function, behind the driver's back.
    pub fn change(&self, bdf: Bdf, change: impl FnOnce(&mut ConfigSpace)) {
        let mut slots = self.0.slots.borrow_mut();
        let slot = slots.iter_mut().find(|s| s.bdf == bdf);
        change(&mut slot.expect("the function is plugged").config);
    }

    /// The configuration window of bus 0 to `last_bus`.
    pub fn ecam(&self, last_bus: u8) -> FakeEcam {
        FakeEcam {
            host: Rc::clone(&self.0),
            len: (u64::from(last_bus) + 1) * BUS,
        }
    }

    /// The memory windows of the bridge.
    pub fn windows(&self) -> Vec<HostWindow> {
        let (bus, size) = (MEMORY.start, MEMORY.end - MEMORY.start);
        vec![HostWindow {
            bus,
            cpu: bus,
            size,
        }]
    }

    /// Register accesses so far: each is an exit in a realm.
    pub fn accesses(&self) -> u64 {
        self.0.accesses.get()
    }

    /// What would have broken a real VMM, if anything did.
    pub fn died(&self) -> Option<&'static str> {
        self.0.died.get()
    }
}

impl Mapper for FakePci {
    type Registers = FakeBar;

    fn map(&self, address: u64, len: u64) -> Result<FakeBar, MapError> {
        let inside = address
            .checked_add(len)
            .is_some_and(|end| MEMORY.start <= address && end <= MEMORY.end);
        let host = Rc::clone(&self.0);
        let bar = FakeBar { host, address, len };
        inside.then_some(bar).ok_or(MapError { address, len })
    }
}

impl Host {
    fn count(&self) {
        self.accesses.set(self.accesses.get() + 1);
    }

    /// The model that decodes `address`, with BAR and offset.
    fn decode(&self, address: u64) -> Option<(Rc<dyn BarModel>, u8, u64)> {
        let slots = self.slots.borrow();
        slots.iter().find_map(|slot| {
            let (bar, at) = slot.config.decode(address)?;
            Some((Rc::clone(&slot.model), bar, at))
        })
    }
}

/// Accesses of the three widths, by one method of each direction.
macro_rules! registers {
    () => {
        fn len(&self) -> u64 {
            self.len
        }
        fn read8(&self, at: u64) -> Untrusted<u8> {
            Untrusted::from_host(self.read(at, 1) as u8)
        }
        fn read16(&self, at: u64) -> Untrusted<u16> {
            Untrusted::from_host(self.read(at, 2) as u16)
        }
        fn read32(&self, at: u64) -> Untrusted<u32> {
            Untrusted::from_host(self.read(at, 4))
        }
        fn write8(&self, at: u64, value: u8) {
            self.write(at, 1, value.into());
        }
        fn write16(&self, at: u64, value: u16) {
            self.write(at, 2, value.into());
        }
        fn write32(&self, at: u64, value: u32) {
            self.write(at, 4, value);
        }
    };
}

/// Configuration space.
#[derive(Clone)]
pub struct FakeEcam {
    host: Rc<Host>,
    len: u64,
}

impl FakeEcam {
    fn bdf(at: u64) -> Bdf {
        let (bus, device, function) = (at >> 20, at >> 15 & 31, at >> 12 & 7);
        Bdf::new(bus as u8, device as u8, function as u8).expect("masked")
    }

    fn check(&self, at: u64, size: u8) {
        self.host.count();
        let size = u64::from(size);
        assert!(at.is_multiple_of(size), "unaligned access at {at:#x}");
        assert!(at + size <= self.len, "access at {at:#x} leaves the window");
    }

    fn read(&self, at: u64, size: u8) -> u32 {
        self.check(at, size);
        let slots = self.host.slots.borrow();
        let slot = slots.iter().find(|s| s.bdf == Self::bdf(at));
        slot.map_or(u32::MAX, |s| s.config.read(at as usize & 0xfff, size))
    }

    fn write(&self, at: u64, size: u8, value: u32) {
        self.check(at, size);
        let mut slots = self.host.slots.borrow_mut();
        let slot = slots.iter_mut().find(|s| s.bdf == Self::bdf(at));
        let written = slot.map(|s| s.config.write(at as usize & 0xfff, size, value));
        if let Some(Err(reason)) = written {
            self.host.died.set(Some(reason));
        }
    }
}

impl Registers for FakeEcam {
    registers!();
}

/// A mapped run of PCI memory. What answers is found at each access, as on a bus.
pub struct FakeBar {
    host: Rc<Host>,
    address: u64,
    len: u64,
}

impl FakeBar {
    fn check(&self, at: u64, size: u8) {
        self.host.count();
        let size = u64::from(size);
        assert!(at.is_multiple_of(size), "unaligned access at {at:#x}");
        assert!(at + size <= self.len, "access at {at:#x} leaves the run");
    }

    fn read(&self, at: u64, size: u8) -> u32 {
        self.check(at, size);
        match self.host.decode(self.address + at) {
            Some((model, bar, at)) => model.read(bar, at, size),
            None => u32::MAX,
        }
    }

    fn write(&self, at: u64, size: u8, value: u32) {
        self.check(at, size);
        if let Some((model, bar, at)) = self.host.decode(self.address + at) {
            model.write(bar, at, size, value);
        }
    }
}

impl Registers for FakeBar {
    registers!();
}
