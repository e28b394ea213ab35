//! What the runtime's loop does for devices, in a test.

use std::rc::Rc;

use bounce::Region;
use clock::Instant;
use realm::{Counters, Cpus, DeviceCounters, Disk, Driven, Machine, Refusal, Work as DeviceWork};
use testkit::wire::{Part, Turn};

use crate::processor::Work;

/// Disks, which have to be looked at.
pub(crate) struct Disks(pub(crate) Vec<Disk>);

impl Part for Disks {
    fn turn(&self, _: Instant) -> Turn {
        Turn {
            moved: false,
            next: self.0.iter().filter_map(Driven::poll).min(),
        }
    }
}

/// What the realm asks of the machine below.
pub(crate) struct Below {
    pub(crate) region: Region,
    pub(crate) disks: Vec<(Rc<str>, Disk)>,
    pub(crate) work: Work,
}

impl Machine for Below {
    /// Of the disks; what crosses the wire does so in whole frames, without a pool.
    fn counters(&self) -> Counters {
        let pools = self.region.counters().into_iter();
        let devices = pools.map(|(name, bounce)| {
            let mut disks = self.disks.iter();
            let disk = disks.find(|(known, _)| *known == name);
            let work = disk.map(|(_, disk)| DeviceWork::Block(disk.counters()));
            let work = work.unwrap_or(DeviceWork::Other);
            DeviceCounters { name, bounce, work }
        });
        Counters {
            devices: devices.collect(),
            accesses: pci::Accesses::default(),
            interrupts: realm::Taken::default(),
            means: realm::Means::default(),
            shared: self.region.len(),
        }
    }

    fn refusals(&self) -> &[Refusal] {
        &[]
    }

    fn start_cpus(&self) -> Cpus {
        self.work.cpus()
    }
}
