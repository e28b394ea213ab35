//! A virtio random number generator: the shortest way to a device that writes where it is told.
//!
//! Ref: virtio 1.2, 2.7 (split virtqueues), 4.1 (PCI transport), 5.4 (entropy device).

use crate::hardware::{self, Width};
use crate::realm::Realm;

/// Configuration space of QEMU's `virt` machine, for 41 address bits and for 33.
const CONFIG: u64 = 0x40_1000_0000;
const NARROW_CONFIG: u64 = 0x3f00_0000;
/// The start of its PCI memory.
const WINDOW: u64 = 0x1000_0000;
const FUNCTIONS: u64 = 256;
/// Vendor 0x1af4, device 0x1044.
const ENTROPY: u64 = 0x1044_1af4;
const MEMORY_AND_MASTER: u64 = 6;
const BAR_4: u64 = 0x20;
/// In QEMU, BAR 4 has the common registers at 0, and the doorbells at 0x3000.
const DOORBELL: u64 = 0x3000;
const FEATURE_SELECT: u64 = 8;
const FEATURES: u64 = 12;
const STATUS: u64 = 20;
const QUEUE_SELECT: u64 = 22;
const QUEUE_SIZE: u64 = 24;
const QUEUE_ENABLE: u64 = 28;
const QUEUE_ADDRESSES: [u64; 3] = [32, 40, 48];
/// In the second word of features.
const VERSION_1: u64 = 1;
const ACCESS_PLATFORM: u64 = 2;
const ACKNOWLEDGED: u64 = 1;
const DRIVER: u64 = 2;
const DRIVER_OK: u64 = 4;
const FEATURES_OK: u64 = 8;
const ENTRIES: u64 = 8;
const ANOTHER_FOLLOWS: u64 = 1;
const DEVICE_WRITES: u64 = 2;
/// Offsets of the avail and used rings in the queue's page.
const AVAIL: u64 = 0x400;
const USED: u64 = 0x800;
/// How often the used ring is looked at before a request counts as lost.
const PATIENCE: usize = 2_000_000;

/// The device, with one queue in a shared page.
pub struct Entropy<'r> {
    realm: &'r Realm,
    /// The queue's page, in the shared half.
    queue: u64,
    requests: u64,
}

impl<'r> Entropy<'r> {
    /// Opens the device, with its queue in the shared page `queue`. The first request starts it.
    pub fn open(realm: &'r Realm, queue: u64) -> Result<Self, &'static str> {
        Self::find(realm, queue, VERSION_1 | ACCESS_PLATFORM)
    }

    /// Opens the device so that it would go round the SMMU.
    pub fn open_unsafe(realm: &'r Realm, queue: u64) -> Result<Self, &'static str> {
        Self::find(realm, queue, VERSION_1)
    }

    fn find(realm: &'r Realm, queue: u64, features: u64) -> Result<Self, &'static str> {
        let space = if realm.shared == 1 << 32 {
            NARROW_CONFIG
        } else {
            CONFIG
        };
        let config = (0..FUNCTIONS).map(|function| space + (function << 12));
        let mut config = config.map(|base| realm.device(base));
        let found = config.find(|&base| hardware::load(base, Width::Word) == ENTROPY);
        let base = found.ok_or("no entropy device")?;
        hardware::store(base + BAR_4, Width::Word, WINDOW);
        hardware::store(base + BAR_4 + 4, Width::Word, 0);
        hardware::store(base + 4, Width::Half, MEMORY_AND_MASTER);
        let device = Self {
            realm,
            queue,
            requests: 0,
        };
        device.negotiate(features)?;
        device.set_up_queue();
        Ok(device)
    }

    fn set(&self, register: u64, width: Width, value: u64) {
        hardware::store(self.realm.device(WINDOW + register), width, value);
    }

    fn negotiate(&self, needed: u64) -> Result<(), &'static str> {
        self.set(STATUS, Width::Byte, 0);
        self.set(STATUS, Width::Byte, ACKNOWLEDGED | DRIVER);
        for (word, features) in [(0, 0), (1, needed)] {
            self.set(FEATURE_SELECT, Width::Word, word);
            self.set(FEATURES, Width::Word, features);
        }
        self.set(STATUS, Width::Byte, ACKNOWLEDGED | DRIVER | FEATURES_OK);
        let status = hardware::load(self.realm.device(WINDOW + STATUS), Width::Byte);
        if status & FEATURES_OK == 0 {
            Err("features are refused")
        } else {
            Ok(())
        }
    }

    fn set_up_queue(&self) {
        self.set(QUEUE_SELECT, Width::Half, 0);
        self.set(QUEUE_SIZE, Width::Half, ENTRIES);
        for (register, offset) in QUEUE_ADDRESSES.into_iter().zip([0, AVAIL, USED]) {
            let address = self.realm.dma(self.queue + offset);
            self.set(register, Width::Word, address & 0xffff_ffff);
            self.set(register + 4, Width::Word, address >> 32);
        }
        self.set(QUEUE_ENABLE, Width::Half, 1);
    }

    /// Lets the device write `length` bytes at `address`, and waits until it says that it did.
    pub fn fill(&mut self, address: u64, length: u64) -> Result<(), &'static str> {
        self.describe(0, (address, length), DEVICE_WRITES, 0);
        self.request()
    }

    /// Tells the device `told.1` bytes at `told.0`, which it has no use for, and lets it write 8 bytes at
    /// `answer`.
    pub fn tell(&mut self, told: (u64, u64), answer: u64) -> Result<(), &'static str> {
        self.describe(0, told, ANOTHER_FOLLOWS, 1);
        self.describe(1, (answer, 8), DEVICE_WRITES, 0);
        self.request()
    }

    fn describe(&self, id: u64, (address, length): (u64, u64), flags: u64, next: u64) {
        let at = self.queue + 16 * id;
        hardware::store(at, Width::Double, self.realm.dma(address));
        hardware::store(at + 8, Width::Word, length);
        hardware::store(at + 12, Width::Half, flags);
        hardware::store(at + 14, Width::Half, next);
    }

    /// Hands descriptor 0 over, and waits until the device is done with it.
    ///
    /// The first is there before the device starts. Later ones a device may find before it is told, and be done with
    /// before the monitor has seen them: QEMU tells it at its start as well, and late.
    fn request(&mut self) -> Result<(), &'static str> {
        let queue = self.queue;
        let slot = self.requests % ENTRIES;
        hardware::store(queue + AVAIL + 4 + 2 * slot, Width::Half, 0);
        self.requests += 1;
        hardware::store(queue + AVAIL + 2, Width::Half, self.requests);
        if self.requests == 1 {
            let status = ACKNOWLEDGED | DRIVER | FEATURES_OK | DRIVER_OK;
            self.set(STATUS, Width::Byte, status);
        }
        self.set(DOORBELL, Width::Half, 0);
        for _ in 0..PATIENCE {
            if hardware::load(queue + USED + 2, Width::Half) == self.requests {
                return Ok(());
            }
        }
        Err("the device does not answer")
    }
}
